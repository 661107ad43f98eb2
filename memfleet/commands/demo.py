"""`memfleet demo`: an emulated fleet with everything around it, on this machine."""

from __future__ import annotations

import json
import logging
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live

from memfleet.board import fleet_board
from memfleet.broker import DemoBroker
from memfleet.lifeline import stop_on_signals
from memfleet.local import LocalCollector
from memfleet.spans import some_seconds
from memfleet.supervisor import own_command
from telemetry.clock import monotonic_ms

FLEET = "demo"
SILENT_AFTER_S = 60
SUSPECTED_EVERY_S = 1
"""Twice as often as the others, which the charts show."""


def command(
    devices: Annotated[int, typer.Option(help="How many devices.", min=1)] = 200,
    for_: Annotated[str | None, typer.Option("--for", help="End after that time, as 45s or 10m.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Where the page should be.")] = 8080,
    seed: Annotated[int, typer.Option(help="Same seed, same fleet.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="No terminal needed; one JSON object at the end.")] = False,
) -> None:
    """Show an emulated fleet of MT3620, ESP32 and Zephyr devices, some of them leaking: broker, collector and page.

    Everything is on this machine and in a temporary folder; Ctrl-C leaves nothing behind.

    [bold]Example:[/bold] memfleet demo --devices 50 --for 2m
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    span_s = some_seconds("--for", for_) if for_ else None
    stop = stop_on_signals()
    with tempfile.TemporaryDirectory(prefix="memfleet-demo-") as folder:
        collector = LocalCollector(Path(folder), FLEET, port, SILENT_AFTER_S, SUSPECTED_EVERY_S)
        console, data = Console(stderr=as_json), Path(folder) / "emulator"
        try:
            with console.status(f"starting {collector.broker.program}, collector and {devices} devices ..."):
                collector.start(lambda broker: {"emulator": _emulator(broker, data, devices, seed)}, stop)
            if not stop.is_set():
                console.print(f"The page is at [bold]{collector.url}[/bold]  (Ctrl-C ends the demo)")
            until_ms = None if span_s is None else monotonic_ms() + span_s * 1000
            with Live(console=console, auto_refresh=False, transient=True) as live:
                while not stop.is_set() and (until_ms is None or monotonic_ms() < until_ms):
                    collector.watch()
                    _draw(live, console, collector)
                    stop.wait(1.0)
            report = _report(collector)
        finally:
            collector.close()
    if as_json:
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        console.print(
            f"{report['devices_live']} devices live, {report['readings_stored']} readings stored, "
            f"{report['alerts']} alerts."
        )


def _emulator(broker: DemoBroker, data: Path, devices: int, seed: int) -> list[str]:
    return own_command(
        "emulate", "--devices", str(devices), "--seed", str(seed), "--broker", broker.settings.url,
        "--protocol", broker.settings.protocol, "--fleet", FLEET, "--data", str(data),
    )  # fmt: skip


def _draw(live: Live, console: Console, collector: LocalCollector) -> None:
    if not console.is_terminal:
        return
    answer = collector.get("/api/v1/devices?limit=50")
    alerts = collector.get("/api/v1/alerts")
    if answer and alerts:
        board = fleet_board(f"memfleet demo  {collector.url}", answer, alerts["alerts"], console.height - 6)
        live.update(board, refresh=True)


def _report(collector: LocalCollector) -> dict[str, Any]:
    answer = collector.get("/api/v1/devices?limit=1") or {"total": 0, "states": {}}
    alerts = collector.get("/api/v1/alerts?active=false&limit=10000") or {"alerts": []}
    status = collector.get("/api/v1/status") or {"processes": []}
    counters = {process["process"]: process["counters"] for process in status["processes"]}
    return {
        "devices_live": answer["total"] - answer["states"].get("silent", 0),
        "readings_stored": counters.get("series", {}).get("series_rows", 0),
        "alerts": len(alerts["alerts"]),
        "page": collector.url,
    }
