"""`memfleet collect`: the collector."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from collector.config import CollectorConfig
from collector.web.status import statuses, unready
from memfleet.adoption import adopt, move_in
from memfleet.lifeline import die_with_parent, stop_on_signals
from memfleet.parts import part_names, run_part
from memfleet.service import Service
from memfleet.supervisor import Supervisor, own_command
from telemetry.clock import wall_ms
from telemetry.errors import UsageError
from telemetry.settings import load


def command(
    config: Annotated[Path | None, typer.Option(help="Configuration file; `memfleet init` writes one.")] = None,
    only: Annotated[
        str | None, typer.Option(help="Run one part alone: intake, series, judge, notify, page or store:NAME.")
    ] = None,
    shards: Annotated[str | None, typer.Option(help="Shards to own, as 00-7f; all when not given.")] = None,
    adopt_: Annotated[
        list[Path] | None, typer.Option("--adopt", help="Folder of a dead collector to run besides; may be repeated.")
    ] = None,
) -> None:
    """Receive, store, judge and show a fleet.

    [bold]Example:[/bold] memfleet collect --config /etc/memfleet/collector.toml
    """
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    owned = tuple(shard_range(shards)) if shards else None
    settings = load(CollectorConfig, config, os.environ, shards=owned)
    adopted = [adopt(settings, folder, place) for place, folder in enumerate(adopt_ or (), 1)]
    die_with_parent()
    if only:
        chosen = adopted[-1] if adopted else settings
        if not adopted:
            move_in(settings, Path(settings.data_dir))
        run_part(only, chosen, Path(chosen.data_dir), stop_on_signals())
        return
    move_in(settings, Path(settings.data_dir))
    words = ["collect", *(["--config", str(config)] if config else []), *(["--shards", shards] if shards else [])]
    commands = {name: own_command(*words, "--only", name) for name in part_names(settings)}
    for place, one in enumerate(adopted, 1):
        before = [word for folder in (adopt_ or ())[:place] for word in ("--adopt", str(folder))]
        commands |= {f"{one.name}/{part}": own_command(*words, *before, "--only", part) for part in part_names(one)}
    _supervise(commands, [settings, *adopted])


def _supervise(commands: Mapping[str, Sequence[str]], collectors: Sequence[CollectorConfig]) -> None:
    stop = stop_on_signals()
    supervisor = Supervisor(commands)
    service = Service(os.environ, lambda: all(gets_on(Path(one.data_dir)) for one in collectors), time.monotonic)
    try:
        while not stop.wait(0.2) and len(supervisor.failed) < len(commands):
            supervisor.watch()
            service.look()
    finally:
        service.stopping()
        supervisor.close()


def gets_on(directory: Path) -> bool:
    """Whether the files show that a collector does its work: ticks come, and the series are not behind. A store that is
    down does not count: no restart of ours would help it."""
    now_ms = wall_ms()
    return not unready(statuses(directory, (), now_ms), now_ms)


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
