"""Dips: one low sample, right or wrong, neither hides a leak nor ends one that was told; memory given back does."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest

from collector.judge.backtest import Shelf
from collector.judge.detectors.dips import without_dips, without_dips_at_ends
from collector.judge.engine import Judge
from collector.judge.rules import load_rules, parse_rules
from collector.records import Arrival
from tests.collector.judge.stream import LEAK_RULE, START_MS, rows

KIB = 1024
SIZE, USED, A_DAY = 300 * KIB, 120 * KIB, 86_400
EVERY_S = 600
GROWS = 16 * KIB / A_DAY


def window(*values: float) -> np.ndarray:
    return np.array([values], dtype=np.float64)


@pytest.mark.parametrize(
    ("found", "left"),
    [
        pytest.param((5, 6, 1, 7, 8), (5, 6, 6, 7, 8), id="one"),
        pytest.param((5, 6, 1, 7, 1, 8, 9), (5, 6, 6, 7, 7, 8, 9), id="two"),
        pytest.param((5, 1, 6, 1, 7, 1, 8), (5, 1, 6, 1, 7, 1, 8), id="so often: that is how it works"),
        pytest.param((5, 6, 1, 1, 7, 8), (5, 6, 1, 1, 7, 8), id="longer than a bucket: given back"),
        pytest.param((9, 9, 1, 2, 3, 4), (9, 9, 2, 2, 3, 4), id="the foot of a tooth, but for its first rise"),
        pytest.param((5, 4, 5, 4, 5, 3, 5, 4, 5), (5, 4, 5, 4, 5, 3, 5, 4, 5), id="hardly deeper than others"),
        pytest.param((5, 6, 7, 8, 1), (5, 6, 7, 8, 1), id="the last: what comes next is not known"),
        pytest.param((1, 6, 7, 8, 9), (1, 6, 7, 8, 9), id="the first: what came before is not known"),
        pytest.param((5, np.nan, 1, 7, 8), (5, np.nan, 1, 7, 8), id="beside a gap"),
    ],
)
def test_a_lone_dip_is_lifted_to_the_lower_of_its_neighbours(found: tuple[float, ...], left: tuple[float, ...]) -> None:
    np.testing.assert_array_equal(without_dips(window(*found)), window(*left))


def test_what_was_told_goes_on_until_a_dip_at_an_end_has_proved_to_be_none() -> None:
    falls = window(5, 6, 7, 1)
    nan = np.array([np.nan])
    np.testing.assert_array_equal(without_dips_at_ends(falls, nan), window(np.nan, 6, 7, 7))
    np.testing.assert_array_equal(without_dips_at_ends(falls, np.array([9.0])), window(np.nan, 6, 7, 7))
    np.testing.assert_array_equal(without_dips_at_ends(falls, np.array([2.0])), window(np.nan, 6, 7, 2))


def lived(*boards: Mapping[float, float], ends_day: float = math.inf) -> list[list[tuple[str, str, float]]]:
    """What is told of each of these heaps, its status, and on which day. All leak for five days; each has its dips,
    bytes less in the one sample after a day; from `ends_day` on all that was leaked is given back."""
    judge = Judge(parse_rules(LEAK_RULE), Shelf(), 4 * EVERY_S, step_ms=EVERY_S * 1000)
    noise, found = np.random.default_rng(4), [list[tuple[str, str, float]]() for _ in boards]
    for at in range(0, 5 * A_DAY, EVERY_S):
        now_ms = START_MS + at * 1000
        held = USED + (GROWS * at if at < ends_day * A_DAY else 0) + noise.choice((0, 0, 64, 400))
        arriving = []
        for number, dips in enumerate(boards):
            dip = sum(by for day, by in dips.items() if 0 <= at - day * A_DAY < EVERY_S)
            values = {"size": SIZE, "free": SIZE - int(held - dip)}
            arriving.append(rows(f"board-{number}", "heap", ("main",), now_ms, values))
        for finding in judge.batch([Arrival(now_ms + 10, "agent", arriving)], now_ms + 1000):
            found[int(finding.device[-1])].append((finding.rule, finding.status, at / A_DAY))
    return found


def test_one_low_sample_neither_hides_a_leak_nor_ends_it() -> None:
    (told_without,), *others = lived(
        {}, {1.02: USED}, {1.02: 40 * KIB, 1.9: 50 * KIB}, {3.3: USED, 4.5: 30 * KIB}
    )  # fmt: skip
    assert told_without[:2] == ("heap-leak", "firing")
    for (one,) in others:
        assert one[:2] == ("heap-leak", "firing")
        assert one[2] <= told_without[2] + 1


def test_moments_that_a_reading_sees_now_and_then_neither_hide_a_leak_nor_make_a_step_of_it() -> None:
    """From noon of the second day on a reading in nine hours sees a board that has given back 38 KiB to connect anew:
    of every half day that was the least, and what was told of the leak, by the rules that ship, hung on it."""
    boards, days, every_ms = 12, 7, 300_000
    judge = Judge(load_rules(None), Shelf(), 1200, step_ms=every_ms)
    leaks = np.arange(boards) % 2
    told = [list[tuple[str, str, float]]() for _ in range(boards)]
    seen = np.random.default_rng(11).random((days * 288, boards)) < 1 / 108
    for number, dips in enumerate(seen):
        day, now_ms = number / 288, START_MS + number * every_ms
        held = USED + number % 7 * 64 + 14 * KIB * day * leaks - 38 * KIB * dips * (day > 1.5)
        arriving = [
            rows(f"board-{board}", "heap", ("main",), now_ms, {"size": SIZE, "free": SIZE - int(one)})
            for board, one in enumerate(held)
        ]
        for one in judge.batch([Arrival(now_ms + 10, "agent", arriving)], now_ms + 1000):
            if one.rule != "unlike-peers":
                told[int(one.device.removeprefix("board-"))].append((one.rule, one.status, day))
    assert not any(told[::2])
    for of_board in told[1::2]:
        ((rule, status, day),) = of_board
        assert (rule, status) == ("heap-leak", "firing")
        assert day < 4


def test_memory_that_stays_given_back_ends_it() -> None:
    ((first, second),) = lived({}, ends_day=4)
    assert (first[1], second[1]) == ("firing", "resolved")
    assert 4 < second[2] < 4.2
