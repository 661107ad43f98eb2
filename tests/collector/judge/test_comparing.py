"""The comparison of firmware: right p-values, each device once, no alarm by chance."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from collector.judge.comparing import (
    Pair,
    Thing,
    cliffs_delta,
    compare,
    holm,
    interval_between,
    least_p,
    mann_whitney,
    shift,
    shift_interval,
    verdict_between,
)

HEAP = Thing("heap", ("main",))


def by_trying_all(one: list[float], other: list[float]) -> float:
    """The definition: how many of all ways to deal the values out are at least as extreme."""
    everything = one + other

    def distance(chosen: tuple[int, ...]) -> float:
        inside = [everything[i] for i in chosen]
        outside = [everything[i] for i in range(len(everything)) if i not in chosen]
        u = sum((a > b) + (a == b) / 2 for a in inside for b in outside)
        return abs(u - len(inside) * len(outside) / 2)

    seen = distance(tuple(range(len(one))))
    ways = list(itertools.combinations(range(len(everything)), len(one)))
    return sum(distance(way) >= seen - 1e-9 for way in ways) / len(ways)


@given(some.lists(some.integers(0, 10**6), min_size=4, max_size=10, unique=True), some.integers(1, 3))
def test_the_exact_p_value_is_that_of_all_ways_to_deal(values: list[int], cut: int) -> None:
    one, other = [float(v) for v in values[:cut]], [float(v) for v in values[cut:]]
    assert mann_whitney(one, other) == pytest.approx(by_trying_all(one, other))


def test_the_approximation_is_close_where_values_are_equal() -> None:
    chance = random.Random(1)
    for _ in range(20):
        one, other = ([float(chance.randrange(9)) for _ in range(7)] for _ in range(2))
        assert mann_whitney(one, other) == pytest.approx(by_trying_all(one, other), abs=0.06)


def test_p_values_are_even_when_there_is_no_difference() -> None:
    chance = np.random.default_rng(5)
    p_values = [mann_whitney(chance.normal(size=30).tolist(), chance.normal(size=25).tolist()) for _ in range(400)]
    assert 0.02 <= np.mean(np.array(p_values) < 0.05) <= 0.08


def test_known_values() -> None:
    assert mann_whitney([1, 2, 3, 4], [5, 6, 7, 8]) == pytest.approx(2 / 70)
    assert mann_whitney([1, 1, 1], [1, 1, 1]) == 1
    assert least_p(3, 3) == pytest.approx(0.1)
    assert cliffs_delta([1, 2], [3, 4]) == 1
    assert cliffs_delta([3, 4], [3, 4]) == 0
    assert shift([1, 2, 3], [11, 12, 13]) == 10
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def fleet(chance: random.Random, count: int, level: float, growth: float = 0) -> list[dict[str, float]]:
    return [
        {
            "level": chance.gauss(level, 2000),
            "peak": chance.gauss(level + 8000, 3000),
            "growth": chance.gauss(growth, 20),
        }
        for _ in range(count)
    ]


def verdicts(before: list[dict[str, float]], after: list[dict[str, float]]) -> dict[str, str]:
    return {one.measure: one.verdict for one in compare([Pair(HEAP, before, after)])}


def test_more_memory_is_worse_and_less_is_better() -> None:
    chance = random.Random(2)
    plain, hungry = fleet(chance, 12, 60_000), fleet(chance, 12, 80_000)
    assert verdicts(plain, hungry) == {"level": "worse", "peak": "worse", "growth": "same"}
    assert verdicts(hungry, plain) == {"level": "better", "peak": "better", "growth": "same"}
    leaking = fleet(chance, 12, 60_000, growth=400)
    assert verdicts(plain, leaking)["growth"] == "worse"


def test_a_difference_that_does_not_matter_is_none() -> None:
    before = [{"level": 100_000.0 + n} for n in range(40)]
    after = [{"level": 100_100.0 + n} for n in range(40)]
    (found,) = compare([Pair(HEAP, before, after)])
    assert found.p_value < 0.001
    assert found.verdict == "same"


def test_so_few_devices_that_nothing_can_be_told() -> None:
    chance = random.Random(3)
    assert set(verdicts(fleet(chance, 3, 50_000), fleet(chance, 3, 90_000)).values()) == {"unknown"}


def test_a_difference_that_cannot_be_excluded_is_unclear() -> None:
    wide = [{"level": 100_000.0 + 8_000 * n} for n in range(-3, 4)]
    (found,) = compare([Pair(HEAP, wide, [{"level": one["level"] + 3_000} for one in wide])])
    assert found.verdict == "unclear"
    assert found.low is not None
    assert found.high is not None
    assert found.low < -5_000 < 0 < 5_000 < found.high


@given(some.lists(some.integers(0, 10**6), min_size=8, max_size=12, unique=True), some.integers(4, 6))
def test_the_interval_holds_what_the_test_does_not_refuse(values: list[int], cut: int) -> None:
    one, other = [float(v) for v in values[:cut]], [float(v) for v in values[cut:]]
    interval = shift_interval(one, other)
    if len(other) < 4:
        assert interval is None or least_p(len(one), len(other)) <= 0.05
        return
    assert interval is not None
    low, high = interval
    assert low <= shift(one, other) <= high
    for by, refused in ((low - 0.3, True), (low + 0.3, False), (high - 0.3, False), (high + 0.3, True)):
        if low + 0.3 < high - 0.3:
            assert (mann_whitney(one, [value - by for value in other]) <= 0.05) == refused


def test_the_interval_holds_the_difference_as_often_as_it_says() -> None:
    chance = np.random.default_rng(11)
    held = 0
    for _ in range(400):
        interval = shift_interval(chance.normal(size=25).tolist(), (chance.normal(size=30) + 2).tolist())
        assert interval is not None
        held += interval[0] <= 2 <= interval[1]
    assert 0.92 <= held / 400 <= 0.98


def test_two_boots_of_one_board_may_be_unclear() -> None:
    assert verdict_between(100_000, 1_000, 3_000) == "worse"
    assert verdict_between(100_000, -3_000, -1_000) == "better"
    assert verdict_between(100_000, 1, 300) == "same"
    assert verdict_between(100_000, -4_000, 4_000) == "same"
    assert verdict_between(100_000, -9_000, 20_000) == "unclear"


def test_equal_firmware_is_seldom_called_worse() -> None:
    chance = random.Random(4)
    alarms = sum("worse" in verdicts(fleet(chance, 15, 60_000), fleet(chance, 15, 60_000)).values() for _ in range(200))
    assert alarms <= 12  # 5 % of 200, and some luck


def test_the_worst_comes_first_and_what_only_one_has_is_told() -> None:
    chance = random.Random(5)
    other, old = Thing("stack", ("main",)), Thing("heap", ("old",))
    found = compare(
        [
            Pair(HEAP, fleet(chance, 9, 60_000), fleet(chance, 9, 60_000)),
            Pair(old, fleet(chance, 9, 70_000), []),
            Pair(other, fleet(chance, 9, 60_000), fleet(chance, 9, 90_000)),
        ]
    )
    assert found[0].thing == other
    (gone,) = (one for one in found if one.thing == old)
    assert (gone.verdict, gone.measure, gone.after, gone.difference, gone.devices) == (
        "removed", "level", None, None, (9, 0),
    )  # fmt: skip
    assert gone.before == pytest.approx(70_000, rel=0.05)


@pytest.mark.parametrize(
    ("older", "level", "growth"), [(0, "worse", "worse"), (1, "unclear", "worse"), (-1, "worse", "unclear")]
)
def test_what_more_uptime_makes_is_no_fault_of_a_version(older: int, level: str, growth: str) -> None:
    chance = random.Random(6)
    plain, hungry = fleet(chance, 12, 60_000), fleet(chance, 12, 80_000, growth=400)
    found = {one.measure: one.verdict for one in compare([Pair(HEAP, plain, hungry, older)])}
    assert found == {"level": level, "peak": level, "growth": growth}


def test_of_what_is_left_less_is_worse() -> None:
    thing = Thing("heap", ("main",), is_free=True)
    before, after = (
        [{"level": -base - n, "peak": n - base, "growth": float(n)} for n in range(9)] for base in (60_000.0, 40_000.0)
    )
    found = {one.measure: one for one in compare([Pair(thing, before, after)])}
    assert {name: one.verdict for name, one in found.items()} == {
        "free": "worse",
        "least free": "worse",
        "growth": "same",
    }
    free = found["free"]
    assert (free.before, free.after, free.difference, free.effect) == (60_004, 40_004, -20_000, -1)
    assert free.low is not None
    assert free.high is not None
    assert free.low < -20_000 < free.high


def test_the_interval_of_one_board_covers_a_difference_that_is_there() -> None:
    chance = np.random.default_rng(7)
    drift = np.cumsum(chance.normal(size=600)) * 10
    low, high = interval_between((50_000 + drift).tolist(), (70_000 + drift[::-1]).tolist())
    assert 15_000 < low < 20_000 < high < 25_000
    low, high = interval_between(drift.tolist(), drift.tolist())
    assert low < 0 < high
    assert interval_between([5.0] * 8, [7.0] * 8) == (2, 2)


@pytest.mark.parametrize(("alike", "most"), [(0.0, 0.06), (0.983, 0.06), (0.9917, 0.1)])
def test_two_boots_that_do_not_differ_are_seldom_told_apart(alike: float, most: float) -> None:
    """A day of samples each minute, whose neighbours are alike for nothing, one or two hours."""
    chance = np.random.default_rng(8)

    def boot() -> list[float]:
        level, values = chance.normal(), []
        for step in chance.normal(size=1440):
            level = alike * level + math.sqrt(1 - alike * alike) * step
            values.append(100_000 + 2_000 * level)
        return values

    wrong = 0
    for _ in range(200):
        low, high = interval_between(boot(), boot())
        wrong += not low <= 0 <= high
    assert wrong <= most * 200
