"""Memory that is taken at once and kept; load that comes and goes by the day or the week is left alone."""

from __future__ import annotations

import numpy as np
import pytest

from collector.judge.detectors.history import BUCKETS, HOUR_MS, WIDTHS_MS, History
from collector.judge.detectors.look import look
from collector.judge.detectors.step import find_steps, is_new
from collector.judge.detectors.views import HOURS_OF, VIEWS
from collector.judge.series import Table

SIZE = 100_000.0
LIMITS = np.array([SIZE])
HOURS = np.arange(BUCKETS - 1.0)[None, :]
LEVEL = VIEWS.index((WIDTHS_MS.index(3 * HOUR_MS), True))


def test_a_jump_between_two_flat_days_is_a_step() -> None:
    window = 40_000 + 9_000.0 * (HOURS >= 14)
    found = find_steps(window, LEVEL, LIMITS, ratchet=False)
    assert found.size[0] == 9_000
    assert found.hours[0] == pytest.approx(3 * (31 - 14))
    assert np.isnan(find_steps(window, LEVEL, LIMITS, ratchet=True).size[0])  # such counters go in steps
    assert find_steps(window + 10_000.0 * (HOURS >= 14), LEVEL, LIMITS, ratchet=True).size[0] == 19_000


@pytest.mark.parametrize("hour", range(16, 24))
def test_a_jump_is_a_step_at_any_hour_of_a_daily_wave(hour: int) -> None:
    wave = 40_000 + 8_000 * (1 - np.cos(HOURS * np.pi / 4))
    found = find_steps(wave + 13_000.0 * (hour <= HOURS), LEVEL, LIMITS, ratchet=False)
    assert found.size[0] == pytest.approx(13_000)
    assert found.hours[0] == pytest.approx(3 * (31 - hour))


@pytest.mark.parametrize(("size", "bucket", "is_told"), [(9_000, 16, False), (9_000, 15, True), (13_000, 23, True)])
def test_a_small_step_must_stand_for_two_days(size: float, bucket: int, is_told: bool) -> None:
    """Else it may be the load of one day."""
    found = find_steps(40_000.0 + size * (bucket <= HOURS), LEVEL, LIMITS, ratchet=False)
    assert np.isfinite(found.size[0]) == is_told


@pytest.mark.parametrize(("given_back", "is_told"), [(9_000, False), (6_000, False), (5_000, True)])
def test_a_step_that_was_given_back_is_none_any_more(given_back: float, is_told: bool) -> None:
    """In the newest bucket, more than half of it: of a step that stood long, nine of ten buckets still hold it."""
    found = find_steps(40_000 + 9_000.0 * (HOURS >= 14) - given_back * (HOURS >= 30), LEVEL, LIMITS, ratchet=False)
    assert np.isfinite(found.size[0]) == is_told


@pytest.mark.parametrize(("weekdays", "expected"), [(49_000.0, False), (43_000.0, True), (float("nan"), True)])
def test_what_stood_as_high_before_is_no_step(weekdays: float, expected: bool) -> None:
    found = find_steps(40_000 + 9_000.0 * (HOURS >= 14), LEVEL, LIMITS, ratchet=False)
    assert found.level[0] == 49_000
    assert is_new(found.size, found.level, np.array([weekdays])).held[0] == expected


def test_a_load_by_working_days_makes_no_step_on_monday() -> None:
    table, history = Table("heap"), History(2)
    history.make_room(1)
    table.add("board-1", ("main",))
    table.set(0, "size", 200_000)
    told_on = set()
    for hour in range(24 * 16):
        used = np.array([[140_000.0 if hour // 24 % 7 < 5 else 100_000.0, 110_000.0]])
        uptime_ms = np.array([(hour + 500.0) * HOUR_MS])
        look(table, history, *history.add(np.zeros(1, dtype=int), np.array([hour * HOUR_MS]), used, uptime_ms))
        if table.get(0, "step_size") > 0:
            told_on.add(hour // 24)
    assert not told_on


def test_less_than_two_days_show_no_step() -> None:
    for view in range(len(VIEWS)):
        found = find_steps(40_000 + 9_000.0 * (HOURS >= 20), view, LIMITS, ratchet=False)
        assert np.isnan(found.size[0]) or HOURS_OF[view] >= 3


def test_a_gap_that_hides_a_night_makes_no_step() -> None:
    window = 40_000 + 8_000 * (1 - np.cos(HOURS * np.pi / 4))
    window[0, 21:27] = np.nan
    assert np.isnan(find_steps(window, LEVEL, LIMITS, ratchet=False).size[0])


@pytest.mark.parametrize(
    "window",
    [
        40_000 + 500.0 * HOURS,
        40_000 + 9_000.0 * (HOURS >= 27),
        40_000 + 9_000.0 * (HOURS % 8 >= 4),
        40_000 + 9_000.0 * (1 - np.exp(-HOURS / 4)),
        np.full((1, 31), np.nan),
    ],
    ids=["a leak", "less than a day ago", "every day", "a cache", "nothing known"],
)
def test_other_growth_is_no_step(window: np.ndarray) -> None:
    assert np.isnan(find_steps(window, LEVEL, LIMITS, ratchet=False).size[0])
