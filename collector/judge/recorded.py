"""Recorded readings, lines of JSON in any order, as what the judge takes in: arrivals between ticks of event time.

Lines are sorted in runs that fit in memory; runs beyond the first wait in temporary files and are merged. So files of
any size and any mix of devices can be judged.
"""

from __future__ import annotations

import gzip
import heapq
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from io import BufferedReader
from itertools import dropwhile, groupby, islice
from operator import itemgetter
from pathlib import Path
from statistics import median
from typing import IO, cast

from collector.judge.batches import Batch
from collector.judge.recorded_lives import LONGEST_SILENCE_MS, Boots, Descriptions, Paces
from collector.records import Arrival
from telemetry.clock import SET_FROM_MS
from telemetry.errors import UsageError
from telemetry.ndjson import decode
from telemetry.readings import KINDS, MEMORY_KINDS, About, Reading, fault_of
from telemetry.wire import Rows, flag_bits

AGENT = "recorded"
STDIN = Path("-")
"""Instead of a file: what another program writes."""

_RUN_LINES = 200_000
_STEPS_MS = (1_000, 5_000, 10_000, 30_000, 60_000)
_WIDE_STEPS_MS = (300_000, 120_000)
_MOST_TICKS = 10_000
_MOST_REFUSED = 20
_LOOKED_AT = 20_000
_ARRIVALS_MS = 60_000
_GZIP = b"\x1f\x8b"
_WIDE_CHARACTERS = (b"\xff\xfe", b"\xfe\xff")
_MARK = b"\xef\xbb\xbf"

Entry = tuple[int, int, bytes]
"""A line with its time, wall ms, and its number in the file."""


def tick_step_ms(span_ms: int, sampling_ms: int = 0) -> int:
    """How far apart ticks should stand: a second for hours, a minute for weeks, up to five where samples do so; and no
    closer than a fifth of what samples do."""
    for step in _STEPS_MS:
        if span_ms // step <= _MOST_TICKS and 5 * step >= min(sampling_ms, 5 * _STEPS_MS[-1]):
            return step
    return next((step for step in _WIDE_STEPS_MS if step <= 1.1 * sampling_ms), _STEPS_MS[-1])


@dataclass(slots=True)
class Recording:
    """Sorted lines: `lines` of those `numbered` in the file that hold anything. `refused` are the first that could not
    be read, as sentences; `refusals` how many."""

    start_ms: int = 0
    end_ms: int = 0
    lines: int = 0
    numbered: int = 0
    refusals: int = 0
    refused: list[str] = field(default_factory=list)
    _runs: list[IO[bytes]] = field(default_factory=list)
    _last_run: list[Entry] = field(default_factory=list)

    def entries(self) -> Iterator[Entry]:
        """All lines in order of time; lines of the same time in the order of the file."""
        return dropwhile(lambda entry: entry[0] < self.start_ms, self._sorted())

    def sampling_ms(self) -> int:
        """How far apart the readings of a thing usually stand, by the first of them; 0 where nothing comes twice."""
        newest: dict[object, int] = {}
        gaps: list[int] = []
        for time_ms, _, line in islice(self.entries(), _LOOKED_AT):
            try:
                _, reading = decode(line)
            except UsageError:
                continue  # it is told of later
            thing = (reading.device, reading.kind, reading.names)
            if newest.get(thing, time_ms) < time_ms:
                gaps.append(time_ms - newest[thing])
            newest[thing] = time_ms
        return int(median(gaps)) if gaps else 0

    def readings(self, *, paced: bool = False) -> Iterator[tuple[About, Reading]]:
        """All readings in order of time; what cannot be read, or no source can have printed, is noted and left out.
        Where `paced`, each device may be silent for some of its own periods, or for longer by its own account."""
        descriptions, boots, paces = Descriptions(), Boots(), Paces()
        for _, number, line in self.entries():
            try:
                about, reading = decode(line)
                _check(reading)
            except UsageError as error:
                self._refuse(f"line {number}: {error}")
                continue
            about = descriptions.settle(about)
            if paced:
                about = paces.settle(about, reading)
            yield from boots.settle(about, reading)
        yield from boots.rest()

    def _refuse(self, why: str) -> None:
        self.refusals += 1
        if len(self.refused) < _MOST_REFUSED:
            self.refused.append(why)

    def leave_out_unset(self) -> None:
        """Note and leave out what clocks said before they were set, unless all of the recording is of such times: in
        1970 boots of years lie one upon the other."""
        if not self.start_ms < SET_FROM_MS <= self.end_ms:
            return
        for time_ms, number, _ in self._sorted():
            if time_ms >= SET_FROM_MS:
                self.start_ms = time_ms
                return
            self.lines -= 1
            said = f"time_s: {time_ms / 1000:g} is before 2000, and others are not"
            self._refuse(f"line {number}: {said}: the clock was not set yet")

    def _sorted(self) -> Iterator[Entry]:
        return heapq.merge(*(_read_run(run) for run in self._runs), self._last_run, key=itemgetter(0, 1))

    def _add_run(self, run: list[Entry], files: ExitStack) -> None:
        file = files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - lives as long as `files`
        file.writelines(b"%d %d %s\n" % entry for entry in run)
        self._runs.append(file)


