"""A series process over journals made by hand."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from collector.config import Retention
from collector.records import Desk, Finding, encode_arrival, encode_desk, encode_finding, encode_tick
from collector.series.keeper import DAY_MS, Keep
from collector.series.process import SeriesProcess
from collector.series.reader import open_reader
from telemetry.journal import Journal
from telemetry.readings import About
from telemetry.wire import Rows, encode_body

T0 = 1_795_000_000_000
KEEP = Keep(14 * DAY_MS, 365 * DAY_MS, 2**40)
FOR_EVER = Retention(raw_days=36_500)
"""For a process with a clock of its own: readings are of `T0`, whatever the day on which the test runs."""


def rows(
    kind: str,
    names: Sequence[str],
    fields: Sequence[str],
    *values: Sequence[object],
    device: str = "dev-1",
    boot: int = 1,
    flags: int = 0,
    t0: int = T0,
) -> Rows:
    """A block of readings: each of `values` is [dt, du, value, ...]."""
    return Rows(device, boot, kind, tuple(names), flags, 1, t0, 1000, tuple(fields), [list(row) for row in values])


class Bench:
    """The three journals of a collector, the process that reads them, and a reader of what it makes."""

    def __init__(self, directory: Path, keep: Keep = KEEP) -> None:
        self.directory = directory
        self.now_ms = self._tick_ms = T0
        self.readings, self.findings, self.desk = (
            Journal(directory / f"{name}.journal") for name in ("readings", "findings", "desk")
        )
        self.keep = keep
        self.process = SeriesProcess(directory, keep, lambda: self.now_ms)
        self.db: sqlite3.Connection = open_reader(directory / "series.db")

    def arrive(self, *blocks: About | Rows, received_ms: int = T0, agent: str = "gateway") -> None:
        """One frame arrives and is worked through."""
        count = sum(len(block.rows) for block in blocks if isinstance(block, Rows))
        with self.readings.transaction():
            self.readings.append([(encode_arrival(received_ms, agent, 0, encode_body(blocks)), count)])
            self._tick_ms = max(self._tick_ms, received_ms)  # what is retried counts as received when it was
            self.readings.append([(encode_tick(self._tick_ms), 0)])
        self.drain()

    def find(self, *findings: Finding) -> None:
        """The judge says this."""
        with self.findings.transaction():
            self.findings.append([(encode_finding(finding), 1) for finding in findings])
        self.drain()

    def ask(self, *entries: Desk) -> None:
        """Somebody asks for this at the desk."""
        with self.desk.transaction():
            self.desk.append([(encode_desk(entry), 1) for entry in entries])
        self.drain()

    def drain(self) -> None:
        """Step until there is nothing to do."""
        for _ in range(10_000):
            if not self.process.step():
                return
        raise AssertionError("the series process never comes to rest")

    def restart(self) -> None:
        """End the process without closing in order, and begin another."""
        self.process = SeriesProcess(self.directory, self.keep, lambda: self.now_ms)
        self.drain()


def finding(status: str = "firing", **changes: object) -> Finding:
    """What the judge says of a device's heap."""
    values: dict[str, object] = {
        "key": "low_free|dev-1|heap|kernel",
        "episode": f"low_free|dev-1|heap|kernel@{T0}",
        "status": status,
        "rule": "low_free",
        "severity": "warning",
        "device": "dev-1",
        "kind": "heap",
        "names": ("kernel",),
        "since_ms": T0,
        "at_ms": T0,
        "reason": "4 KiB of 64 KiB are free",
        "platform": "zephyr",
        "firmware": "1.0",
        "numbers": {"free": 4096.0},
    }
    return Finding(**{**values, **changes})  # type: ignore[arg-type]
