"""One night at the desk: which growth a line through its blocks tells, and which healthy memory it leaves alone."""

from __future__ import annotations

import numpy as np
import pytest

from collector.judge.detectors.blocks import BLOCKS, WIDTH_MS, Blocks
from collector.judge.detectors.line import line_through
from collector.judge.detectors.night_leaks import find_night_leaks
from collector.judge.detectors.settled import find_leaks_of_nights
from collector.judge.detectors.sights import look_at
from collector.judge.detectors.stairs import rises_in_steps
from collector.judge.detectors.teeth import feet, saws
from collector.judge.explaining_night import explain_night, explain_settled
from telemetry.readings import About
from telemetry.wire import Rows
from tests.collector.judge.nights import (
    BASE,
    HOURS,
    NIGHTS,
    SAMPLES,
    Shape,
    cache,
    clients,
    five_minutes,
    night,
    teeth,
    told,
    traffic,
)
from tests.collector.judge.stream import LEAK_RULE, Bench, as_one, rows


@pytest.mark.parametrize(
    ("shape", "lost"),
    [
        (traffic, 4_096), (clients, 16_000), (teeth(0.05), 12_000), (teeth(0.4), 12_000), (teeth(0.9), 8_000),
        (teeth(1.5), 12_000), (teeth(3), 20_000), (teeth(5), 40_000), (teeth(3, 20_000), 120_000),
    ],
)  # fmt: skip
def test_a_leak_beneath_traffic_clients_and_teeth_is_told(shape: Shape, lost: float) -> None:
    assert told(night(shape, lost)) >= 0.9 * NIGHTS


@pytest.mark.parametrize("hours", [0.017, 0.1, 0.4, 0.61, 1.0, 1.5, 2.5, 3.9, 5.0, 7.6])
def test_teeth_are_left_alone(hours: float) -> None:
    assert told(night(teeth(hours))) == 0


@pytest.mark.parametrize("shape", [traffic, clients, cache(0.2), cache(3), cache(12), cache(24)])
def test_steady_memory_and_caches_are_left_alone(shape: Shape) -> None:
    assert told(night(shape)) == 0


@pytest.mark.parametrize("hours", [0.4, 0.6, 3.0, 6.0])
def test_a_leak_behind_a_page_that_somebody_opened_is_told(hours: float) -> None:
    """What came for twenty minutes and went is no tooth, whose slope the leak would have to have."""

    def page(chance: np.random.Generator) -> np.ndarray:
        return np.asarray(traffic(chance) + 9_900 * ((hours <= HOURS) & (hours + 0.33 > HOURS)))

    assert told(night(page, 25_000)) >= 0.9 * NIGHTS
    assert told(night(page)) == 0


