"""`memfleet collect`: the collector."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated

import typer

from collector.config import CollectorConfig
from memfleet.lifeline import die_with_parent, stop_on_signals
from memfleet.parts import part_names, run_part
from memfleet.supervisor import Supervisor, own_command
from telemetry.errors import UsageError
from telemetry.settings import load


def command(
    config: Annotated[Path | None, typer.Option(help="Configuration file; `memfleet init` writes one.")] = None,
    only: Annotated[str | None, typer.Option(help="Run one part alone, as a service unit does.")] = None,
    shards: Annotated[str | None, typer.Option(help="Shards to own, as 00-7f; all when not given.")] = None,
) -> None:
    """Receive, store, judge and show a fleet.

    [bold]Example:[/bold] memfleet collect --config /etc/memfleet/collector.toml
    """
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    owned = tuple(shard_range(shards)) if shards else None
    settings = load(CollectorConfig, config, os.environ, shards=owned)
    directory = Path(settings.data_dir)
    die_with_parent()
    stop = stop_on_signals()
    if only:
        run_part(only, settings, directory, stop)
        return
    words = ["collect", *(["--config", str(config)] if config else []), *(["--shards", shards] if shards else [])]
    parts = part_names(settings)
    supervisor = Supervisor({name: own_command(*words, "--only", name) for name in parts})
    try:
        while not stop.wait(0.2) and len(supervisor.failed) < len(parts):
            supervisor.watch()
    finally:
        supervisor.close()


def shard_range(text: str) -> list[str]:
    """Shards of a range: `00-7f`, or a single one."""
    first, _, last = text.partition("-")
    try:
        numbers = range(int(first, 16), int(last or first, 16) + 1)
    except ValueError:
        numbers = range(0)
    if not numbers or numbers[0] < 0 or numbers[-1] > 0xFF:
        raise UsageError(f"--shards {text!r}: write two hex digits or a range of them, as 00-7f")
    return [f"{number:02x}" for number in numbers]
