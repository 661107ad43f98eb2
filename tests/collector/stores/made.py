"""Journals made for the tests of stores: what intake and judge would have written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from collector.config import StoreConfig
from collector.judge import incident_state, state
from collector.records import Finding, encode_arrival, encode_finding, encode_tick
from collector.stores.process import open_store
from collector.stores.report import StoreReport, report
from collector.stores.runner import Clocks, StoreRunner
from telemetry.journal import Journal
from telemetry.readings import About
from telemetry.wire import Rows, encode_body

T0 = 1_795_000_000_000
ABOUT = About("esp-1", 1, {"platform": "esp32", "firmware": "1.4.2", "board": "devkit c"}, {})


def heap(
    rows: Sequence[Sequence[object]],
    *,
    device: str = "esp-1",
    name: str = "internal, 8bit",
    t0: int = T0,
    boot: int = 1,
) -> Rows:
    """A block of heap readings: rows of [dt, du, free, largest_free]."""
    fields = ("free", "largest_free")
    return Rows(device, boot, "heap", (name,), 0, 1, t0, 5_000, fields, [list(row) for row in rows])


def counting(number: int, *, start: int = 0, device: str = "esp-1") -> Rows:
    """That many heap readings, one a second; the n-th has free = n."""
    return heap([[n * 1000, n * 1000, n, n // 2] for n in range(start, start + number)], device=device)


class Journals:
    """The two journals that stores read, in a directory."""

    def __init__(self, directory: Path, quota_bytes: int = 2**40) -> None:
        self.readings = Journal(directory / "readings.journal", quota_bytes=quota_bytes)
        tables = state.TABLES + incident_state.TABLES
        self.findings = Journal(directory / "findings.journal", tables=tables, steps=state.STEPS)

    def arrive(self, *frames: Sequence[About | Rows]) -> None:
        """Frames that arrived, one list of blocks each."""
        entries = []
        for blocks in frames:
            rows = sum(len(block.rows) for block in blocks if isinstance(block, Rows))
            entries.append((encode_arrival(T0, "agent", 0, encode_body(blocks)), rows))
        with self.readings.transaction():
            self.readings.append(entries)

    def tick(self, time_ms: int = T0) -> None:
        """A second went by."""
        with self.readings.transaction():
            self.readings.append([(encode_tick(time_ms), 0)])

    def find(self, *findings: Finding) -> None:
        """The judge said this."""
        with self.findings.transaction():
            self.findings.append([(encode_finding(finding), 1) for finding in findings])


def finding(status: str = "firing", at_ms: int = T0, **changes: object) -> Finding:
    """A leak that the judge found."""
    values: dict[str, object] = {
        "key": "leak|esp-1|heap|internal",
        "episode": f"leak|esp-1|heap|internal@{T0}",
        "status": status,
        "rule": "leak",
        "severity": "critical",
        "device": "esp-1",
        "kind": "heap",
        "names": ("internal",),
        "since_ms": T0,
        "at_ms": at_ms,
        "reason": 'loses 1.5 KiB an hour, "internal" is empty in 12 h',
        "platform": "esp32",
        "firmware": "1.4.2",
        "numbers": {"slope": 1536.25, "hours_left": 12.0},
    }
    return Finding(**{**values, **changes})  # type: ignore[arg-type]


class Hand:
    """Clocks that a test moves."""

    def __init__(self) -> None:
        self.ms = 0

    def clocks(self) -> Clocks:
        """For the runner: no chance, and time stands still until `ms` is set."""
        return Clocks(lambda: T0 + self.ms, lambda: self.ms, lambda: 1.0)


class Running:
    """A store's runner over a directory, stepped by hand; what its file says of it."""

    def __init__(self, directory: Path, config: StoreConfig, hand: Hand | None = None) -> None:
        self.hand = hand or Hand()
        self.path = directory / f"store-{config.name}.db"
        self.store = open_store(config)
        self._runner = StoreRunner(config, "demo", directory, self.store, self.hand.clocks())

    def drain(self, steps: int = 1000) -> None:
        """Step until there is nothing to do just now."""
        for _ in range(steps):
            if not self._runner.step():
                return
        raise AssertionError(f"still busy after {steps} steps")

    def later(self, ms: int) -> None:
        """Let time pass, then drain."""
        self.hand.ms += ms
        self.drain()

    def report(self) -> StoreReport:
        """What its file says; the sum of rows is checked on the way."""
        found = report(self.path)
        assert found is not None
        counters = found.counters
        parts = [counters.get(name, 0) for name in ("stored_rows", "refused_rows", "evicted_rows")]
        assert counters.get("accepted_rows", 0) == sum(parts) + found.pending, found
        return found

    def close(self) -> None:
        """End it in order."""
        self._runner.close()
        self.store.close()
