"""When memory ends, and the interval of that: it holds what is told, and in most cases what then happens."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.judge.detectors.forecast import Course, interval, passage
from collector.judge.detectors.ground import Ground
from collector.judge.detectors.leak import Leaks, find_leaks
from collector.judge.detectors.night_leaks import find_night_leaks
from collector.judge.detectors.views import HOURS_OF, VIEWS
from collector.records import Finding
from tests.collector.judge.nights import BASE, HOURS, LIMIT, NIGHTS, Shape, clients, night, traffic
from tests.collector.judge.stream import LEAK_RULE, Bench, rows

SIZE, BUCKETS, ROWS = 100_000.0, 31, 150
VIEW = VIEWS.index((4, False))
Taken = Callable[[np.random.Generator, int], np.ndarray]
SPREAD = st.floats(0, 1)
KNOWN = {"slope": 100.0, "error": 5.0, "hours": 8.0, "ratio": 1.0, "ratio_error": 0.1}


def ends(left: float, scatter: float = 0.5, **of_course: float) -> tuple[float, float]:
    course = Course(**{name: np.array([value]) for name, value in (KNOWN | of_course).items()})
    soonest, latest = interval(np.array([left]), course, np.array([scatter]))
    return float(soonest[0]), float(latest[0])


@given(
    st.floats(0, 1e5), st.floats(1e-3, 1e3), st.floats(0, 1e3), st.floats(1e-2, 1e4),
    st.one_of(st.floats(-10, 10), st.just(np.inf)), st.one_of(SPREAD, st.just(np.inf)),
)  # fmt: skip
def test_an_interval_holds_what_is_told_and_has_ends(
    left: float, scatter: float, error: float, hours: float, ratio: float, ratio_error: float
) -> None:
    soonest, latest = ends(left, scatter, error=error, hours=hours, ratio=ratio, ratio_error=ratio_error)
    assert 0 <= soonest <= left <= latest


@given(st.floats(1, 100), SPREAD, SPREAD, st.sampled_from(["error", "ratio_error", "scatter"]))
def test_whatever_is_less_sure_makes_it_wider(left: float, one: float, other: float, what: str) -> None:
    less, more = (ends(left, **{what: sure}) for sure in sorted((one, other)))
    assert more[0] <= less[0] <= less[1] <= more[1]
    if what == "scatter" and abs(one - other) > 0.01:
        assert more[0] < less[0]
        assert more[1] > less[1]


def test_a_course_that_bends_widens_the_side_to_which_it_does() -> None:
    straight, faster, slower = (ends(10, ratio=ratio) for ratio in (1.0, 1.5, 1 / 1.5))
    assert faster[0] < straight[0]
    assert faster[1] == straight[1]
    assert slower[1] > straight[1]
    assert slower[0] == straight[0]


def test_memory_without_an_end_has_no_interval() -> None:
    assert ends(np.inf) == (np.inf, np.inf)
    assert np.isnan(ends(np.nan)).all()


def test_the_first_peak_comes_where_peaks_that_were_seen_make_it_likely() -> None:
    """Each bucket to come has one of these peaks, all alike likely: drawn, and reckoned."""
    chance = np.random.default_rng(3)
    seen = np.sort(chance.exponential(4.0, 40)) + 2
    begins = np.arange(400) * 0.25
    drawn = seen[chance.integers(0, 40, (2_000, 400))]  # when the peak that each bucket has would reach the limit
    first = begins[(begins >= drawn).argmax(axis=1)]
    median, error = passage(np.append(seen, np.nan)[None], 0.25)
    assert median[0] == pytest.approx(np.median(first), abs=0.3)
    assert error[0] == pytest.approx(first.std(), rel=0.35)


def by_events(chance: np.random.Generator, buckets: int) -> np.ndarray:
    """What leaks of some rows took by the end of each bucket: some events of 1.5 % of the memory in each, or none."""
    return 1_500.0 * np.cumsum(chance.poisson(1.0, (ROWS, buckets)), axis=1)


def by_noise(chance: np.random.Generator, buckets: int) -> np.ndarray:
    """The same of an even leak beneath traffic."""
    return 1_500.0 * np.arange(buckets) + 6_000 * chance.beta(2, 3, (ROWS, buckets))


def leaks_of(used: np.ndarray) -> Leaks:
    columns = dict.fromkeys(Ground._fields, np.full(ROWS, np.nan)) | {
        "limits": np.full(ROWS, SIZE), "peaks": np.max(-np.diff(used), axis=1, initial=0), "newest": used[:, -1],
        **{name: np.zeros(ROWS) for name in ("resolutions", "ratchets", "open_ms")},
        "heard_ms": np.ones(ROWS),
    }  # fmt: skip
    return find_leaks(used, VIEW, Ground(**columns))


@pytest.mark.parametrize("shape", [by_events, by_noise])
def test_most_leaks_end_memory_within_their_interval(shape: Taken) -> None:
    used = 30_000 + shape(np.random.default_rng(7), 4 * BUCKETS)
    found = leaks_of(used[:, :BUCKETS])
    truth = ((used >= SIZE).argmax(axis=1) - BUCKETS + 0.5) * HOURS_OF[VIEW]
    told = np.isfinite(found.rate) & (truth > 0)
    assert told.mean() > 0.7
    within = (found.hours_low <= truth) & (truth <= found.hours_high)
    assert within[told].mean() >= 0.85
    assert np.median((found.hours_high - found.hours_low)[told]) < 2 * np.median(truth[told])


@pytest.mark.parametrize(("shape", "widest"), [(traffic, 0.5), (clients, 1.0)])
def test_most_nights_tell_an_interval_in_which_memory_ends(shape: Shape, widest: float) -> None:
    lost = 60_000
    found = find_night_leaks(night(shape, lost))[0]
    chance = np.random.default_rng(5)
    later = np.stack([np.concatenate([shape(chance) for _ in range(4)]) for _ in range(NIGHTS)])
    hours = np.concatenate([HOURS + 8 * number for number in range(4)])
    truth = hours[(BASE + later + lost * (hours / 8 + 1) >= LIMIT).argmax(axis=1)]
    told = np.isfinite(found.rate)
    assert told.mean() >= 0.9
    assert ((found.hours_low <= truth) & (truth <= found.hours_high))[told].mean() >= 0.85
    assert np.median(np.abs(found.hours_left - truth)[told] / truth[told]) < 0.1
    assert np.median(((found.hours_high - found.hours_low) / found.hours_left)[told]) < widest


def first_of(block: float, taken: float, requests: float = 0) -> tuple[Finding, float]:
    """What is told first of a heap that loses 2 KB each hour of 90 KB, while what is taken of the largest free block
    is that, of so many, and requests take so much between samples; and after how many hours."""
    bench = Bench(LEAK_RULE.replace("{leak_hours_left:hours}", "{forecast}"))
    for number in range(1, 300):
        hours = number * 300 / 3600
        heap = {"size": 140_000, "free": round(90_000 - 2_000 * hours), "largest_free": round(block - taken * hours)}
        heap["min_free"] = heap["free"] - round(requests)
        found = bench.second(rows("board-1", "heap", ("main",), bench.now_ms + 299_900, heap), seconds=300)
        if found:
            return found[0], hours
    raise AssertionError("not told")


def test_a_leak_ends_memory_when_the_largest_free_block_is_gone() -> None:
    told, hours = first_of(block=80_000, taken=3_000)
    assert "the largest free block is gone in about" in told.reason
    assert told.numbers["leak_hours_left"] == pytest.approx(80_000 / 3_000 - hours, rel=0.05)
    assert told.numbers["leak_hours_low"] < told.numbers["leak_hours_left"] < told.numbers["leak_hours_high"]


def test_where_the_largest_free_block_outlives_the_rest_the_last_byte_ends_memory() -> None:
    told, hours = first_of(block=60_000, taken=1_000)
    assert "memory ends in about" in told.reason
    assert told.numbers["leak_hours_left"] == pytest.approx(90_000 / 2_000 - hours, rel=0.05)


def test_what_the_device_has_seen_used_between_samples_ends_memory_sooner() -> None:
    told, hours = first_of(block=60_000, taken=1_000, requests=30_000)
    assert told.numbers["leak_hours_left"] == pytest.approx((90_000 - 30_000) / 2_000 - hours, rel=0.05)
