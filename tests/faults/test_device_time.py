"""A gateway without a trusted clock: outbox, clock and admission together, over boots, outages and replays. All times
are the test's own."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.framing import Framer
from agent.hostclock import HostClock, host_boot_id
from agent.outbox import Outbox
from collector.intake.admission import Admission
from collector.intake.state import TABLES, IntakeState
from collector.records import Arrival, decode
from telemetry.journal import Journal
from telemetry.readings import Reading
from telemetry.topics import Topic
from telemetry.wire import EARLIER, MONOTONIC, Clock, Header, Rows, encode_body, seal

T0 = 1_795_000_000_000
HOUR_MS = 3_600_000
LINK_MS = 400


class World:
    """True time, one gateway, one collector. `free` of a reading is its true time, seconds after the beginning."""

    def __init__(self, folder: Path) -> None:
        self.now_ms = T0
        self.journal = Journal(folder / "readings.journal", tables=TABLES)
        self.state = IntakeState(self.journal.db)
        self.admission = Admission(self.state, "plant")
        self._outbox_path = folder / "outbox.journal"
        self._boots = 0
        self.boot()

    def boot(self, off_ms: int = 0) -> None:
        """The gateway loses power for so long; its monotonic clock begins at 0 again."""
        self.now_ms += off_ms
        self._boots += 1
        self._booted_ms = self.now_ms
        self.restart()

    def restart(self) -> None:
        """Our process alone begins again."""
        self._boot_id = f"boot-{self._boots}"
        self.outbox = Outbox(self._outbox_path, 10**9)
        self._clock = HostClock(self._boot_id, self.outbox.clocks())
        self._framer = Framer(Clock(self._boot_id, None))

    def sample(self, count: int, every_ms: int = 1_000) -> None:
        """Take samples and commit them."""
        for _ in range(count):
            self.now_ms += every_ms
            values = {"free": (self.now_ms - T0) // 1000}
            self._framer.add(Reading("d1", "heap", ("h",), self.now_ms - self._booted_ms, values, 1))
        body = self._framer.close()
        assert body
        self.outbox.add([body], (self._boot_id, self.now_ms - self._booted_ms))

    def deliver(self) -> None:
        """Everything waiting goes over the link; the collector acknowledges it."""
        for frame in self.outbox.after(self.outbox.base - 1, 10_000):
            flags, stamp = self._clock.stamp(frame.data, self.now_ms - self._booted_ms)
            sealed = seal(Header(self.outbox.epoch, frame.id, self.outbox.base, stamp, flags), frame.data)
            self.admission.take(str(Topic.of("plant", "rig", "frame")), sealed, self.now_ms + LINK_MS)
        self.outbox.acknowledged(self.outbox.last)

    def errors(self, *, guessed: bool) -> list[int]:
        """How much later than in truth each reading stands, ms."""
        entries = [decode(data) for data, _ in self.state.frames]
        rows = [b for e in entries if isinstance(e, Arrival) for b in e.blocks if isinstance(b, Rows)]
        readings = [reading for block in rows for reading in block.readings()]
        found = [reading for reading in readings if ("guess" in reading.flags) == guessed]
        return [reading.time_ms - (T0 + int(reading.values["free"]) * 1000) for reading in found]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.journal.close()


def test_times_are_right_to_the_delay_of_the_link(world: World) -> None:
    for _ in range(3):
        world.sample(100)
        world.deliver()
        world.boot(off_ms=30_000)
    errors = world.errors(guessed=False)
    assert len(errors) == 300
    assert statistics.median(errors) <= 1_000
    assert max(errors) <= LINK_MS + 1_000
    assert min(errors) >= 0
    assert world.errors(guessed=True) == []


def test_two_hours_offline_are_in_place_when_they_come(world: World) -> None:
    for _ in range(72):
        world.sample(100)
    world.deliver()
    errors = world.errors(guessed=False)
    assert len(errors) == 7_200
    assert set(errors) == {LINK_MS}


def test_what_earlier_boots_left_is_a_guess_no_later_than_now_and_in_order(world: World) -> None:
    world.sample(10)
    world.deliver()
    for _ in range(2):
        world.sample(600)
        world.boot(off_ms=60_000)
    world.sample(5)
    world.deliver()
    guesses = world.errors(guessed=True)
    assert len(guesses) == 1_200
    assert world.state.counts["quarantined_rows"] == 0
    assert max(guesses) <= LINK_MS + 120_000, "off by the time that it was off, which nobody knows"
    assert max(world.errors(guessed=False)) <= LINK_MS
    assert guesses[:600] == sorted(guesses[:600])


def test_a_restart_of_ours_is_no_boot_of_the_host(world: World) -> None:
    world.sample(5)
    world.deliver()
    world.sample(5)
    world.restart()
    world.now_ms += 7_000  # the broker kept it for a while
    world.sample(5)
    world.deliver()
    assert set(world.errors(guessed=False)) == {LINK_MS}
    assert world.errors(guessed=True) == []
    assert host_boot_id() == host_boot_id()


def test_readings_stamped_by_a_trusted_clock_before_are_left_as_they_are(world: World) -> None:
    body = encode_body([Rows("d1", 1, "heap", ("h",), 0, 1, T0, None, ("free",), [[0, None, 1]])])
    assert HostClock("boot-1", {}).stamp(body, 5) == (0, 5)


def test_frames_of_a_boot_get_the_clock_that_it_would_show() -> None:
    clock = HostClock("c", {"a": 100, "b": 20, "c": 3})
    bodies = {boot: encode_body([Clock(boot, None)]) for boot in "abcx"}
    assert clock.stamp(bodies["a"], 5) == (MONOTONIC | EARLIER, 125)
    assert clock.stamp(bodies["b"], 5) == (MONOTONIC | EARLIER, 25)
    assert clock.stamp(bodies["c"], 5) == (MONOTONIC, 5)
    assert clock.stamp(b"", 5) == (0, 5)


def test_an_uptime_past_49_days_keeps_counting(world: World) -> None:
    world.now_ms += 50 * 24 * HOUR_MS  # beyond 32 bits of milliseconds
    world.sample(10)
    world.deliver()
    assert set(world.errors(guessed=False)) == {LINK_MS}