def test_a_night_that_does_not_begin_with_its_boot_must_rise_more_surely() -> None:
    """A rise that is told of a first night is not told of a later one, unless it leaves no doubt."""

    def sessions(chance: np.random.Generator) -> np.ndarray:
        return 2_500.0 * np.repeat(chance.poisson(4, (BLOCKS - 1) * 2), SAMPLES // 2)

    first = night(sessions, 9_000)
    assert told(first) > 0
    assert told(first._replace(boots_at=np.full(NIGHTS, -60.0))) < told(first)
    sure = night(traffic, 24_000, boots_at=-60.0)
    assert told(sure) == NIGHTS
    for row, of_row in ((row, sure.of(np.array([row]))) for row in range(NIGHTS)):
        assert explain_night(of_row).told, row


def test_a_leak_beside_a_cache_that_is_full_soon_is_told_and_explained() -> None:
    def fills(chance: np.random.Generator) -> np.ndarray:
        return np.asarray(traffic(chance) + 40_000 * (1 - np.exp(-HOURS / 0.7)))

    leaking, well = night(fills, 80_000), night(fills)
    assert np.isnan(find_night_leaks(leaking)[0].rate).all()  # the night as a whole slows down
    rates = find_leaks_of_nights(leaking)[0].rate
    assert np.nanmedian(rates) == pytest.approx(80_000 / 8, rel=0.05)
    assert told(leaking) >= 0.8 * NIGHTS
    assert told(well) == 0
    for row in range(NIGHTS):
        assert explain_settled(leaking.of(np.array([row]))).told == bool(np.isfinite(rates[row]))


def test_what_is_taken_in_a_few_steps_is_no_leak() -> None:
    def steps(chance: np.random.Generator) -> np.ndarray:
        at = np.sort(chance.uniform(0.5, 7.5, 3))
        return traffic(chance) + 8_000 * np.searchsorted(at, HOURS)

    assert told(night(steps)) == 0
    assert told(night(traffic, 24_000)) == NIGHTS


def test_pages_taken_at_an_even_pace_are_no_staircase_and_records_are_one() -> None:
    chance, blocks = np.random.default_rng(2), np.arange(95)

    def no_staircases(taken_at: np.ndarray) -> int:
        used = 4096.0 * (taken_at[:, :, None] <= blocks).sum(axis=1)
        line = line_through(np.broadcast_to(blocks / 12, used.shape), used)
        return int((~rises_in_steps(used, line.rest, line.ratio)).sum())

    assert no_staircases(chance.uniform(0, 95, (100, 14))) >= 75
    assert no_staircases(np.exp(chance.uniform(0, np.log(95), (100, 14)))) <= 5  # ever rarer, by the same ratio


def test_feet_of_long_teeth_are_known_as_exactly_as_their_errors_say() -> None:
    nights = night(teeth(0.9), boots_at=-20)
    found = feet(saws(nights.mean, nights.boots_at), NIGHTS, nights.block_hours)
    known = np.isfinite(found.used)
    assert (known.sum(axis=1) >= 7).all()
    about = found.used - np.nanmedian(found.used)
    assert np.nanstd(about / found.errors) == pytest.approx(1, abs=0.25)
    assert np.nanmax(found.errors) < 600  # of teeth of 40,000 bytes, in traffic of 8,000
    assert found.heights == pytest.approx(40_000, rel=0.03)


@pytest.mark.parametrize("hours", [0.7, 0.9, 1.2])
def test_feet_of_the_first_hours_tell_nothing_where_memory_stays_below_their_line(hours: float) -> None:
    def full_soon(chance: np.random.Generator) -> np.ndarray:
        filled = 8_000 * np.minimum(1, HOURS / 2.7) + np.where(HOURS < 2.7, 8_000 * (HOURS / hours % 1), 0)
        return np.asarray(300 * chance.beta(2, 3, len(HOURS)) + filled)

    nights = night(full_soon)
    with np.errstate(all="ignore"):
        by_feet = next(sight for sight in look_at(nights).each if sight.name == "feet")
    assert by_feet.rises.all()
    assert not by_feet.holds.any()
    assert told(nights) == 0


def test_rate_and_interval_are_right() -> None:
    found, _ = find_night_leaks(night(clients, 30_000))
    inside = (found.low < 3_750) & (found.high > 3_750)
    assert inside.sum() >= 0.8 * NIGHTS
    assert np.nanmedian(found.rate) == pytest.approx(3_750, rel=0.05)


def test_what_stood_before_the_night_is_no_news() -> None:
    assert told(night(traffic, 20_000, stood_before=BASE + 30_000)) == 0
    assert told(night(traffic, 20_000, stood_before=BASE + 2_000)) == NIGHTS


def test_what_wandered_as_far_in_nights_before_is_no_leak() -> None:
    assert told(night(traffic, 20_000, fell_before=11_000)) == 0
    assert told(night(traffic, 20_000, fell_before=5_000)) == NIGHTS


def test_what_is_closed_and_opened_anew_is_no_end_of_a_tooth() -> None:
    def reconnects(chance: np.random.Generator) -> np.ndarray:
        closed = abs(HOURS - chance.uniform(6.8, 7.3)) < 0.07
        return np.asarray(chance.uniform(0, 1_500, len(HOURS)) - 15_000 * closed)

    assert told(night(reconnects, 40_000)) >= 0.9 * NIGHTS
    assert told(night(reconnects)) == 0


def test_means_that_rise_above_floors_that_stay_are_no_leak() -> None:
    """More clients come in the morning, and all of them go again."""

    def morning(chance: np.random.Generator) -> np.ndarray:
        return traffic(chance) + 12_000.0 * (chance.random(len(HOURS)) < 0.2 + 0.5 * HOURS / 8)

    rises = night(morning)
    with np.errstate(all="ignore"):
        means = next(sight for sight in look_at(rises).each if sight.name == "smooth")
    assert (means.rises & means.goes_on).sum() > 0.5 * NIGHTS
    assert told(rises) == 0
    assert told(night(morning, 30_000)) > 0.5 * NIGHTS


def test_too_short_a_night_tells_nothing() -> None:
    short = night(traffic, 20_000)
    short.least[:, :6], short.mean[:, :6] = np.nan, np.nan
    assert told(short) == 0


def test_a_leak_that_stops_is_taken_back() -> None:
    assert find_night_leaks(night(traffic, 20_000))[1].all()
    assert not find_night_leaks(night(traffic))[1].any()


def test_an_explanation_agrees_with_the_detector() -> None:
    told_by = set()
    for shape, lost in (
        (traffic, 2_500),
        (clients, 8_000),
        (teeth(0.4), 7_000),
        (teeth(1.5), 9_000),
        (teeth(5), 9_000),
    ):
        nights = night(shape, lost)
        rates = find_night_leaks(nights)[0].rate
        for row in range(NIGHTS):
            said = explain_night(nights.of(np.array([row])))
            assert said.told == bool(np.isfinite(rates[row])), said.conditions
            if said.told and said.window is not None:
                told_by.add(said.window.sight)
                assert said.window.slope == pytest.approx(rates[row])
    assert len(told_by) >= 4


def test_growth_that_has_just_begun_is_explained_by_the_bound_that_it_passes() -> None:
    def late(chance: np.random.Generator) -> np.ndarray:
        return np.asarray(traffic(chance) + 12_000 * np.maximum(0, HOURS - 3))

    conditions = {one.what: one for one in explain_night(night(late).of(np.array([0]))).conditions}
    bounds = [one for what, one in conditions.items() if "its second half to its first" in what or "just begun" in what]
    assert [(one.relation, one.held) for one in bounds] == [("at least", True), ("at most", False)]
    assert bounds[1].measured is not None
    assert bounds[1].asked is not None
    assert bounds[1].measured > bounds[1].asked


def test_blocks_hold_least_values_and_means_of_close_samples_only() -> None:
    blocks = Blocks()
    blocks.make_room(2)
    last = np.array([np.nan, np.nan])
    both = np.array([0, 1])
    for second in range(0, 1_000, 10):
        times = np.array([second * 1000, second * 6_000])
        blocks.add(both, times, np.array([100.0 + second % 300, 5.0]), last)
        last = times.astype(float)
    least, mean = blocks.closed(both)
    assert least[0, -2:].tolist() == [100, 100]  # the first block lost the sample that nothing came before
    assert mean[0, -1] == pytest.approx(245)
    assert np.isnan(least[1]).all()
    assert blocks.saved(both) == b"\1\0" + blocks.saved(both[:1])[1:]
    assert blocks.take_closed().tolist() == [0]
    again = Blocks()
    again.make_room(2)
    again.restore(both, blocks.saved(both))
    assert np.array_equal(again.closed(both)[1], mean, equal_nan=True)
    samples = again.closed_samples(both)
    assert np.array_equal(samples, blocks.closed_samples(both), equal_nan=True)
    assert samples[0, -1].tolist() == [100.0 + second % 300 for second in range(600, 900, 10)]


def test_a_gap_leaves_blocks_blank_and_a_boot_what_is_older() -> None:
    blocks = Blocks()
    blocks.make_room(1)
    row, start = np.array([0]), 0
    for begin in (0, 4 * WIDTH_MS):
        times = np.arange(begin, begin + 2 * WIDTH_MS, 10_000)
        blocks.add(np.repeat(row, len(times)), times, np.ones(len(times)), np.full(len(times), float(start)))
        start = int(times[-1])
    known = np.isfinite(blocks.closed(row)[0][0])
    assert known[-6:].tolist() == [False, True, True, False, False, True]
    blocks.begin_boot(0, 3.0 * WIDTH_MS)  # the boot that is over had started by then
    known = np.isfinite(blocks.closed(row)[0][0])
    assert known[-6:].tolist() == [False, False, False, False, False, True]
    assert np.array_equal(np.isfinite(blocks.closed_samples(row)[0]).any(axis=1), known)
    times = np.arange(5 * WIDTH_MS + 100_000, 6 * WIDTH_MS + 100_000, 10_000)
    blocks.add(np.repeat(row, len(times)), times, np.full(len(times), 7.0), np.full(len(times), float(start)))
    assert blocks.closed(row)[0][0, -3:].tolist()[1:] == [1.0, 7.0]  # what the block still open held is forgotten


def test_a_row_keeps_its_place_only_while_its_samples_stand_close_together() -> None:
    def add(row: int, seconds: list[int]) -> None:
        last = np.nan
        for second in seconds:
            blocks.add(np.array([row]), np.array([second * 1000]), np.array([5.0]), np.array([last]))
            last = second * 1000.0

    def begin_ms() -> list[float]:
        return [float(ms) for ms in blocks.begin_ms(np.array([0, 1]))]

    blocks = Blocks()
    blocks.make_room(64)
    add(0, [0, 5, *range(120, 3000, 120)])
    assert np.isfinite(begin_ms()[0])
    add(0, list(range(3000, 4500, 120)))
    assert np.isnan(begin_ms()).all()
    assert blocks.saved(np.array([0])) == b"\0"
    for row in range(1, 40):  # more than there are places at first: one of them is that
        add(row, [4500, 4505])
        least, mean = blocks.closed(np.array([row]))
        assert np.isnan(least).all()
        assert np.isnan(mean).all()
    add(0, [9000, 9010])
    assert np.isfinite(begin_ms()).all()
    assert np.isnan(blocks.closed_samples(np.array([0]))).all(), "what it had before is forgotten"


def test_gaps_and_lost_samples_take_no_place_away() -> None:
    blocks, chance, last = Blocks(), np.random.default_rng(1), np.nan
    blocks.make_room(1)
    for second in range(0, 8 * 3600, 10):
        if second % 1800 < 900 and chance.random() < 0.5:
            blocks.add(np.array([0]), np.array([second * 1000]), np.array([5.0]), np.array([last]))
            last = second * 1000.0
    assert np.isfinite(blocks.closed(np.array([0]))[0]).sum() > 40


@pytest.mark.parametrize("twice", [True, False])
def test_a_reading_that_came_twice_makes_no_night_of_a_board_in_the_field(twice: bool) -> None:
    bench, chance = Bench(LEAK_RULE), np.random.default_rng(3)
    for boot, hours in ((1, 9), (2, 1)):
        for seconds in range(0, hours * 3600, 120):
            at = [0, 5] if twice and seconds in (0, 120) else [0]
            used = 120_000 + 0.5 * seconds + 8_000 * chance.beta(2, 3)
            bench.second(
                *(
                    rows(
                        "b", "heap", ("main",), bench.now_ms + 1000 * late,
                        {"size": 300_000, "free": int(300_000 - used)}, boot=boot, uptime_ms=1000 * (seconds + late),
                    )
                    for late in at
                ),
                seconds=120,
            )  # fmt: skip
    assert bench.findings == []


def test_after_two_days_nights_are_asked_no_more_but_what_was_told_stays() -> None:
    of_old = night(traffic, 40_000, boots_at=-12 * 48.0)
    assert told(of_old._replace(boots_at=np.full(NIGHTS, -12 * 39.0))) == NIGHTS
    leaks, stays = find_leaks_of_nights(of_old)
    assert np.isnan(leaks.rate).all()
    assert stays.all()
    assert not explain_night(of_old.of(np.array([0]))).told


def test_a_tooth_that_ends_just_now_is_left_alone() -> None:
    whole = night(teeth(8.0), newest=BASE + 2_000)
    assert told(whole) == 0
    assert told(whole._replace(newest=np.full(NIGHTS, BASE + 40_000.0))) == NIGHTS


def test_a_night_of_readings_ends_in_an_alert() -> None:
    bench, chance = Bench(LEAK_RULE), np.random.default_rng(3)
    for seconds in range(0, 8 * 3600, 300):
        five_minutes(bench, seconds, 0.5, lambda: 8_000 * chance.beta(2, 3))
    assert {finding.names for finding in bench.findings} == {("leaks",)}
    assert bench.findings[0].at_ms - 1_790_000_000_000 > 7.6 * 3_600_000


def test_what_fills_again_after_a_restart_is_no_leak() -> None:
    bench, chance = Bench(LEAK_RULE), np.random.default_rng(3)
    for boot, hours, lost, held in ((1, 12, 0, 40_000), (2, 9, 0.5, 0)):
        for seconds in range(0, hours * 3600, 300):
            five_minutes(bench, seconds, lost, lambda: held + 8_000 * chance.beta(2, 3), boot)  # noqa: B023
    assert bench.findings == []


@pytest.mark.parametrize("field", ["user_mode", "peak_user_mode"])
def test_a_night_of_an_mt3620_is_told_and_records_are_not(field: str) -> None:
    bench = Bench(LEAK_RULE.replace('kind = "heap"', 'kind = "process"'))
    bench.second(*(About(device, 1, {"platform": "mt3620"}) for device in ("leaks", "creeps")))
    for seconds in range(0, 8 * 3600, 300):
        said: dict[str, list[Rows]] = {"leaks": [], "creeps": []}
        for ms in range(0, 300_000, 15_000):
            hours, uptime_ms = (seconds + ms / 1000) / 3600, seconds * 1000 + ms
            for device, kib in (("leaks", 78 + 3.7 * hours), ("creeps", 78 + 13 * np.log2(1 + hours))):
                used = {field: 1024 * int(kib)}
                of_kib = {"resolution": 1024, "uptime_ms": uptime_ms}
                said[device].append(rows(device, "process", (), bench.now_ms + ms, used, **of_kib))
        bench.second(*map(as_one, said.values()), seconds=300)
    assert [(finding.device, finding.status) for finding in bench.findings] == [("leaks", "firing")]
    assert "3.7 KiB/h" in bench.findings[0].reason
