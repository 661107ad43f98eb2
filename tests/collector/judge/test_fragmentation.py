"""A largest free block that shrinks while free memory does not; what breathes, jumps or settles is left alone."""

from __future__ import annotations

import numpy as np
import pytest

from collector.judge.detectors.fragmentation import find_fragmentation
from collector.judge.detectors.history import BUCKETS, HOUR_MS, WIDTHS_MS
from collector.judge.detectors.views import VIEWS

SIZE = 100_000.0
LIMITS = np.array([SIZE])
HOURS = np.arange(BUCKETS - 1.0)[None, :]
LEVEL = VIEWS.index((WIDTHS_MS.index(3 * HOUR_MS), True))


def test_a_largest_block_that_shrinks_while_free_memory_stays_is_fragmentation() -> None:
    used, outside = np.full((1, 31), 40_000.0), 45_000 + 1_200 * HOURS
    found = find_fragmentation(used, outside, LEVEL, LIMITS)
    assert found.before[0] == pytest.approx(SIZE - 45_000)
    assert found.free_before[0] == found.free_now[0] == SIZE - 40_000
    seen = 21  # buckets: the first day only begins a window of days, and the last tenth may be a lone value
    assert found.now[0] == pytest.approx(SIZE - 45_000 - 1_200 * seen)


def test_a_largest_block_that_shrinks_with_free_memory_is_none() -> None:
    used, outside = 40_000 + 1_200 * HOURS, 45_000 + 1_200 * HOURS
    assert np.isnan(find_fragmentation(used, outside, LEVEL, LIMITS).now[0])


def test_what_was_free_is_never_told_as_less_than_its_largest_block() -> None:
    used = 15_000 + 300 * HOURS + 5_000 * (np.arange(31) % 2)[None, :]
    found = find_fragmentation(used, np.maximum(used, 20_000 + 2_300 * HOURS), LEVEL, LIMITS)
    assert found.free_before[0] >= found.before[0]
    assert found.free_before[0] > found.free_now[0] > found.now[0]


def test_a_largest_block_that_comes_back_is_none() -> None:
    used, outside = np.full((1, 31), 40_000.0), 45_000 + 30_000 * (np.arange(31) % 4 > 1)[None, :]
    assert np.isnan(find_fragmentation(used, outside.astype(float), LEVEL, LIMITS).now[0])


def test_lone_low_values_are_no_fragmentation() -> None:
    used, chance = np.full((1, 31), 20_000.0), np.random.default_rng(5)
    hourly = VIEWS.index((WIDTHS_MS.index(1_280_000), False))
    for _ in range(500):
        outside = np.clip(SIZE - chance.normal(45_000, 14_000, (1, 31)), 20_000, SIZE - 3_000)
        assert np.isnan(find_fragmentation(used, outside, hourly, LIMITS).now[0])


@pytest.mark.parametrize(("before", "is_told"), [(float("nan"), True), (45_000.0, True), (70_000.0, False)])
def test_a_largest_block_that_was_as_small_before_and_came_back_is_none(before: float, is_told: bool) -> None:
    used, outside = np.full((1, 31), 40_000.0), 45_000 + 1_200 * HOURS
    found = find_fragmentation(used, outside, LEVEL, LIMITS, np.array([before]))
    assert np.isfinite(found.now[0]) == is_told


@pytest.mark.parametrize("breath", ["evenly", "like a saw"])
def test_the_next_breath_of_a_largest_block_that_breathes_by_the_day_is_none(breath: str) -> None:
    """The window that tells it begins within the breath before."""
    day, hours = 24, np.arange(BUCKETS - 1.0) * 80 / 60
    used, told = np.full((1, 31), 30_000.0), []
    for begins in range(0, 24, 2):
        part = (hours + begins) % day / day
        taken = part if breath == "like a saw" else 0.5 - 0.5 * np.cos(2 * np.pi * part)
        outside = (35_000 + 60_000 * taken)[None, :]
        views = VIEWS.index((WIDTHS_MS.index(4_800_000), False))
        told += [find_fragmentation(used[:, :upto], outside[:, :upto], views, LIMITS).now[0] for upto in range(20, 32)]
    assert np.isnan(told).all()


def test_a_largest_block_that_settles_after_a_boot_is_none() -> None:
    """As that of every heap does."""
    used, outside = np.full((1, 31), 20_000.0), 22_000 + 35_000 * (1 - np.exp(-HOURS / 8))
    for upto in range(12, 32):
        assert np.isnan(find_fragmentation(used[:, :upto], outside[:, :upto], LEVEL, LIMITS).now[0])


def test_one_block_that_lies_badly_for_hours_is_none() -> None:
    used, outside = np.full((1, 31), 40_000.0), 45_000 + 900 * HOURS
    hourly = VIEWS.index((WIDTHS_MS.index(1_280_000), False))
    assert np.isnan(find_fragmentation(used, outside, hourly, LIMITS).now[0])
    assert find_fragmentation(used, outside + 700 * HOURS, hourly, LIMITS).now[0] > 0


def test_a_heap_takes_two_days_to_settle() -> None:
    """By then a largest block of half of what is free, or less, is one that shrinks; sooner it must be smaller."""
    used = np.full((1, 31), 20_000.0)

    def told_after(bytes_a_bucket: float) -> float:
        outside = 43_000 + bytes_a_bucket * HOURS
        found = [
            find_fragmentation(used[:, :upto], outside[:, :upto], LEVEL, LIMITS).hours[0] for upto in range(12, 32)
        ]
        return float(np.nanmin(found))

    assert told_after(1_600) >= 48
    assert told_after(3_000) < 48
