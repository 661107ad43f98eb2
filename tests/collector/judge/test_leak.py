"""The leak detector on used memory of known shape: what must be told, and how soon; what must be left alone."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.judge.backtest import Shelf
from collector.judge.detectors.ground import Ground
from collector.judge.detectors.history import HOUR_MS
from collector.judge.detectors.leak import find_leaks, has_not_ended
from collector.judge.detectors.shape import envelope
from collector.judge.detectors.views import HOURS_OF, VIEWS
from collector.judge.engine import Judge
from collector.judge.rules import parse_rules
from tests.collector.judge.stream import LEAK_RULE, START_MS, Bench, rows

SIZE = 22_528
BASE = 4_000

Shape = Callable[[float], float]


def noisy(seed: int) -> Callable[[], float]:
    chance = random.Random(seed)
    return lambda: chance.choice((0, 0, 0, 64, 128, 400))


def leak(rate: float) -> Shape:
    return lambda t: BASE + rate * t


def saw(period: float, height: float, rate: float = 0) -> Shape:
    return lambda t: BASE + height * (t % period) / period + rate * t


def warm_up(height: float, tau: float) -> Shape:
    return lambda t: BASE + height * (1 - math.exp(-t / tau))


def step(at: float, height: float) -> Shape:
    return lambda t: BASE + (height if t >= at else 0)


LEAKS: dict[str, tuple[Shape, float]] = {  # used bytes over seconds, and by when it must be told
    "fast": (leak(100), 100),
    "fast, 20 a second": (leak(20), 480),
    "slower": (leak(20 / 3), 1480),
    "late": (lambda t: BASE + 60 * max(0, t - 200), 360),
    "under a saw": (saw(17, 3000, 40), 180),
}
HEALTHY: dict[str, Shape] = {
    "plateau": lambda t: BASE,
    "saw of 10 s": saw(10, 12_000),
    "saw of 30 s": saw(30, 12_000),
    "saw of 55 s": saw(55, 9_000),
    "cache of 20 s": warm_up(10_000, 20),
    "cache of 60 s": warm_up(10_000, 60),
    "cache of 200 s": warm_up(10_000, 200),
    "one step": step(90, 8_000),
    "two steps": lambda t: step(60, 3000)(t) + step(300, 3000)(t),
    "wave": lambda t: BASE + 3000 * math.sin(t / 40),
    "random": lambda t: BASE + 5000 * random.Random(int(t)).random(),
}


@pytest.fixture(scope="module")
def told_after() -> dict[str, float]:
    """Half an hour of all shapes together; when each one was first told, seconds."""
    bench = Bench(LEAK_RULE)
    shapes = {name: shape for name, (shape, _) in LEAKS.items()} | HEALTHY
    noises = {name: noisy(number) for number, name in enumerate(shapes)}
    started = bench.now_ms
    for second in range(0, 1800, 2):
        blocks = [
            rows("b", "heap", (name,), bench.now_ms + 1900, {"size": SIZE, "used": used})
            for name, shape in shapes.items()
            if (used := int(shape(second) + noises[name]())) <= SIZE
        ]
        bench.second(*blocks, seconds=2)
    first: dict[str, float] = {}
    for finding in bench.findings:
        first.setdefault(finding.names[0], (finding.at_ms - started) / 1000)
    return first


@pytest.mark.parametrize("name", LEAKS)
def test_leaks_are_told_in_time(told_after: dict[str, float], name: str) -> None:
    assert told_after.get(name, math.inf) <= LEAKS[name][1]


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_memory_is_left_alone(told_after: dict[str, float], name: str) -> None:
    assert name not in told_after


def ground(rows: int = 1, **known: float) -> Ground:
    """What is known of so many series of a heap of SIZE bytes, byte-exact, in a boot that has just begun."""
    values = {
        "limits": SIZE,
        "ceilings": np.nan,
        "ceiling_ages_ms": 1e12,
        "held_before": np.nan,
        "known_to": np.nan,
        "peaks": 0,
        "given_back": 0,
        "resolutions": 1,
    } | known
    values |= {
        "heard_ms": 0,
        "ratchets": 0,
        "newest": np.nan,
        "open_ms": 0,
        "hidden": 0,
        "most": np.nan,
        "day_before": np.nan,
        "foot": np.nan,
    } | known
    return Ground(**{name: np.full(rows, value, dtype=np.float64) for name, value in values.items()})


def line(step: float, buckets: int = 31) -> np.ndarray:
    return (BASE + step * np.arange(buckets))[None, :].astype(np.float64)


def test_rate_interval_and_time_left_are_right() -> None:
    window = line(500) + np.random.default_rng(1).uniform(0, 80, 31)  # 100 bytes/s in buckets of 5 s
    found = find_leaks(window, 0, ground())
    assert found.rate[0] == pytest.approx(360_000, rel=0.02)
    assert found.low[0] < found.rate[0] < found.high[0]
    assert found.low[0] > 0.9 * found.rate[0]
    assert found.hours_left[0] == pytest.approx((SIZE - BASE - 15_080) / 360_000 - 2.5 / 3600, rel=0.02)
    assert found.hours_low[0] < found.hours_left[0] < found.hours_high[0]
    assert found.minutes[0] == pytest.approx(2.5)


def test_peaks_above_the_envelope_shorten_the_time_left() -> None:
    lower = find_leaks(line(500), 0, ground(peaks=2_000)).hours_left[0]
    assert lower == pytest.approx((SIZE - BASE - 15_000 - 2_000) / 360_000 - 2.5 / 3600, rel=0.01)


def test_memory_ends_at_a_peak_of_what_comes_and_goes() -> None:
    window = line(500)
    window[0, 3::6] += 3_000
    found = find_leaks(window, 0, ground())
    assert found.rate[0] == pytest.approx(360_000, rel=0.02)
    last_peak = BASE + 500 * 27 + 3_000
    by_last_peak = (SIZE - last_peak) / 360_000 - 3.5 * 5 / 3600
    assert by_last_peak <= found.hours_left[0] < by_last_peak + 6 * 5 / 3600  # it may come as late as the next one


def test_memory_ends_at_a_peak_that_was_too_short_for_a_bucket() -> None:
    peak = ground(ceilings=BASE + 16_500, ceiling_ages_ms=10_000)
    window = line(500)
    left = find_leaks(window, 0, peak).hours_left[0]
    assert left == pytest.approx((SIZE - BASE - 16_500) / 360_000 - 10 / 3600, abs=1e-6)
    before = ground(ceilings=BASE + 10_000, ceiling_ages_ms=200_000)  # growth began after it
    assert find_leaks(window, 0, before).hours_left[0] == find_leaks(window, 0, ground()).hours_left[0]


def test_what_was_given_back_as_growth_began_is_no_peak_that_may_come_again() -> None:
    view, size, flushed = VIEWS.index((6, True)), 300_000.0, 5
    hours = HOURS_OF[view] * (np.arange(31.0)[None, :] - flushed)
    window = np.where(hours < 0, 240_000 + 1_000 * hours, 130_000 + 1_000 * hours)
    known = {"limits": size, "ceilings": 240_000, "newest": window[0, -1]}
    age_ms = float(HOUR_MS * (hours[0, -1] + HOURS_OF[view]))
    (left,) = find_leaks(window, view, ground(**known, ceiling_ages_ms=age_ms)).hours_left
    assert left == pytest.approx((size - window[0, -1]) / 1_000, rel=0.1)


def test_time_left_counts_from_the_newest_value() -> None:
    newest = BASE + 500.0 * 36
    found = find_leaks(line(500), 0, ground(newest=newest, open_ms=27_500)).hours_left[0]
    assert found == pytest.approx((SIZE - newest) / 360_000, rel=0.05)
    assert found < find_leaks(line(500), 0, ground()).hours_left[0]


def test_growth_that_the_newest_value_takes_back_is_the_end_of_a_tooth() -> None:
    assert np.isnan(find_leaks(line(500), 0, ground(newest=BASE + 2_000)).rate[0])


def test_sessions_that_come_are_no_leak_where_as_many_went() -> None:
    grown = 15_000
    assert find_leaks(line(500), 0, ground(given_back=grown / 5)).rate[0] > 0
    assert np.isnan(find_leaks(line(500), 0, ground(given_back=grown / 3)).rate[0])


def test_what_boots_before_reached_that_breathed_is_known() -> None:
    assert np.isnan(find_leaks(line(500), 0, ground(known_to=BASE + 14_000)).rate[0])
    assert find_leaks(line(500), 0, ground(known_to=BASE + 10_000)).rate[0] > 0


def test_a_few_large_steps_are_no_steady_growth() -> None:
    window = (BASE + 4096.0 * (np.arange(31) // 8))[None, :]
    assert np.isnan(find_leaks(window, 1, ground(resolutions=1024)).rate[0])


def test_a_single_rise_below_an_earlier_peak_is_the_next_tooth() -> None:
    window = line(300)
    assert np.isnan(find_leaks(window, 0, ground(ceilings=20_000)).rate[0])
    assert find_leaks(window, 0, ground(ceilings=8_000)).rate[0] > 0


def test_who_gave_a_tall_tooth_back_must_rise_above_it_by_half_of_its_height() -> None:
    window = line(300)  # from 4,000 to 13,000
    assert np.isnan(find_leaks(window, 0, ground(ceilings=9_500, foot=2_000)).rate[0])
    assert find_leaks(window, 0, ground(ceilings=9_500, foot=3_500)).rate[0] > 0
    within = ground(ceilings=9_500, foot=2_000, ceiling_ages_ms=0)  # beside the growth, not before it
    assert find_leaks(window, 0, within).rate[0] > 0


@pytest.mark.parametrize(("longest_h", "told"), [(4.4, False), (6.0, True)])
def test_a_queue_that_outages_fill_may_be_half_as_full_again_as_ever_before(longest_h: float, *, told: bool) -> None:
    bench, noise = Bench(LEAK_RULE), random.Random(1)
    bench.judge = Judge(parse_rules(LEAK_RULE), Shelf(), 1e9, step_ms=600_000)
    outages = {1.0: 2.9, 1.6: 2.7, 4.3: longest_h}
    for up_s in range(0, 5 * 86_400, 600):
        waits = (up_s / 3600 - 24 * day for day, hours in outages.items() if 0 <= up_s / 3600 - 24 * day < hours)
        used = int(81_920 + 6_144 * sum(waits) + noise.uniform(0, 3_000))
        values = {"size": 163_840, "used": used}
        reading = rows("b", "heap", ("main",), bench.now_ms + 599_000, values, uptime_ms=1000 * up_s)
        bench.second(reading, seconds=600)
    assert bool(bench.findings) == told


def test_a_window_without_samples_is_no_leak() -> None:
    assert np.isnan(find_leaks(np.full((3, 31), np.nan), 0, ground(3)).rate).all()


def test_less_is_asked_of_growth_that_outlasts_two_days() -> None:
    by_hours, by_3_hours = VIEWS.index((5, False)), VIEWS.index((6, False))
    window = line(0.27 * (SIZE - BASE) / 30)
    assert np.isnan(find_leaks(window, by_hours, ground()).rate[0])  # 40 hours
    assert find_leaks(window, by_3_hours, ground()).rate[0] > 0  # 90 hours
    assert np.isnan(find_leaks(line(0.24 * (SIZE - BASE) / 30), by_3_hours, ground()).rate[0])


def test_what_peaks_take_is_no_room_for_growth() -> None:
    view, window = VIEWS.index((6, False)), line(0.2 * (SIZE - BASE) / 30)
    assert np.isnan(find_leaks(window, view, ground()).rate[0])
    assert find_leaks(window, view, ground(peaks=0.35 * (SIZE - BASE))).rate[0] > 0
    view, window = VIEWS.index((3, False)), line(0.3 * (SIZE - BASE) / 30)  # within hours, too
    assert np.isnan(find_leaks(window, view, ground()).rate[0])
    assert find_leaks(window, view, ground(peaks=0.35 * (SIZE - BASE))).rate[0] > 0


def test_growth_that_slows_down_ends_memory_where_it_takes_what_peaks_leave() -> None:
    view, free = VIEWS.index((6, False)), SIZE - BASE
    window = BASE + 0.6 * free * (1 - np.exp(-np.arange(31.0) / 30))[None, :]
    assert np.isnan(find_leaks(window, view, ground()).rate[0])
    assert find_leaks(window, view, ground(peaks=0.45 * free)).rate[0] > 0


@pytest.mark.parametrize("highest", [0, 0.8 * SIZE, SIZE])
def test_one_reading_of_a_full_heap_hides_no_leak_and_a_peak_below_may_be_a_tooth(highest: float) -> None:
    bench = Bench(LEAK_RULE)
    for minute in range(0, 48 * 60, 10):
        used = int(highest) if minute == 120 and highest else int(BASE + 3 * minute)
        bench.second(rows("b", "heap", ("main",), bench.now_ms + 599_000, {"size": SIZE, "used": used},
                          uptime_ms=60_000 * minute), seconds=600)  # fmt: skip
    assert bool(bench.findings) == (highest != 0.8 * SIZE)


@pytest.mark.parametrize(("part", "told"), [(0.4, False), (0.5, True)])
def test_a_counter_that_never_falls_may_take_most_of_memory_in_six_rises(part: float, *, told: bool) -> None:
    pages = np.repeat(np.arange(7), 5)[-31:]
    window = (BASE + part * (SIZE - BASE) / 6 * pages)[None, :]
    assert told == (find_leaks(window, VIEWS.index((6, False)), ground(ratchets=1)).rate[0] > 0)


@pytest.mark.parametrize(("ratchets", "told"), [(1, False), (0, True)])
def test_a_lone_record_of_a_counter_that_never_falls_is_no_leak(ratchets: int, *, told: bool) -> None:
    records = np.repeat([132, 140, 148, 152, 156, 176, 208], [3, 2, 1, 3, 2, 8, 1]) * 1024.0
    known = ground(limits=256 * 1024, ratchets=ratchets)
    assert told == (find_leaks(records[None, :], VIEWS.index((4, False)), known).rate[0] > 0)


def test_a_leak_that_begins_late_is_looked_at_from_there_on() -> None:
    known = ground(heard_ms=200 * HOUR_MS)
    window = BASE + 500 * np.maximum(0, np.arange(31.0) - 17)[None, :]
    found = find_leaks(window, 3, known)
    assert found.rate[0] == pytest.approx(500 / HOURS_OF[3])
    assert found.minutes[0] == pytest.approx(60 * 12 * HOURS_OF[3])  # from where a tenth had come
    assert found.hours_left[0] == pytest.approx((SIZE - window[0, -1]) / found.rate[0] - HOURS_OF[3] / 2)
    assert np.isnan(find_leaks(window, 3, ground(heard_ms=3 * HOUR_MS)).rate[0])
    window[0, 4:9] = window[0, -1]  # it stood there before: the next tooth
    assert np.isnan(find_leaks(window, 3, known).rate[0])


def test_what_may_be_the_first_tooth_is_told_where_a_long_boot_has_shown_none() -> None:
    window, by_hours = line(150), VIEWS.index((5, False))
    assert np.isnan(find_leaks(window, 2, ground(heard_ms=3 * HOUR_MS)).rate[0])
    assert np.isnan(find_leaks(window, 2, ground(heard_ms=200 * HOUR_MS)).rate[0])  # a queue, the uplink being away
    assert find_leaks(1.3 * window, 2, ground(heard_ms=45 * HOUR_MS)).rate[0] > 0
    assert np.isnan(find_leaks(window, by_hours, ground(heard_ms=45 * HOUR_MS)).rate[0])
    assert find_leaks(window, by_hours, ground(heard_ms=200 * HOUR_MS)).rate[0] > 0
    fell_from = ground(heard_ms=200 * HOUR_MS, ceilings=15_000, ceiling_ages_ms=100_000)
    assert np.isnan(find_leaks(window, by_hours, fell_from).rate[0])


def test_the_first_half_tooth_of_a_boot_that_is_old_but_new_to_us_is_no_leak() -> None:
    bench = Bench(LEAK_RULE)
    for second in range(0, 900, 10):
        used, up = int(saw(840, 9_000)(second + 400)), 4 * 24 * HOUR_MS + 1000 * second
        bench.second(rows("b", "heap", ("main",), bench.now_ms + 9_900, {"size": SIZE, "used": used}, uptime_ms=up),
                     seconds=10)  # fmt: skip
    assert bench.findings == []


@pytest.mark.parametrize("phase", range(0, 24, 2))
def test_a_daily_cycle_is_no_leak_at_any_hour(phase: int) -> None:
    ages = np.arange(31)[None, :]
    for view in range(3, len(VIEWS)):
        hours = phase + ages * HOURS_OF[view]
        window = BASE + 4_000 * (1 - np.cos(2 * np.pi * hours / 24))
        assert np.isnan(find_leaks(window, view, ground()).rate[0])
        if HOURS_OF[view] == 12:
            leaking = find_leaks(window + 20 * ages * HOURS_OF[view], view, ground())
            assert leaking.rate[0] == pytest.approx(20, rel=0.1)


@pytest.mark.parametrize("hours", [42, 52])
def test_teeth_that_last_for_days_are_leaks_once_and_what_outgrows_them_is_one(hours: int) -> None:
    """The first tooth might be anything; a leak of 200 bytes/h beneath later ones is told once it is above them."""
    bench, noise = Bench(LEAK_RULE), random.Random(hours)
    bench.judge = Judge(parse_rules(LEAK_RULE), Shelf(), 1e9, step_ms=3_600_000)
    for up_s in range(0, 16 * 86_400, 3600):
        tooth, leak = 51_200 * (up_s / 3600 % hours) / hours, 200 * max(0, up_s - 8 * 86_400) / 3600
        used = min(204_800, int(122_880 + tooth + leak + noise.uniform(0, 2_000)))
        values = {"size": 204_800, "used": used}
        reading = rows("b", "heap", ("main",), bench.now_ms + 3_599_000, values, uptime_ms=1000 * up_s)
        bench.second(reading, seconds=3600)
    days = [(finding.at_ms - START_MS) / 1000 / 86_400 for finding in bench.findings if finding.status == "firing"]
    assert [day for day in days if hours / 24 + 0.1 < day < 8] == []
    assert [day for day in days if 8 < day < 15]


def test_what_filled_for_hours_is_no_leak_a_day_later_when_it_has_long_been_full() -> None:
    view = VIEWS.index((5, True))
    hours = (np.arange(31.0)[None, :] - 4) * HOURS_OF[view]
    rises = np.where(hours < 0, np.nan, BASE + 500 * hours)
    assert find_leaks(rises, view, ground()).rate[0] == pytest.approx(500, rel=0.05)
    full_for = 18
    full = np.fmin(rises, np.nanmax(rises) - 500 * full_for)
    assert np.isnan(find_leaks(full, view, ground()).rate[0])
    full[:, -3:] = np.nan  # then nothing is heard for some hours
    assert np.isnan(find_leaks(full, view, ground(newest=np.nanmax(full))).rate[0])


def test_without_a_limit_a_young_boot_must_have_grown_by_more() -> None:
    days = VIEWS.index((5, False))

    def told(view: int, part: float, buckets: int, heard_h: float, **known: float) -> bool:
        window = np.full((1, 31), np.nan)
        window[:, -buckets:] = line(part * BASE / (buckets - 1), buckets)
        found = find_leaks(window, view, ground(limits=np.nan, heard_ms=heard_h * HOUR_MS, **known))
        return bool(np.isfinite(found.rate[0]))

    assert not told(3, 0.4, 31, 3)  # within 160 minutes
    assert not told(3, 0.4, 31, 70)  # a queue that fills while nobody takes from it
    assert told(3, 1.1, 31, 3)
    assert not told(days, 0.4, 14, 17)  # within 17 hours
    assert told(days, 0.4, 14, 70)
    assert not told(days, 0.4, 14, 70, known_to=1.5 * BASE)
    assert told(days, 0.4, 31, 41)  # over 40 hours


@given(st.lists(st.integers(0, 10_000), min_size=31, max_size=31))
@settings(max_examples=50, deadline=None)
def test_the_envelope_never_falls_and_never_exceeds_what_is_to_come(used: list[int]) -> None:
    held = envelope(np.array([used], dtype=float))[0]
    assert (np.diff(held) >= 0).all()
    assert all(held[i] == min(used[i:]) for i in range(31))


@given(st.lists(st.integers(0, SIZE), min_size=31, max_size=31), st.integers(1, 5))
@settings(max_examples=50, deadline=None)
def test_memory_that_came_back_to_where_it_was_is_no_leak(used: list[int], steps: int) -> None:
    window = np.array([[*used[:-1], used[0]]], dtype=float)
    found = find_leaks(window, 0, ground(resolutions=steps))
    assert np.isnan(found.rate[0])


def ended(*parts: np.ndarray | list[float], view: int = 4) -> bool:
    window = np.concatenate([np.asarray(part, dtype=np.float64) for part in parts])[None, -31:]
    return not has_not_ended(window, np.array([view]))[0]


def test_a_leak_that_pauses_has_not_ended_and_one_that_stopped_has() -> None:
    grows = BASE + 500.0 * np.arange(31)
    top = grows[-1]
    assert not ended(grows)
    assert not ended(grows, [top] * 10)
    assert ended(grows, [top] * 16)


def test_a_leak_of_weeks_outlasts_a_weekend_and_has_ended_a_few_days_after_it_stopped() -> None:
    half_days, top = BASE + 500.0 * np.arange(31), BASE + 15_000.0
    of_days = len(VIEWS) - 1
    assert not ended(half_days, [top] * 5, view=of_days)
    assert ended(half_days, [top] * 9, view=of_days)


def test_what_comes_and_goes_beside_a_leak_does_not_end_it_and_what_is_given_back_does() -> None:
    grows = BASE + 500.0 * np.arange(31)
    lower = grows[-1] - 5_500  # as where growth stood eleven buckets ago
    assert not ended(grows, [lower] * 4)
    assert ended(grows, [lower] * 6)
    assert ended(grows, [grows[-1] - 9_000])
