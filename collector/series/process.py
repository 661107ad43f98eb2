"""The series process: three journals in, `series.db` out, each frame exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from collector.config import CollectorConfig, Retention
from collector.consumer import Consumer, Stop, run_steps
from collector.records import UNDECODABLE, Arrival, Hole, Incident, Tick, decode, decode_desk, decode_finding
from collector.series.alerts import take_desk, take_finding
from collector.series.holes import Holes
from collector.series.incidents import take_incident
from collector.series.keeper import DAY_MS, Keep, Keeper
from collector.series.reader import SILENT_AFTER_MS
from collector.series.schema import open_writer
from collector.series.writer import SeriesWriter
from telemetry.clock import wall_ms
from telemetry.files import add_counts
from telemetry.journal import Frame

FRAMES_A_BATCH = 1000
JOURNALS = ("readings", "findings", "desk")
_NEVER = 2**63

T = TypeVar("T")


class SeriesProcess:
    """One step: what the journals hold that is new, in one transaction; then a part of the housekeeping, if due."""

    def __init__(
        self,
        directory: Path,
        keep: Keep,
        now_ms: Callable[[], int] = wall_ms,
        silent_after_ms: int = SILENT_AFTER_MS,
    ) -> None:
        self._db = open_writer(directory / "series.db")
        self._consumer = Consumer(self._db, {name: directory / f"{name}.journal" for name in JOURNALS})
        self._writer = SeriesWriter(self._db)
        self._holes = Holes(self._db, silent_after_ms, self._writer.book.about)
        self._keeper = Keeper(self._db, keep)
        self._now_ms = now_ms
        self._restarts = 0
        self._tick_ms = _NEVER

    def step(self) -> bool:
        """Whether there was anything to do."""
        frames = {name: self._consumer.poll(name, FRAMES_A_BATCH) for name in JOURNALS}
        if any(frames.values()):
            with self._consumer.transaction():
                self._take(frames)
        now = self._now_ms()
        if self._keeper.due(now):
            with self._consumer.transaction():
                self._keeper.step(now)
            return True
        return any(frames.values())

    def _take(self, frames: Mapping[str, Sequence[Frame]]) -> None:
        counts: Counter[str] = Counter(series_journal_restarts=self._consumer.restarts - self._restarts)
        self._restarts = self._consumer.restarts
        for found in _decoded(frames["findings"], decode_finding, counts):
            if isinstance(found, Incident):
                take_incident(self._db, found)
                counts["series_incidents"] += 1
            else:
                take_finding(self._db, found)
                counts["series_findings"] += 1
        for entry in _decoded(frames["desk"], decode_desk, counts):
            take_desk(self._db, entry)
            counts["series_desk_entries"] += 1
        set_back = False
        for record in _decoded(frames["readings"], decode, counts):
            if isinstance(record, Tick):
                set_back |= record.time_ms < self._tick_ms
                self._tick_ms = record.time_ms
            elif isinstance(record, Arrival):
                self._writer.take(record)
                self._holes.take(record)
            elif isinstance(record, Hole):
                self._holes.lost(record)
        self._writer.finish()
        if set_back:  # our clock had been ahead: nobody was heard in the future
            self._db.execute("UPDATE devices SET last_seen = :now WHERE last_seen > :now", {"now": self._tick_ms})
        counts += self._holes.save()
        add_counts(self._db, counts)

    def close(self) -> None:
        """Close every file."""
        self._consumer.close()


def _decoded(frames: Iterable[Frame], decoder: Callable[[bytes], T], counts: Counter[str]) -> Iterator[T]:
    for frame in frames:
        try:
            yield decoder(frame.data)
        except UNDECODABLE:
            counts["series_undecodable_frames"] += 1


def keep_of(retention: Retention) -> Keep:
    """What the configuration says, in the keeper's units."""
    return Keep(retention.raw_days * DAY_MS, retention.rollup_days * DAY_MS, retention.series_max_mb * 2**20)


def run(config: CollectorConfig, directory: Path, stop: Stop) -> None:
    """Serve until stopped."""
    process = SeriesProcess(directory, keep_of(config.retention), silent_after_ms=config.silent_after_s * 1000)
    try:
        run_steps(process.step, stop)
    finally:
        process.close()
