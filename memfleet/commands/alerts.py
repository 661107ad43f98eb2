"""`memfleet alerts`: what is wrong, and saying that somebody has seen it."""

from __future__ import annotations

from typing import Annotated

import typer

from memfleet import desk
from memfleet.client import DEFAULT_URL, Client, JsonOption, TokenOption, UrlOption
from memfleet.tables import clock, print_json, print_table, state

app = typer.Typer(add_completion=False, rich_markup_mode="rich", invoke_without_command=True)


@app.callback()
def listing(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Resolved ones too.")] = False,
    device: Annotated[str | None, typer.Option(help="Of this device alone.")] = None,
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """List open alerts, or acknowledge and silence them. 'memfleet incidents unsilence' ends a silence.

    Example: [bold]memfleet alerts --device kitchen-1[/bold]
    """
    if context.invoked_subcommand:
        return
    client = Client(url, token_file)
    found = client.get("alerts", active=not everything, device=device)["alerts"]
    if device and not found:
        client.must_know(device)
    if as_json:
        print_json(found)
        return
    print_table(
        ("severity", "status", "device", "since", "reason", "key"),
        (
            (
                state(one["severity"]),
                (one["status"] == "firing" and desk.answered(one)) or one["status"],
                one["device"],
                clock(one["since_ms"]),
                one["reason"],
                one["key"],
            )
            for one in found
        ),
        "No alert." if everything else "No open alert.",
    )


@app.command()
def acknowledge(
    key: Annotated[str, typer.Argument(help="Key of the alert, as the list prints it.")],
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = None,
) -> None:
    """Say that you have seen an alert: it stays open, and nobody is told of it again while it lasts.

    Example: [bold]memfleet alerts acknowledge 'user_mode_limit|kitchen-1|process|'[/bold]
    """
    desk.acknowledge(Client(url, token_file), key)


@app.command()
def silence(
    pattern: Annotated[str, typer.Argument(help="Keys to keep quiet about; * and ? stand for any text and letter.")],
    span: desk.SpanOption = "1h",
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = None,
) -> None:
    """Keep quiet about some alerts for a while.

    Example: [bold]memfleet alerts silence '*|kitchen-1|*' --for 2h[/bold]
    """
    desk.silence(Client(url, token_file), pattern, span)
