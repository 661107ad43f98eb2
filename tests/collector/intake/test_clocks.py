"""Where clocks of senders stand: kept, moved at once when a frame comes before it was sent, and else after a while."""

from __future__ import annotations

import sqlite3

import pytest

from collector.intake.clocks import OFF_MS, SURELY_MS, Clocks
from collector.intake.state import TABLES, IntakeState
from telemetry.wire import EARLIER, MONOTONIC, Clock, Header

BOOTED = 1_795_000_000_000
CLOCK = Clock("boot-1", None)


class Gateway:
    """Sends a frame now and then; its clock may be off, its frames late."""

    def __init__(self) -> None:
        db = sqlite3.connect(":memory:")
        db.executescript(TABLES)
        self.state = IntakeState(db)
        self.clocks = Clocks(self.state)

    def place(
        self, at_ms: int, *, slow_ms: int = 0, late_ms: int = 0, flags: int = MONOTONIC, clock: Clock = CLOCK
    ) -> int:
        """Where its boot is taken to have been, relative to when it was."""
        header = Header(7, 1, 1, at_ms - slow_ms, flags)
        return self.clocks.anchor_ms("gw", clock, header, BOOTED + at_ms + late_ms) - BOOTED

    @property
    def corrected(self) -> int:
        return self.state.counts["clocks_corrected"]


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


def test_the_first_frame_tells_and_late_ones_move_nothing(gateway: Gateway) -> None:
    assert gateway.place(1_000, late_ms=200) == 200
    for at_ms in range(2_000, 20 * SURELY_MS, 50_000):
        late_ms = 900_000 if at_ms % 200_000 == 2_000 else 100
        assert gateway.place(at_ms, late_ms=late_ms) == 200
    assert gateway.corrected == 0


def test_a_place_that_is_too_late_is_put_right_at_once(gateway: Gateway) -> None:
    assert gateway.place(1_000, late_ms=3_600_000) == 3_600_000
    assert gateway.place(3_602_000, late_ms=200) == 200
    assert gateway.corrected == 1
    assert gateway.state.anchors_of("gw") == {"boot-1": BOOTED + 200}


def test_a_clock_that_falls_behind_is_believed_when_every_frame_says_so(gateway: Gateway) -> None:
    gateway.place(0)
    behind = OFF_MS + 40_000
    places = [
        gateway.place(at_ms, slow_ms=behind, late_ms=late_ms)
        for at_ms, late_ms in ((10_000, 90_000), (150_000, 300), (9_000 + SURELY_MS, 5_000))
    ]
    assert places == [0, 0, 0]
    assert gateway.place(400_000, slow_ms=behind, late_ms=2_000) == behind + 300, "the least of what was heard"
    assert gateway.corrected == 1
    assert gateway.place(410_000, slow_ms=behind) == behind + 300


def test_a_drifting_clock_is_followed_to_a_minute(gateway: Gateway) -> None:
    for drift in (4e-5, -4e-5):
        boot = Clock(f"drift {drift}", None)
        off = [
            gateway.place(at_ms, slow_ms=round(at_ms * drift), late_ms=300, clock=boot) - round(at_ms * drift)
            for at_ms in range(0, 200 * 86_400_000, 300_000)
        ]
        assert max(abs(ms) for ms in off) <= OFF_MS + 1_000
    assert gateway.corrected == pytest.approx(2 * 200 * 86_400_000 * 4e-5 / OFF_MS, abs=2)


def test_what_a_collector_found_goes_for_another_and_a_boot_that_is_over_stays(gateway: Gateway) -> None:
    assert gateway.place(5_000, late_ms=9_000, clock=Clock("boot-1", BOOTED + 40)) == 40
    over = MONOTONIC | EARLIER
    assert gateway.place(90_000, flags=over, clock=Clock("boot-0", None)) == 0
    assert gateway.place(95_000, flags=over, late_ms=-500_000, clock=Clock("boot-0", None)) == 0
    assert gateway.corrected == 0
