"""`memfleet quarantine`: what intake refused, and what becomes of it; and what the broker refused of an agent."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Annotated

import typer

from agent.refused import refused_frames
from memfleet.client import DEFAULT_URL, Client, JsonOption, TokenOption, UrlOption
from memfleet.options import agent_folder
from memfleet.tables import clock, print_json, print_table
from telemetry.errors import UsageError

app = typer.Typer(add_completion=False, rich_markup_mode="rich", invoke_without_command=True)

Ids = Annotated[list[int] | None, typer.Argument(help="Numbers, as the list prints them.", show_default=False)]
AgentOption = Annotated[str, typer.Option(help="From this agent alone.")]
ReasonOption = Annotated[str, typer.Option(help="Refused for this reason alone.")]
DataOption = Annotated[
    Path | None, typer.Option("--data", help="An agent's folder: frames that its broker refused, instead.")
]
MOST = 10_000
"""Entries that are listed, or acted on, at once."""


@app.callback()
def listing(
    context: typer.Context,
    agent: AgentOption = "",
    reason: ReasonOption = "",
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="Most entries.")] = 100,
    data: DataOption = None,
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what the collector refused to take in, newest first; show it, retry it, purge it. With --data: what the
    broker refused of the agent that keeps its data there.

    Example: [bold]memfleet quarantine --reason underflow[/bold]

    Example: [bold]memfleet quarantine --data ~/agent[/bold]
    """
    if context.invoked_subcommand:
        return
    if data is not None:
        if agent or reason:
            raise UsageError("--data is one agent's folder; it goes with --limit and --json alone")
        _list_refused(data, limit, as_json)
        return
    client = Client(url, token_file)
    found = client.get("quarantine", agent=agent, reason=reason, limit=limit)["quarantine"]
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
    for process in client.get("status")["processes"]:
        if refused := process["counters"].get("refused_rows") if process["store"] else 0:
            print(f"{process['process']} took {refused:,} rows less: its server refused them; see memfleet doctor")  # noqa: T201


@app.command()
def show(
    id: Annotated[int, typer.Argument(help="Number, as the list prints it.")],  # noqa: A002 - the user's word
    data: DataOption = None,
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = None,
) -> None:
    """Write the refused bytes to standard output.

    Example: [bold]memfleet quarantine show 7 | xxd[/bold]
    """
    body = _refused_body(data, id) if data else Client(url, token_file).get_bytes(f"quarantine/{id}/body")
    sys.stdout.buffer.write(body)


@app.command()
def retry(
    ids: Ids = None,
    agent: AgentOption = "",
    reason: ReasonOption = "",
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = None,
) -> None:
    """Take refused bodies in again, after the cause is gone: those named, or all of an agent or a reason.

    Example: [bold]memfleet quarantine retry --reason version[/bold]
    """
    client = Client(url, token_file)
    _act("retry", _chosen(ids, agent, reason, client), client)


@app.command()
def purge(
    ids: Ids = None,
    agent: AgentOption = "",
    reason: ReasonOption = "",
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = None,
) -> None:
    """Throw refused bodies away: those named, or all of an agent or a reason.

    Example: [bold]memfleet quarantine purge 7 8[/bold]
    """
    client = Client(url, token_file)
    _act("purge", _chosen(ids, agent, reason, client), client)


def _list_refused(data: Path, limit: int, as_json: bool) -> None:
    found = refused_frames(agent_folder(data))[:limit]
    if as_json:
        print_json([{"id": one.id, "reason": one.reason, "rows": one.rows, "size": one.size} for one in found])
        return
    rows = ((one.id, one.reason, one.rows, one.size) for one in found)
    print_table((">id", "reason", ">rows", ">bytes"), rows, "The broker has refused nothing.")


def _refused_body(data: Path, number: int) -> bytes:
    for one in refused_frames(agent_folder(data)):
        if one.id == number:
            return one.body
    raise UsageError(f"no frame {number}; 'memfleet quarantine --data {data}' lists those that there are")


def _chosen(ids: list[int] | None, agent: str, reason: str, client: Client) -> list[int]:
    """Oldest first, as they came."""
    if bool(ids) == bool(agent or reason):
        raise UsageError(
            "say which: numbers as 'memfleet quarantine' lists them, or --reason or --agent for all of one"
        )
    found = client.get("quarantine", agent=agent, reason=reason, limit=MOST)["quarantine"] if not ids else []
    return sorted(ids or (one["id"] for one in found))


def _act(action: str, ids: list[int], client: Client) -> None:
    asked = client.post(f"quarantine/{action}", {"ids": ids, "by": getpass.getuser()})["accepted"] if ids else 0
    gone = f", {len(ids) - asked} of them are not there" if asked < len(ids) else ""
    more = "; there may be more of them: repeat it until none is left" if len(ids) == MOST else ""
    print(f"{action} of {asked} asked for{gone}{more}; 'memfleet quarantine' shows what is left")  # noqa: T201
