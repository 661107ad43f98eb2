"""Rank tests: p-values of all ways, intervals that hold what the tests do not refuse."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from collector.judge.ranks import (
    cliffs_delta,
    holm,
    least_p,
    mann_whitney,
    shift,
    shift_interval,
    signed_ranks,
    within,
)


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


def by_trying_all_signs(values: list[float]) -> float:
    """The definition: how many of all ways to give these ranks signs are at least as uneven; zeros have none."""
    sizes = [abs(value) for value in values]
    ranks = [sum(other < one for other in sizes) + (sizes.count(one) + 1) / 2 for one in sizes]
    kept = [(rank, value) for rank, value in zip(ranks, values, strict=True) if value]
    off = abs(sum(math.copysign(rank, value) for rank, value in kept))
    ways = list(itertools.product((-1, 1), repeat=len(kept)))
    return sum(abs(sum(s * r for s, (r, _) in zip(way, kept, strict=True))) >= off - 1e-9 for way in ways) / len(ways)


@given(some.lists(some.integers(-6, 6), min_size=1, max_size=9))
def test_the_p_value_of_pairs_is_that_of_all_ways_to_give_signs(values: list[int]) -> None:
    differences = [float(value) for value in values]
    assert signed_ranks(differences) == pytest.approx(by_trying_all_signs(differences))


def test_the_approximation_of_many_pairs_is_close_to_the_exact_one() -> None:
    chance = np.random.default_rng(9)
    for by in (0.0, 0.2, 0.4):
        values = chance.normal(by, 1, 30)
        more = np.concatenate([values, [0.0]])  # of the rank of nothing: one pair more, by the approximation
        assert signed_ranks(more.tolist()) == pytest.approx(signed_ranks(values.tolist()), abs=0.02)


def test_known_pairs() -> None:
    assert signed_ranks([1, 2, 3, 4, 5, 6]) == pytest.approx(2 / 64)
    assert signed_ranks([0, 0, 0]) == 1
    assert signed_ranks([0.0] * 40) == 1
    found = within([1, 2, 3, 4, 5, 6])
    assert (found.difference, found.interval, found.effect) == (3.5, (1, 6), 1)
    assert within([1, 2, 3, 4, 5]).interval is None, "five tell nothing at one in twenty"
    assert within([2, 2, 2, -9]).effect == 0.5


@given(some.lists(some.integers(-(10**6), 10**6), min_size=6, max_size=40, unique_by=abs))
def test_the_interval_of_pairs_holds_what_the_test_does_not_refuse(values: list[int]) -> None:
    differences = [float(value) for value in values]
    difference, interval, *_ = within(differences)
    assert interval is not None
    low, high = interval
    assert low <= difference <= high
    if len(values) <= 30:
        assert signed_ranks([value - low + 0.3 for value in differences]) <= 0.05
        assert signed_ranks([value - high - 0.3 for value in differences]) <= 0.05
        if low + 0.6 < high:
            assert signed_ranks([value - low - 0.3 for value in differences]) > 0.05
            assert signed_ranks([value - high + 0.3 for value in differences]) > 0.05


@pytest.mark.parametrize("pairs", [8, 60])
def test_the_interval_of_pairs_holds_the_difference_as_often_as_it_says(pairs: int) -> None:
    chance, held = np.random.default_rng(12), 0
    for _ in range(400):
        interval = within((chance.normal(size=pairs) + 2).tolist()).interval
        assert interval is not None
        held += interval[0] <= 2 <= interval[1]
    assert 0.92 <= held / 400 <= 0.99
