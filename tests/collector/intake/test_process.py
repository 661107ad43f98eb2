"""The intake process without a broker: ticks go on whatever somebody does to the wall clock."""

from __future__ import annotations

from pathlib import Path

from collector.config import CollectorConfig
from collector.intake.process import Intake
from collector.records import Tick, decode
from telemetry.clock import wall_ms
from telemetry.settings import Broker
from tests.servers import free_port
from tests.waiting import step_until

HOUR_MS = 3_600_000


class WrongClock:
    """The wall clock, as wrong as the test says."""

    def __init__(self) -> None:
        self.off_ms = 0

    def __call__(self) -> int:
        return wall_ms() + self.off_ms


def run_for(intake: Intake, ticks: int) -> None:
    """Step until so many more ticks are journaled."""
    wanted = intake.journal.last_id() + ticks
    step_until(intake.step, lambda: intake.journal.last_id() >= wanted, "the ticks go on")


def test_a_clock_that_is_set_does_not_stop_the_ticks(tmp_path: Path) -> None:
    clock = WrongClock()
    config = CollectorConfig(broker=Broker(url=f"mqtt://127.0.0.1:{free_port()}"))
    intake = Intake(config, tmp_path, clock)
    for off_ms in (0, -HOUR_MS, HOUR_MS):
        clock.off_ms = off_ms
        run_for(intake, 2)
    entries = [decode(frame.data) for frame in intake.journal.after(0, 100)]
    times = [entry.time_ms for entry in entries if isinstance(entry, Tick)]
    assert len(times) == 6
    assert abs(times[2] - times[1] + HOUR_MS) < HOUR_MS / 10, "a tick says what the wall clock says"
    assert abs(times[4] - times[3] - 2 * HOUR_MS) < HOUR_MS / 10
    intake.close()
