"""`memfleet quarantine`: what intake refused, and what becomes of it."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

import typer

from memfleet.client import DEFAULT_URL, Client, JsonOption, TokenOption, UrlOption
from memfleet.tables import clock, print_json, print_table

app = typer.Typer(add_completion=False, rich_markup_mode="rich", invoke_without_command=True)

Ids = Annotated[list[int], typer.Argument(help="Numbers, as the list prints them.")]


@app.callback()
def listing(
    context: typer.Context,
    agent: Annotated[str, typer.Option(help="From this agent alone.")] = "",
    reason: Annotated[str, typer.Option(help="Refused for this reason alone.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most entries.")] = 100,
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what the collector refused to take in, newest first; show it, retry it, purge it.

    Example: [bold]memfleet quarantine --reason underflow[/bold]
    """
    if context.invoked_subcommand:
        return
    found = Client(url, token_file).get("quarantine", agent=agent, reason=reason, limit=limit)["quarantine"]
    if as_json:
        print_json(found)
        return
    print_table(
        (">id", "received", "agent", "reason", "detail", ">rows", ">bytes"),
        (
            (
                one["id"],
                clock(one["received_ms"]),
                one["agent"],
                one["reason"],
                one["detail"],
                one["rows"],
                one["size"],
            )
            for one in found
        ),
        "Nothing is in quarantine.",
    )


@app.command()
def show(
    id: Annotated[int, typer.Argument(help="Number, as the list prints it.")],  # noqa: A002 - the user's word
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = None,
) -> None:
    """Write the refused bytes to standard output.

    Example: [bold]memfleet quarantine show 7 | xxd[/bold]
    """
    sys.stdout.buffer.write(Client(url, token_file).get_bytes(f"quarantine/{id}/body"))


@app.command()
def retry(ids: Ids, url: UrlOption = DEFAULT_URL, token_file: TokenOption = None) -> None:
    """Take refused bodies in again, after the cause is gone.

    Example: [bold]memfleet quarantine retry 7 8[/bold]
    """
    _act("retry", ids, Client(url, token_file))


@app.command()
def purge(ids: Ids, url: UrlOption = DEFAULT_URL, token_file: TokenOption = None) -> None:
    """Throw refused bodies away.

    Example: [bold]memfleet quarantine purge 7 8[/bold]
    """
    _act("purge", ids, Client(url, token_file))


def _act(action: str, ids: list[int], client: Client) -> None:
    client.post(f"quarantine/{action}", {"ids": ids, "by": getpass.getuser()})
    print(f"{action} of {len(ids)} asked for; 'memfleet quarantine' shows what is left")  # noqa: T201
