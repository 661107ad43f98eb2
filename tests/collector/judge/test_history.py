"""Histories: the same samples give the same buckets, however they are cut; what is passed over is unknown."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.judge.detectors.history import BUCKETS, HOUR_MS, WIDTHS_MS, History
from collector.judge.detectors.marks import (
    BORN_MS,
    CEILING,
    GAVE_BACK,
    KNOWN_MS,
    KNOWN_TO,
    LAST,
    LAST_MS,
    PERIOD_MS,
    QUIET_MS,
    QUIET_SAMPLES,
    REACHED,
    RISE,
)


def _filled(samples: list[tuple[int, int, int]], cuts: list[int]) -> History:
    history = History()
    history.make_room(4)
    edges = [0, *sorted(cut % (len(samples) + 1) for cut in cuts), len(samples)]
    for start, end in pairwise(edges):
        if start < end:
            rows, times, used = (np.array(column) for column in zip(*samples[start:end], strict=True))
            history.add(rows, times, used.astype(np.float64)[:, None])
    return history


_steps = st.tuples(st.integers(0, 3), st.sampled_from([100, 900, 5_000, 30_000, 700_000]), st.integers(0, 10_000))


@given(st.lists(_steps, min_size=1, max_size=60), st.lists(st.integers(0, 60), max_size=8))
@settings(max_examples=60, deadline=None)
def test_cuts_make_no_difference(steps: list[tuple[int, int, int]], cuts: list[int]) -> None:
    samples, now = [], 1_790_000_000_000
    for row, later, used in steps:
        now += later
        samples.append((row, now, used))
    whole = _filled(samples, [])
    for cut in (_filled(samples, cuts), _filled(samples, list(range(61)))):  # one at a time goes another way
        assert np.array_equal(whole.least, cut.least, equal_nan=True)
        assert np.array_equal(whole.newest, cut.newest)


def _held_twice(samples: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Samples no lower than the one before each within half an hour."""
    return samples[:1] + [
        (time, max(used, before) if time - before_ms <= HOUR_MS // 2 else used)
        for (before_ms, before), (time, used) in pairwise(samples)
    ]


@given(st.lists(_steps, min_size=1, max_size=60))
@settings(max_examples=40, deadline=None)
def test_buckets_hold_the_least_of_their_time(steps: list[tuple[int, int, int]]) -> None:
    samples, now = [], 1_790_000_000_000
    for row, later, used in steps:
        now += later
        samples.append((row, now, used))
    history = _filled(samples, list(range(0, 60, 7)))
    by_row = {one: [(time, used) for row, time, used in samples if row == one] for one in range(4)}
    for level, width in enumerate(WIDTHS_MS):
        for row in {row for row, _, _ in samples}:
            newest = max(time // width for one, time, _ in samples if one == row)
            assert history.newest[row, level] == newest
            for bucket in range(newest - BUCKETS + 1, newest + 1):
                told = _held_twice(by_row[row]) if width >= 3 * HOUR_MS else by_row[row]
                inside = [used for time, used in told if time // width == bucket]
                held = history.least[row, 0, level, bucket % BUCKETS]
                assert held == min(inside) if inside else np.isnan(held)


def test_a_new_boot_begins_anew() -> None:
    history = _filled([(1, 1_000_000, 5), (2, 1_000_000, 7)], [])
    history.forget(1)
    assert np.isnan(history.least[1]).all()
    assert (history.newest[1] == -1).all()
    assert (history.newest[2] >= 0).all()


def _boot(history: History, begin_ms: int, used: list[int]) -> None:
    """A boot of one reading each ten minutes, which is over then."""
    times = begin_ms + 600_000 * np.arange(1, len(used) + 1)
    history.add(np.zeros(len(used), dtype=np.int64), times, np.array(used, dtype=np.float64)[:, None])
    history.forget(0)


def test_what_boots_reached_that_settled_is_known_to_the_next() -> None:
    history, zero, hour = History(), np.array([0]), 6
    history.make_room(1)
    _boot(history, 1_790_000_000_000, [1_000 + 20 * at for at in range(24 * hour)])  # it may have leaked
    assert np.isnan(history.mark(zero, REACHED)[0])
    _boot(history, 1_790_100_000_000, [*range(1_000, 1_000 + 50 * hour, 50), *[1_300] * 23 * hour])
    assert history.mark(zero, REACHED)[0] == 1_300
    assert history.mark(zero, KNOWN_MS)[0] == pytest.approx(24 * HOUR_MS, rel=0.06)
    _boot(history, 1_790_200_000_000, [1_000, 1_100, *[1_050] * 24 * hour])
    assert history.mark(zero, REACHED)[0] == 1_300
    assert history.mark(zero, KNOWN_MS)[0] == pytest.approx(48 * HOUR_MS, rel=0.06)
    _boot(history, 1_790_300_000_000, [1_000 + 10 * (at % 60) for at in range(26 * hour)])  # in the midst of a tooth
    assert (history.mark(zero, REACHED)[0], history.mark(zero, KNOWN_TO)[0]) == (1_300, 1_590)
    assert history.mark(zero, KNOWN_MS)[0] == pytest.approx(72 * HOUR_MS, rel=0.06)
    assert np.isnan(history.mark(zero, CEILING)[0])
    assert np.isfinite(history.boots(zero)[0, :3, -1]).all()


def test_the_ceiling_is_the_highest_peak_before_a_fall() -> None:
    levels = [1000, 5000, 2000, 3000, 1500, 6000, 5900]
    history = _filled([(0, 1000 * place, used) for place, used in enumerate(levels)], list(range(8)))
    assert history.mark(np.array([0]), CEILING).tolist() == [5000.0]


@given(st.lists(_steps, min_size=1, max_size=60), st.lists(st.integers(0, 60), max_size=8))
@settings(max_examples=60, deadline=None)
def test_marks_follow_the_samples_however_they_are_cut(steps: list[tuple[int, int, int]], cuts: list[int]) -> None:
    samples, now = [], 1_790_000_000_000
    for row, later, used in steps:
        now += later
        samples.append((row, now, used))
    whole, cut = _filled(samples, list(range(61))), _filled(samples, cuts)
    for mark in (RISE, CEILING, LAST, LAST_MS, QUIET_MS, QUIET_SAMPLES, BORN_MS):
        assert np.array_equal(whole.peaks[:, mark], cut.peaks[:, mark], equal_nan=True)


def test_how_far_samples_stand_apart_is_unknown_of_one_and_known_of_two() -> None:
    begin, row = 1_790_000_000_000, np.array([0])
    assert np.isnan(_filled([(0, begin, 1)], [0]).mark(row, PERIOD_MS)).all()
    two = [(0, begin, 1), (0, begin + 120_000, 1)]
    for cuts in ([0, 1], [0]):
        assert _filled(two, cuts).mark(row, PERIOD_MS) == [120_000.0]


def test_a_boot_stood_as_high_as_a_whole_bucket_of_its_first_half() -> None:
    history, row, begin = History(), np.array([0]), 1_790_000_000_000
    history.make_room(1)
    assert np.isnan(history.stood_at(0))
    for minute in range(600):
        used = 900 if minute == 150 else 300 if 100 <= minute < 200 else 200 if minute < 310 else 500
        history.add(row, np.array([begin + minute * 60_000]), np.array([[used]]), np.array([minute * 60_000.0]))
        if minute == 110:
            assert np.isnan(history.stood_at(0))  # too short
    assert history.stood_at(0) == 300


def test_what_is_given_back_is_the_largest_fall_within_a_window() -> None:
    """5,000 bytes at once, and later 8,000 evenly within 20 minutes: a window of 10 minutes sees the first, one of 41
    both."""
    minutes = np.arange(101)
    used = 50_000 - 5_000 * (minutes >= 70) - 8_000 * np.clip((minutes - 80) / 20, 0, 1)
    history = _filled([(0, 60_000 * minute, int(one)) for minute, one in zip(minutes, used, strict=True)], [])
    level = WIDTHS_MS.index(80_000)
    short, long, longest = history.given_back(np.zeros(3, dtype=np.int64), np.array([level - 1, level, 7]))
    assert short == 5_000
    assert 10_000 <= long <= 13_000, "the bucket that is open is left out"
    assert np.isnan(longest), "nothing longer is kept"
    before = history.given_back(np.array([0]), np.array([level]), until_ms=np.array([60_000.0 * 68]))[0]
    assert before == 0, "it had not fallen yet"


def test_how_far_boots_fell_in_a_night_is_known_to_the_next_and_fades() -> None:
    history = History()
    history.make_room(1)
    fell = []
    for boot, used in enumerate([20_000, 50_000, 25_000]):  # rises and falls by so much within hours
        begins_ms = 1_790_000_000_000 + boot * 24 * HOUR_MS
        for minute in range(0, 1200, 10):
            level = used * (1 - abs(minute / 600 - 1))
            time = np.array([begins_ms + 60_000 * minute])
            history.add(np.array([0]), time, np.array([[10_000 + level]]), np.array([60_000.0 * minute]))
        history.forget(0)
        fell.append(float(history.mark(np.array([0]), GAVE_BACK)[0]))
    assert 12_000 < fell[0] < 20_000
    assert 30_000 < fell[1] < 50_000
    assert fell[2] == pytest.approx(0.8 * fell[1]), "the last fell by half as much"


def test_where_samples_stand_alone_the_open_bucket_counts_as_closed() -> None:
    history = _filled([(0, 60_000 * minute, 100 * minute) for minute in range(10, 30)], list(range(20)))
    windows = history.windows(np.zeros(2, dtype=np.int64), np.array([1, 3]))
    assert windows[0, -1] == 2_900
    assert np.nanmax(windows[1]) == 2_200  # of 320 s: the open one has several samples, and may get more


def test_a_boot_is_known_since_it_was_heard_not_since_it_began() -> None:
    history = History()
    history.make_room(1)
    for hour in range(60):
        time = np.array([1_790_000_000_000 + hour * HOUR_MS])
        history.add(np.array([0]), time, np.array([[5_000.0]]), np.array([(400.0 + hour) * HOUR_MS]))
        heard = (time - history.heard_since_ms(np.array([0])))[0] / HOUR_MS
        assert max(0, hour - 4 / 3) <= heard <= hour or (hour > 40 and hour - 3 <= heard <= hour)
    assert history.mark(np.array([0]), BORN_MS)[0] < time[0] - 400 * HOUR_MS


def test_short_boots_take_nothing_from_what_is_known_of_long_ones() -> None:
    history, known, time_ms = _filled([], []), [], 1_790_000_000_000
    for minutes in (3_000, 40, 40, 40):
        for uptime_ms in range(0, minutes * 60_000, 300_000):
            history.add(np.array([0]), np.array([time_ms + uptime_ms]), np.array([[5_000.0]]), np.array([uptime_ms]))
        history.forget(0)
        known.append(history.mark(np.array([0]), KNOWN_MS)[0] / HOUR_MS)
        time_ms += minutes * 60_000
    assert 48 < known[0] < 50
    assert known == sorted(known)
