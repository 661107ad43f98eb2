"""The comparison of firmware: right p-values, each device once, no alarm by chance."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from collector.judge.comparing import (
    Pair,
    Thing,
    compare,
    counted,
    interval_between,
    verdict_between,
)

HEAP = Thing("heap", ("main",))


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


def test_of_the_same_devices_each_is_compared_with_itself() -> None:
    """2 KiB more on devices that differ by tens: among others nothing is shown, of each itself it is."""
    chance = random.Random(10)
    before = [{"level": chance.gauss(100_000, 20_000)} for _ in range(10)]
    after = [{"level": one["level"] + chance.gauss(2_000, 500)} for one in before]
    (apart,) = compare([Pair(HEAP, before, after)])
    (within,) = compare([Pair(HEAP, before, after, is_paired=True)])
    assert (apart.verdict, within.verdict) == ("unclear", "worse")
    assert within.difference == pytest.approx(2_000, abs=500)
    assert (within.effect, within.devices, within.is_paired) == (1, (10, 10), True)
    (back,) = compare([Pair(HEAP, after, before, is_paired=True)])
    assert back.verdict == "better"


def test_of_pairs_only_what_both_have_counts() -> None:
    before = [{"level": 100_000.0, "growth": float(n)} for n in range(8)]
    after = [{"level": 100_000.0} | ({"growth": n + 400.0} if n else {}) for n in range(8)]
    level, growth = sorted(compare([Pair(HEAP, before, after, is_paired=True)]), key=lambda one: one.measure)[::-1]
    assert (level.verdict, level.devices, level.p_value) == ("same", (8, 8), 1)
    assert (growth.verdict, growth.devices, growth.difference) == ("worse", (7, 7), 400)


def test_how_many_devices_in_a_word() -> None:
    assert counted((12, 14), is_paired=False) == "12 + 14"
    assert counted((12, 12), is_paired=True) == "the same 12"
