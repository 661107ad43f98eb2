"""The supervisor: what dies comes again, and what cannot run is tried again after a while."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from memfleet.supervisor import FATAL_MS, FATAL_STATUS, Supervisor
from tests.waiting import wait_until


class Clock:
    """Monotonic, and as fast as the test says."""

    now_ms = 0

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def supervisor(tmp_path: Path, clock: Clock) -> Iterator[Supervisor]:
    """Of a program that cannot run before somebody has put a file right."""
    program = f"import pathlib, sys, time\nif not pathlib.Path({str(tmp_path / 'right')!r}).exists(): "
    program += f"sys.exit({FATAL_STATUS})\ntime.sleep(60)"
    made = Supervisor({"judge": [sys.executable, "-c", program]}, now_ms=clock)
    yield made
    clock.now_ms = 0
    made.close()


def test_a_child_that_is_renewed_has_not_died(
    tmp_path: Path, supervisor: Supervisor, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "right").touch()
    supervisor.watch()
    first = supervisor.pid("judge")
    supervisor.renew("judge")

    def is_another() -> bool:
        supervisor.watch()
        return supervisor.pid("judge") not in (None, first)

    wait_until(is_another, "it runs again, though no time passed")
    assert (supervisor.restarts("judge"), supervisor.failed, caplog.text) == (0, [], "")


def test_what_cannot_run_is_told_and_tried_again_once_it_may_have_been_mended(
    tmp_path: Path, supervisor: Supervisor, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    def has_failed() -> bool:
        supervisor.watch()
        return supervisor.failed == ["judge"]

    wait_until(has_failed, "it has ended")
    assert "judge cannot run; again in 60 s" in caplog.text
    (tmp_path / "right").touch()
    clock.now_ms = FATAL_MS - 1
    supervisor.watch()
    assert supervisor.pid("judge") is None
    clock.now_ms = FATAL_MS
    supervisor.watch()
    assert supervisor.pid("judge")
    assert supervisor.failed == []
