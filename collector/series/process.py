"""The series process: three journals in, `series.db` out, each frame exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from collector.config import CollectorConfig, Retention
from collector.consumer import Consumer, Stop, run_steps
from collector.records import Tick, decode, decode_desk, decode_finding
from collector.series.alerts import take_desk, take_finding
from collector.series.keeper import DAY_MS, Keep, Keeper
from collector.series.schema import open_writer
from collector.series.writer import SeriesWriter
from telemetry.clock import wall_ms
from telemetry.journal import add_counts

FRAMES_A_BATCH = 1000
JOURNALS = ("readings", "findings", "desk")


class SeriesProcess:
    """One step: what the journals hold that is new, in one transaction; then a part of the housekeeping, if due."""

    def __init__(self, directory: Path, keep: Keep, now_ms: Callable[[], int] = wall_ms) -> None:
        self._db = open_writer(directory / "series.db")
        self._consumer = Consumer(self._db, {name: directory / f"{name}.journal" for name in JOURNALS})
        self._writer = SeriesWriter(self._db)
        self._keeper = Keeper(self._db, keep)
        self._now_ms = now_ms

    def step(self) -> bool:
        """Whether there was anything to do."""
        frames = {name: self._consumer.poll(name, FRAMES_A_BATCH) for name in JOURNALS}
        if any(frames.values()):
            with self._consumer.transaction():
                self._take_alerts([f.data for f in frames["findings"]], [f.data for f in frames["desk"]])
                for frame in frames["readings"]:
                    record = decode(frame.data)
                    if not isinstance(record, Tick):
                        self._writer.take(record)
                self._writer.finish()
        now = self._now_ms()
        if self._keeper.due(now):
            with self._consumer.transaction():
                self._keeper.step(now)
            return True
        return any(frames.values())

    def _take_alerts(self, findings: list[bytes], desk: list[bytes]) -> None:
        counts: Counter[str] = Counter(series_findings=len(findings), series_desk_entries=len(desk))
        for data in findings:
            take_finding(self._db, decode_finding(data))
        for data in desk:
            take_desk(self._db, decode_desk(data))
        add_counts(self._db, counts)

    def close(self) -> None:
        """Close every file."""
        self._consumer.close()


def keep_of(retention: Retention) -> Keep:
    """What the configuration says, in the keeper's units."""
    return Keep(retention.raw_days * DAY_MS, retention.rollup_days * DAY_MS, retention.series_max_mb * 2**20)


def run(config: CollectorConfig, directory: Path, stop: Stop) -> None:
    """Serve until stopped."""
    process = SeriesProcess(directory, keep_of(config.retention))
    try:
        run_steps(process.step, stop)
    finally:
        process.close()
