"""Streams for the judge: readings of made-up devices, minute by minute, as intake journals them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from collector.judge.backtest import Shelf
from collector.judge.engine import Judge
from collector.judge.rules import load_rules, parse_rules
from collector.records import Arrival, Finding, encode_arrival, encode_tick
from telemetry.journal import Journal
from telemetry.readings import About
from telemetry.wire import Rows, encode_body, flag_bits

START_MS = 1_790_000_000_000
LEAK_RULE = """
[[rule]]
name = "heap-leak"
kind = "heap"
severity = "critical"
when = "leak_rate > 0"
keep_firing_for = "5m"
reason = "{leak_rate:rate} {leak_hours_left:hours}[, {leak_boots:number} boots]"
"""


def rows(device: str, kind: str, names: tuple[str, ...], time_ms: int, values: dict[str, Any], **more: Any) -> Rows:
    """One reading as a block."""
    flags = flag_bits(more.get("flags", ()))
    uptime = more.get("uptime_ms")
    return Rows(
        device, more.get("boot", 1), kind, names, flags, more.get("resolution", 1), time_ms, uptime,
        tuple(values), [[0, None if uptime is None else 0, *values.values()]],
    )  # fmt: skip


def as_one(readings: Sequence[Rows]) -> Rows:
    """Readings of one thing as the one block that agents send of them."""
    first = readings[0]
    uptimes = [None if first.u0 is None or one.u0 is None else one.u0 - first.u0 for one in readings]
    lines = [[one.t0 - first.t0, up, *one.rows[0][2:]] for one, up in zip(readings, uptimes, strict=True)]
    return msgspec.structs.replace(first, rows=lines)


class Bench:
    """A judge and a clock: each `second` is one tick."""

    def __init__(self, rules: str | None = None, silent_after_s: float = 300) -> None:
        chosen = load_rules(None) if rules is None else parse_rules(rules)
        self.judge = Judge(chosen, Shelf(), silent_after_s)
        self.now_ms = START_MS
        self.findings: list[Finding] = []

    def second(self, *blocks: About | Rows, agent: str = "agent", seconds: float = 1) -> list[Finding]:
        """Let that much time pass in one tick, with those blocks arriving just before it."""
        self.now_ms += int(seconds * 1000)
        arrivals = [Arrival(self.now_ms - 10, agent, list(blocks))] if blocks else []
        found = self.judge.batch(arrivals, self.now_ms)
        self.findings += found
        return found

    def wait(self, seconds: int) -> list[Finding]:
        """So many ticks without an arrival."""
        return [finding for _ in range(seconds) for finding in self.second()]

    def heap(self, free: int, size: int = 22_528, **more: Any) -> list[Finding]:
        """One second with one reading of the heap `main` of `board-1`."""
        return self.second(rows("board-1", "heap", ("main",), self.now_ms + 900, {"size": size, "free": free}, **more))


class SlowBoard(Bench):
    """A board of which a heap is read each five minutes, and two readings are heard at once."""

    def __init__(self) -> None:
        super().__init__()
        self.judge = Judge(load_rules(None), Shelf(), 600, step_ms=600_000)
        self.boot, self.uptime_ms = 1, 0

    def says(self, kind: str, name: str, values: dict[str, Any]) -> Rows:
        """One reading as of now."""
        return rows("board", kind, (name,), self.now_ms, values, boot=self.boot, uptime_ms=self.uptime_ms)

    def hear(self, heap: str, told: Sequence[dict[str, Any]]) -> None:
        """What that heap told each five minutes, a minute after the last of two."""
        for number in range(0, len(told), 2):
            said, self.now_ms = [], self.now_ms - 60_000
            for values in told[number : number + 2]:
                self.now_ms, self.uptime_ms = self.now_ms + 300_000, self.uptime_ms + 300_000
                said.append(self.says("heap", heap, values))
            self.second(as_one(said), seconds=60)

    def restart(self, reason: str, about: About | None = None) -> None:
        """It restarts, and says why."""
        self.boot, self.uptime_ms = self.boot + 1, 300
        self.second(*([about] if about else []), self.says("event", "boot", {"reason": reason}))
        self.wait(6)


def told(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    """Rule and status of each finding."""
    return [(finding.rule, finding.status) for finding in findings]


def write_journal(path: Path, seconds: Sequence[Sequence[tuple[str, Sequence[About | Rows]]]]) -> int:
    """A readings journal: for each second its arrivals as (agent, blocks), then the tick. How many frames it has."""
    journal = Journal(path)
    with journal.transaction():
        for number, arrivals in enumerate(seconds):
            now = START_MS + 1000 * number
            frames = [(encode_arrival(now - 5, agent, 0, encode_body(blocks)), 1) for agent, blocks in arrivals]
            journal.append([*frames, (encode_tick(now), 0)])
    count = journal.last_id()
    journal.close()
    return count
