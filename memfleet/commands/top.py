"""`memfleet top`: the fleet in a terminal, worst first, as it changes."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from memfleet.client import DEFAULT_URL, Client, JsonOption, TokenOption, UrlOption
from memfleet.lifeline import stop_on_signals
from memfleet.tables import STATE_STYLES, clock, print_json, state, used_of
from telemetry.errors import EnvironmentFault
from telemetry.visible import visible

_LEAST_ROWS, _HEAD_ROWS = 5, 4
_BAR = 12


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
    rows = max(_LEAST_ROWS, console.height - _HEAD_ROWS)
    first = client.get("devices", text=find, limit=rows)
    if as_json:
        print_json(first)
        return
    if once or not sys.stdout.isatty():
        console.print(picture(first, ""))
        return
    stop = stop_on_signals()
    shown, trouble = first, ""
    with Live(picture(shown, trouble), console=console, screen=True, auto_refresh=False) as live:
        while not stop.wait(every):
            rows = max(_LEAST_ROWS, console.height - _HEAD_ROWS)
            try:
                shown, trouble = client.get("devices", text=find, limit=rows), ""
            except EnvironmentFault as fault:
                trouble = trouble or f"old since {time.strftime('%H:%M:%S')}: {fault}"
            live.update(picture(shown, trouble), refresh=True)


def picture(answer: Mapping[str, Any], trouble: str) -> Group:
    """One screen: how many devices are in which state, and the worst of them."""
    counts = Text("  ").join(
        Text(f"{count} {name}", STATE_STYLES.get(name, "")) for name, count in answer["states"].items()
    )
    head = Text.assemble(f"{answer['total']} devices   ", counts)
    lines = [head, Text(trouble, style="bold red")] if trouble else [head]
    return Group(*lines, _table(answer["devices"]))


def _table(devices: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", expand=True)
    for name in ("state", "device", "firmware", "fullest", "used / limit, KiB", "", "last seen"):
        table.add_column(name, justify="right" if "KiB" in name else "left", no_wrap=True, overflow="ellipsis")
    for one in devices:
        memory = used_of(one["used"], one["limit"])
        bar = _bar(one["used"], one["limit"])
        cells = (one["device"], one["firmware"], one["used_of"], memory, bar, clock(one["last_seen_ms"]))
        table.add_row(state(one["state"]), *(Text(visible(str(cell or ""))) for cell in cells))
    return table


def _bar(used: int | None, limit: int | None) -> str:
    """How full it is, as a bar."""
    if used is None or not limit:
        return ""
    full = min(_BAR, round(used / limit * _BAR))
    return "█" * full + "░" * (_BAR - full)
