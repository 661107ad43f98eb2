"""Agents whose wall clock is wrong: what they stamp is flagged, and how far they are off is known however far it is."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

import pytest

from collector.intake.admission import Admission
from collector.intake.state import TABLES, IntakeState
from collector.records import Arrival, decode
from telemetry.readings import Reading
from telemetry.topics import Topic
from telemetry.wire import Block, Clock, Header, Rows, encode_body, seal

NOW = 1_795_000_000_000
HOUR_MS = 3_600_000
YEARS_MS = NOW - 60_000
"""How far a clock is behind that began at 1970 a minute ago."""


@dataclass
class Gateway:
    """Speaks of itself and of a device each half minute, by a clock that is so far behind."""

    behind_ms: int = 0
    now_ms: int = NOW
    db: sqlite3.Connection = field(default_factory=lambda: sqlite3.connect(":memory:"))
    _seq: int = 0

    def __post_init__(self) -> None:
        self.db.executescript(TABLES + "CREATE TABLE counters(name TEXT PRIMARY KEY, value INTEGER);")
        self.begin()

    def begin(self) -> None:
        """The collector starts, with what stands on its disk."""
        self.state = IntakeState(self.db)
        self._admission = Admission(self.state, "plant")

    def send(self, *blocks: Block, received_ms: int | None = None) -> list[Reading]:
        """A frame; what is journaled of it."""
        self._seq += 1
        sealed = seal(Header(7, self._seq, 1, 0), encode_body(list(blocks)))
        self._admission.take(str(Topic.of("plant", "gw", "frame")), sealed, received_ms or self.now_ms)
        found = [decode(data) for data, _ in self.state.frames]
        self.state.write(self.db)
        self.state.committed()
        blocks_in = [block for entry in found if isinstance(entry, Arrival) for block in entry.blocks]
        return [reading for block in blocks_in if isinstance(block, Rows) for reading in block.readings()]

    def speak(self, waits_ms: int = 0, received_ms: int | None = None) -> list[Reading]:
        """Half a minute later, a frame with a word of its own and a reading of a device."""
        self.now_ms += 30_000
        time_ms = self.now_ms - self.behind_ms
        own = Rows("gw", 1, "agent", (), 0, 1, time_ms, 0, ("oldest_age_ms",), [[0, 0, waits_ms]])
        heap = Rows("d1", 1, "heap", ("system",), 0, 1, time_ms, 0, ("free",), [[0, 0, 500]])
        return self.send(own, heap, received_ms=received_ms)


def offs(readings: list[Reading]) -> list[object]:
    """By how much intake says that the clock is behind, ms."""
    return [reading.values.get("clock_behind_ms") for reading in readings if reading.kind == "agent"]


@pytest.mark.parametrize("behind_ms", [2 * HOUR_MS, 90_000, -90_000])
def test_what_a_wrong_clock_stamps_is_flagged_until_it_is_right(behind_ms: int) -> None:
    gateway = Gateway(behind_ms)
    assert {reading.flags for reading in gateway.speak()} == {()}, "it may have lain at the broker"
    told = gateway.speak()
    assert [(one.kind, one.flags, one.time_ms) for one in told] == [
        ("agent", ("guess",), gateway.now_ms - behind_ms),
        ("heap", ("guess",), gateway.now_ms - behind_ms),
    ]
    assert offs(told) == [behind_ms]
    gateway.begin()
    assert {one.flags for one in gateway.send(Rows("d1", 1, "heap", ("x",), 0, 1, NOW, 0, ("free",), [[0, 0, 5]]))} == {
        ("guess",)
    }, "known after a restart"
    gateway.behind_ms = 100
    told = gateway.speak()
    assert {reading.flags for reading in told} == {()}
    assert offs(told) == [0], "it is said once that it is right: who keeps what was said last would go on with the old"
    gateway.begin()
    told = gateway.speak()
    assert {reading.flags for reading in told} == {()}
    assert offs(told) == [None]


@pytest.mark.parametrize("behind_ms", [-10 * 60_000, -HOUR_MS, YEARS_MS])
def test_how_far_off_a_clock_is_that_nobody_can_believe_is_known(behind_ms: int) -> None:
    gateway = Gateway(behind_ms)
    gateway.speak()
    told = gateway.speak()
    assert [(one.kind, one.time_ms, one.flags) for one in told] == [("agent", gateway.now_ms, ("guess",))]
    assert offs(told) == [behind_ms]
    assert gateway.db.execute("SELECT reason, count(*) FROM quarantine GROUP BY 1").fetchall() == [("time", 3)]


def test_words_that_lay_at_the_broker_or_in_the_outbox_are_of_no_wrong_clock() -> None:
    gateway = Gateway()
    back_ms = NOW + HOUR_MS
    for _ in range(20):
        assert offs(gateway.speak(received_ms=back_ms)) == [None]
    for waits_ms in (HOUR_MS, HOUR_MS, 20_000):
        assert offs(gateway.speak(waits_ms, received_ms=gateway.now_ms + HOUR_MS)) == [None]
    assert {reading.flags for reading in gateway.speak()} == {()}


def test_a_monotonic_clock_is_none_of_these() -> None:
    gateway = Gateway()
    own = Rows("gw", 1, "agent", (), 0, 1, 5_000, 0, ("oldest_age_ms",), [[0, 0, 0]])
    for seq in (1, 2, 3):
        sealed = seal(Header(7, seq, 1, 5_000, 1), encode_body([Clock("boot", None), own]))
        gateway._admission.take(str(Topic.of("plant", "gw", "frame")), sealed, NOW)
    assert not gateway.state.wall_clocks.is_wrong("gw")
