"""`memfleet alerts`: what is wrong, and saying that somebody has seen it."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from memfleet.client import DEFAULT_URL, Client, JsonOption, TokenOption, UrlOption
from memfleet.spans import seconds
from memfleet.tables import clock, print_json, print_table, state
from telemetry.clock import wall_ms

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
    """List open alerts, or acknowledge and silence them.

    Example: [bold]memfleet alerts --device kitchen-1[/bold]
    """
    if context.invoked_subcommand:
        return
    found = Client(url, token_file).get("alerts", active=not everything, device=device)["alerts"]
    if as_json:
        print_json(found)
        return
    print_table(
        ("severity", "status", "device", "since", "reason", "key"),
        (
            (
                state(one["severity"]),
                "acknowledged" if one["status"] == "firing" and one["acknowledged_ms"] else one["status"],
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
    """Say that you have seen an alert: it stays open and stops to page.

    Example: [bold]memfleet alerts acknowledge 'user_mode_limit|kitchen-1|process|'[/bold]
    """
    Client(url, token_file).post("alerts/acknowledge", {"key": key, "by": getpass.getuser()})
    print(f"acknowledged {key}")  # noqa: T201 - the command's answer


@app.command()
def silence(
    pattern: Annotated[str, typer.Argument(help="Keys to keep quiet about; * and ? stand for any text and letter.")],
    until: Annotated[str, typer.Option("--for", help="How long: 30m, 2h, 3d.")] = "1h",
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = None,
) -> None:
    """Keep quiet about some alerts for a while.

    Example: [bold]memfleet alerts silence '*|kitchen-1|*' --for 2h[/bold]
    """
    until_ms = wall_ms() + int(seconds(until) * 1000)
    Client(url, token_file).post("silences", {"pattern": pattern, "until_ms": until_ms, "by": getpass.getuser()})
    print(f"silenced {pattern} until {clock(until_ms)}")  # noqa: T201 - the command's answer