def record(lines: Iterable[bytes], files: ExitStack, time_of: Callable[[bytes], float]) -> Recording:
    """Sort lines by time. Temporary files live as long as `files`."""
    found = Recording()
    run: list[Entry] = []
    for number, line in enumerate(lines, start=1):
        line = line.strip()
        if not line:
            continue
        found.numbered += 1
        try:
            run.append((round(time_of(line) * 1000), number, line))
        except UsageError as error:
            found._refuse(f"line {number}: {error}")
            continue
        if len(run) == _RUN_LINES:
            run.sort(key=itemgetter(0, 1))
            _note_span(found, run)
            found._add_run(run, files)
            run = []
    run.sort(key=itemgetter(0, 1))
    _note_span(found, run)
    found._last_run = run
    found.leave_out_unset()
    return found


def open_lines(path: Path, files: ExitStack) -> Iterator[bytes]:
    """The lines of a file, or of standard input, unpacked when it begins as gzip does, without the mark of UTF-8;
    UsageError when it is UTF-16 or cannot be read, or not to its end."""
    try:
        plain = cast(BufferedReader, sys.stdin.buffer) if path == STDIN else files.enter_context(path.open("rb"))
        begins = plain.peek(3)
        if begins.startswith(_WIDE_CHARACTERS):
            raise UsageError(f"{path} is UTF-16; write it as UTF-8")
        if begins.startswith(_MARK):
            plain.read(len(_MARK))
        yield from cast(IO[bytes], gzip.GzipFile(fileobj=plain)) if begins.startswith(_GZIP) else plain
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (EOFError, zlib.error):
        raise UsageError(f"{path} is damaged or cut short: it cannot be unpacked to its end") from None


def batches(readings: Iterable[tuple[About, Reading]], start_ms: int, step_ms: int) -> Iterator[Batch]:
    """Arrivals cut at ticks every `step_ms`, ticks without an arrival too; but where nothing at all was recorded for
    hours, time goes on at once: whoever recorded was away."""
    tick_ms = start_ms - start_ms % step_ms + step_ms
    waiting: list[tuple[About, Reading]] = []
    for item in readings:
        away_ms = tick_ms + LONGEST_SILENCE_MS
        while item[1].time_ms >= tick_ms:
            yield Batch(_arrivals(waiting), tick_ms)
            waiting = []
            tick_ms += step_ms
            if tick_ms > away_ms:
                tick_ms = max(tick_ms, item[1].time_ms - item[1].time_ms % step_ms + step_ms)
        waiting.append(item)
    yield Batch(_arrivals(waiting), tick_ms)


def _check(reading: Reading) -> None:
    """UsageError when nothing of it can be judged, or when intake would refuse it."""
    kind = KINDS[reading.kind]
    if not reading.values and kind.name in MEMORY_KINDS:
        raise UsageError(f"has none of the fields of {kind.name}: {', '.join(kind.numbers)}")
    fault = fault_of(reading.kind, reading.values, reading.flags, reading.resolution)
    if fault is not None:
        raise UsageError(f"no source can have printed that: {fault} (docs/readings.md, sanity)")


def _arrivals(items: Sequence[tuple[About, Reading]]) -> list[Arrival]:
    """What came between two ticks, as if it had been sent within a minute."""
    if not items or items[-1][1].time_ms - items[0][1].time_ms < _ARRIVALS_MS:
        return [_arrival(items)] if items else []
    minutes = groupby(items, key=lambda item: item[1].time_ms // _ARRIVALS_MS)
    return [_arrival(list(part)) for _, part in minutes]


def _arrival(items: Sequence[tuple[About, Reading]]) -> Arrival:
    """All of them: a description where a device's changed, readings of one sort as one block."""
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
    return Arrival(items[-1][1].time_ms, AGENT, blocks)


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
        time_ms, number, rest = line.split(b" ", 2)
        yield int(time_ms), int(number), rest.rstrip(b"\n")
