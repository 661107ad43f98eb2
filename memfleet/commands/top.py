"""`memfleet top`: the fleet in a terminal, worst first, as it changes."""

from __future__ import annotations

import sys
import time
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live

from memfleet.board import fleet_board
from memfleet.client import DEFAULT_URL, Client, JsonOption, TokenOption, UrlOption
from memfleet.lifeline import stop_on_signals
from memfleet.tables import print_json
from telemetry.errors import EnvironmentFault

_LEAST_ROWS, _HEAD_ROWS = 5, 4


def command(
    find: Annotated[str, typer.Argument(help="Words to find in name, platform, board, firmware or agent.")] = "",
    every: Annotated[float, typer.Option(help="Seconds between two looks.", min=0.2)] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="One look, as into a file.")] = False,
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Watch the fleet in a terminal: the worst devices, as many as fit. Ctrl-C ends it.

    Example: [bold]memfleet top esp32 --every 5[/bold]
    """
    client, console = Client(url, token_file), Console()

    def look() -> tuple[dict[str, Any], list[dict[str, Any]]]:
        return client.get("devices", text=find, limit=_rows(console)), client.get("alerts")["alerts"]

    answer, alerts = look()
    if as_json:
        print_json(answer)
        return
    if once or not sys.stdout.isatty():
        console.print(fleet_board(url, answer, alerts, _rows(console)))
        return
    stop = stop_on_signals()
    head = url
    with Live(
        fleet_board(head, answer, alerts, _rows(console)), console=console, screen=True, auto_refresh=False
    ) as live:
        while not stop.wait(every):
            try:
                (answer, alerts), head = look(), url
            except EnvironmentFault as fault:
                head = head if head != url else f"old since {time.strftime('%H:%M:%S')}: {fault}"
            live.update(fleet_board(head, answer, alerts, _rows(console)), refresh=True)


def _rows(console: Console) -> int:
    """Devices that fit on the screen."""
    return max(_LEAST_ROWS, console.height - _HEAD_ROWS)
