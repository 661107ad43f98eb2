"""Boots that are over: which of them had lost memory until they ended."""

from __future__ import annotations

import numpy as np
import pytest

from collector.judge.detectors.ended import find_leaks_of_ended
from collector.judge.detectors.night import Night
from tests.collector.judge.nights import (
    BASE,
    LIMIT,
    NIGHTS,
    Shape,
    cache,
    clients,
    five_minutes,
    night,
    only,
    teeth,
    traffic,
)
from tests.collector.judge.stream import LEAK_RULE, Bench, rows


def lasted(hours: float, shape: Shape, lost: float) -> Night:
    """Boots that ended after so many hours, and would have lost so much in eight."""
    whole = night(shape, lost, boots_at=0)
    return only(whole, np.arange(whole.least.shape[1]) < hours * 12)


def told(boots: Night, highest: float) -> int:
    return int(np.isfinite(find_leaks_of_ended(boots, np.full(NIGHTS, highest)).rate).sum())


def test_a_boot_that_ran_out_of_memory_is_told() -> None:
    ran_out = lasted(4, clients, 160_000)
    assert told(ran_out, LIMIT - 5_000) >= 0.9 * NIGHTS
    assert told(ran_out, BASE + 0.5 * (LIMIT - BASE)) == 0
    leaks = find_leaks_of_ended(ran_out, np.full(NIGHTS, LIMIT))
    assert np.nanmedian(leaks.rate) == pytest.approx(20_000, rel=0.05)
    assert np.nanmedian(leaks.hours_left) == pytest.approx(4, abs=0.1)


def test_a_boot_that_lasted_for_most_of_a_night_is_told() -> None:
    assert told(lasted(6, traffic, 20_000), LIMIT - 100_000) >= 0.9 * NIGHTS
    assert told(lasted(4, traffic, 20_000), LIMIT - 100_000) == 0


@pytest.mark.parametrize("shape", [traffic, clients, cache(1), cache(6), teeth(0.3), teeth(2.5)])
def test_a_healthy_boot_that_was_full_is_left_alone(shape: Shape) -> None:
    assert told(lasted(6, shape, 0), LIMIT - 5_000) == 0


LEAKS = {("leaks",)}


@pytest.mark.parametrize(("reason", "expected"), [("", LEAKS), ("panic", LEAKS), ("POWERON_RESET", set())])
def test_the_next_boot_brings_the_alert_unless_somebody_ended_the_last(reason: str, expected: set[str]) -> None:
    bench, chance = Bench(LEAK_RULE), np.random.default_rng(3)
    for boot, hours in ((1, 3), (2, 0.5)):
        began = rows("b", "event", ("boot",), bench.now_ms, {"reason": reason}, boot=boot, uptime_ms=0)
        bench.second(began)
        for seconds in range(0, int(hours * 3600), 300):
            five_minutes(bench, seconds, 3.8, lambda: 110_000 * chance.uniform(), boot)
        found = {finding.names for finding in bench.findings}
        assert found == (set() if boot == 1 else expected)


@pytest.mark.parametrize(("hours", "rate", "expected"), [(6, 0.5, LEAKS), (6, 0.0, set()), (4, 0.5, set())])
def test_a_board_that_falls_silent_is_judged_by_what_was_heard(
    hours: int, rate: float, expected: set[tuple[str, ...]]
) -> None:
    bench, chance = Bench(LEAK_RULE), np.random.default_rng(5)
    for seconds in range(0, hours * 3600, 300):
        five_minutes(bench, seconds, rate, lambda: 5_000 * chance.uniform(), 1)
    bench.wait(290)
    assert not bench.findings
    bench.wait(20)
    assert {finding.names for finding in bench.findings} == expected
    assert len(bench.findings) == len(expected)
