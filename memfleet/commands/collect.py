"""`memfleet collect`: the collector."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from collector.config import CollectorConfig
from collector.web.status import NEEDED, statuses, unready
from memfleet.adoption import move_in, still_ours, taken_over
from memfleet.alone import Alone
from memfleet.lifeline import die_with_parent, read_anew_on_hangup, stop_on_signals
from memfleet.part import Asked, part_names, run_alone
from memfleet.renewal import PARTS, require_usable
from memfleet.service import Service
from memfleet.supervisor import Supervisor
from telemetry.clock import wall_ms
from telemetry.errors import MemfleetError, UsageError

_LOG = logging.getLogger("memfleet")

BEGINS_S = 30.0
"""A part that cannot run as it is configured has said so by then."""


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

    It does not begin where intake, series or judge cannot run as they are configured: with wrong rules or
    without the certificate of its login, say. SIGHUP makes it read rules and channels (judging, notify) anew;
    where they cannot be used it says so and keeps those that it has.

    [bold]Example:[/bold] memfleet collect --config /etc/memfleet/collector.toml
    """
    asked = Asked(config, shards, tuple(adopt_ or ()))
    if only:
        run_alone(asked, only)
        return
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    settings, *adopted = asked.collectors()
    die_with_parent()
    still_ours(settings, Path(settings.data_dir))
    held: list[Alone] = []
    with contextlib.ExitStack() as folders:
        for one in (settings, *adopted):
            advice = "end that one, or give this one a data_dir and a name of its own"
            held.append(folders.enter_context(Alone(Path(one.data_dir), "memfleet collect", advice)))
        move_in(settings, Path(settings.data_dir))
        for one in adopted:
            folders.enter_context(taken_over(Path(one.data_dir), settings.name))
        _run(asked, settings, adopted, held)


def _run(asked: Asked, settings: CollectorConfig, adopted: Sequence[CollectorConfig], held: Sequence[Alone]) -> None:
    """All parts of our own collector and of those that it adopts, until a signal ends them."""
    commands = {name: asked._replace(adopted=()).command(name) for name in part_names(settings)}
    for place, one in enumerate(adopted, 1):
        so_far = asked._replace(adopted=asked.adopted[:place])
        commands |= {f"{one.name}/{part}": so_far.command(part) for part in part_names(one)}
    _supervise(commands, [settings, *adopted], asked, held)


def _supervise(
    commands: Mapping[str, Sequence[str]], collectors: Sequence[CollectorConfig], asked: Asked, held: Sequence[Alone]
) -> None:
    stop, anew = stop_on_signals(), read_anew_on_hangup()
    supervisor = Supervisor(commands)
    service = Service(os.environ, lambda: all(gets_on(Path(one.data_dir)) for one in collectors), time.monotonic)
    try:
        begun = time.monotonic()
        while not stop.wait(0.2) and len(supervisor.failed) < len(commands):
            supervisor.watch()
            if time.monotonic() - begun < BEGINS_S:
                _require(supervisor.failed)
            service.look()
            for folder in held:
                folder.look()
            if anew.is_set():
                anew.clear()
                _read_anew(supervisor, commands, collectors, asked)
    finally:
        service.stopping()
        supervisor.close()


def _read_anew(
    supervisor: Supervisor, commands: Mapping[str, Sequence[str]], running: Sequence[CollectorConfig], asked: Asked
) -> None:
    """Judge and notifier begin again with the rules and channels of now; with the old ones they go on where those
    cannot be used."""
    try:
        require_usable(running, asked.collectors())
    except MemfleetError as error:
        _LOG.error("rules and channels stay as they were: %s", error)
        return
    _LOG.info("rules and channels are read anew")
    for name in commands:
        if name.rpartition("/")[2] in PARTS:
            supervisor.renew(name)


def _require(failed: Sequence[str]) -> None:
    """Later on, one that cannot run is named by `/readyz`, and the others go on: no reading is lost for a slip in the
    rules."""
    if needed := [name for name in failed if name.rpartition("/")[2] in NEEDED]:
        raise UsageError(
            f"{needed[0]} cannot run as it is configured, see above: the collector does not begin without it"
        )


def gets_on(directory: Path) -> bool:
    """Whether the files show that a collector does its work: ticks come, and the series are not behind. A store that is
    down does not count, nor another program of our name at the broker: no restart of ours would help it."""
    now_ms = wall_ms()
    return not unready([replace(one, broker="") for one in statuses(directory, (), now_ms)], now_ms)
