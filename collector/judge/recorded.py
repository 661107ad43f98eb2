"""Recorded readings, lines of JSON in any order, as what the judge takes in: arrivals between ticks of event time.

Lines are sorted in runs that fit in memory; runs beyond the first wait in temporary files and are merged. So files of
any size and any mix of devices can be judged.
"""

from __future__ import annotations

import gzip
import heapq
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import IO, cast

from collector.judge.batches import Batch
from collector.records import Arrival
from telemetry.errors import EnvironmentFault, UsageError
from telemetry.ndjson import decode
from telemetry.readings import About, Reading
from telemetry.wire import Rows, flag_bits

AGENT = "recorded"
_RUN_LINES = 500_000
_STEPS_MS = (1_000, 5_000, 10_000, 30_000, 60_000)
_MOST_TICKS = 10_000
_MOST_REFUSED = 20

Entry = tuple[int, bytes]
"""A line with its time, wall ms."""


def tick_step_ms(span_ms: int) -> int:
    """How far apart ticks should stand: a second for hours, up to a minute for weeks."""
    return next((step for step in _STEPS_MS if span_ms // step <= _MOST_TICKS), _STEPS_MS[-1])


@dataclass(slots=True)
class Recording:
    """Sorted lines. `refused` are the first lines that could not be read, as sentences; `refusals` how many."""

    start_ms: int = 0
    end_ms: int = 0
    lines: int = 0
    refusals: int = 0
    refused: list[str] = field(default_factory=list)
    _runs: list[IO[bytes]] = field(default_factory=list)
    _last_run: list[Entry] = field(default_factory=list)

    def entries(self) -> Iterator[Entry]:
        """All lines in order of time; lines of the same time in the order of the file."""
        return heapq.merge(*(_read_run(run) for run in self._runs), self._last_run, key=itemgetter(0))

    def readings(self) -> Iterator[tuple[About, Reading]]:
        """All readings in order of time; what cannot be read is noted and left out."""
        boots = _Boots()
        for _, line in self.entries():
            try:
                about, reading = decode(line)
            except UsageError as error:
                self._refuse(str(error))
                continue
            yield boots.settle(about, reading)

    def _refuse(self, why: str) -> None:
        self.refusals += 1
        if len(self.refused) < _MOST_REFUSED:
            self.refused.append(why)

    def _add_run(self, run: list[Entry], files: ExitStack) -> None:
        file = files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - lives as long as `files`
        file.writelines(b"%d %s\n" % entry for entry in run)
        self._runs.append(file)


def record(lines: Iterable[bytes], files: ExitStack, time_of: Callable[[bytes], float]) -> Recording:
    """Sort lines by time. Temporary files live as long as `files`."""
    found = Recording()
    run: list[Entry] = []
    for number, line in enumerate(lines, start=1):
        line = line.strip()
        if not line:
            continue
        try:
            run.append((round(time_of(line) * 1000), line))
        except UsageError as error:
            found._refuse(f"line {number}: {error}")
            continue
        if len(run) == _RUN_LINES:
            run.sort(key=itemgetter(0))
            _note_span(found, run)
            found._add_run(run, files)
            run = []
    run.sort(key=itemgetter(0))
    _note_span(found, run)
    found._last_run = run
    return found


def open_lines(path: Path, files: ExitStack) -> IO[bytes]:
    """The lines of a file, unpacked when its name ends in .gz; EnvironmentFault when it cannot be read."""
    try:
        packed = files.enter_context(path.open("rb"))
    except OSError as error:
        raise EnvironmentFault(f"{path}: {error.strerror}", retry=False) from None
    return cast(IO[bytes], gzip.GzipFile(fileobj=packed)) if path.suffix == ".gz" else packed


def batches(readings: Iterable[tuple[About, Reading]], start_ms: int, step_ms: int) -> Iterator[Batch]:
    """Arrivals cut at ticks every `step_ms`, ticks without an arrival too."""
    tick_ms = start_ms - start_ms % step_ms + step_ms
    waiting: list[tuple[About, Reading]] = []
    for item in readings:
        while item[1].time_ms >= tick_ms:
            yield Batch(_arrivals(waiting), tick_ms)
            waiting = []
            tick_ms += step_ms
        waiting.append(item)
    yield Batch(_arrivals(waiting), tick_ms)


class _Boots:
    """Tells boots apart where lines do not: a new one begins when the uptime goes back."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, int]] = {}

    def settle(self, about: About, reading: Reading) -> tuple[About, Reading]:
        if reading.boot >= 0:
            return about, reading
        boot, uptime_ms = self._seen.get(reading.device, (1, 0))
        if reading.uptime_ms is not None:
            boot += reading.uptime_ms < uptime_ms - _UPTIME_SLACK_MS
            self._seen[reading.device] = (boot, reading.uptime_ms)
        return About(about.device, boot, about.texts, about.limits), _with_boot(reading, boot)


_UPTIME_SLACK_MS = 2_000


def _with_boot(reading: Reading, boot: int) -> Reading:
    r = reading
    return Reading(r.device, r.kind, r.names, r.time_ms, r.values, boot, r.uptime_ms, r.flags, r.resolution)


def _arrivals(items: Sequence[tuple[About, Reading]]) -> list[Arrival]:
    """One arrival with all of them: a description where a device's changed, readings of one sort as one block."""
    if not items:
        return []
    blocks: list[About | Rows] = []
    abouts: dict[str, About] = {}
    open_blocks: dict[object, Rows] = {}
    for about, reading in items:
        if abouts.get(about.device) != about:
            abouts[about.device] = about
            blocks.append(about)
        fields = tuple(reading.values)
        sort = (reading.device, reading.boot, reading.kind, reading.names, reading.flags, reading.resolution, fields)
        block = open_blocks.get(sort)
        if block is None:
            block = open_blocks[sort] = _block(reading, fields)
            blocks.append(block)
        uptime_ms = reading.uptime_ms
        block.rows.append([reading.time_ms - block.t0, uptime_ms, *reading.values.values()])
    return [Arrival(items[-1][1].time_ms, AGENT, blocks)]


def _block(reading: Reading, fields: tuple[str, ...]) -> Rows:
    return Rows(
        reading.device, reading.boot, reading.kind, reading.names, flag_bits(reading.flags), reading.resolution,
        reading.time_ms, 0, fields, [],
    )  # fmt: skip


def _note_span(found: Recording, run: Sequence[Entry]) -> None:
    if run:
        found.start_ms = min(found.start_ms, run[0][0]) if found.lines else run[0][0]
        found.end_ms = max(found.end_ms, run[-1][0])
        found.lines += len(run)


def _read_run(file: IO[bytes]) -> Iterator[Entry]:
    file.seek(0)
    for line in file:
        time_ms, rest = line.split(b" ", 1)
        yield int(time_ms), rest
