"""Leaks across boots, rushes, creeping stacks, and what detectors share: what is told, and what is left alone."""

from __future__ import annotations

import numpy as np
import pytest

from collector.judge.columns import BLOCK_HOURS
from collector.judge.detectors.boots import asked_across_boots, find_leaks_across_boots
from collector.judge.detectors.forecast import hours_left
from collector.judge.detectors.ground import Ground
from collector.judge.detectors.history import BUCKETS, HOUR_MS, WIDTHS_MS, History
from collector.judge.detectors.leak import Leaks, find_leaks
from collector.judge.detectors.rush import find_rushes
from collector.judge.detectors.shape import bend, bend_of_a_day, least_of_day
from collector.judge.detectors.tell import A_NIGHT, tell_leaks
from collector.judge.detectors.views import VIEWS
from collector.judge.series import Table
from tests.collector.judge.stream import LEAK_RULE, Bench, rows, told

SIZE = 100_000.0
LIMITS = np.array([SIZE])
HOURS = np.arange(BUCKETS - 1.0)[None, :]


def test_a_history_knows_the_highest_before_a_window_of_each_layer() -> None:
    history = History(2)
    history.make_room(1)
    for hour in range(24 * 8):
        values = np.array([[1.0, 90.0 if hour < 48 else 5.0]])
        history.add(np.zeros(1, dtype=int), np.array([hour * HOUR_MS]), values)
    rows, levels = np.zeros(1, dtype=int), np.array([WIDTHS_MS.index(3 * HOUR_MS)])
    assert history.highest_before(rows, levels)[0] == 1
    assert history.highest_before(rows, levels, layer=1)[0] == 90


def boots(*shapes: list[tuple[float, float]]) -> np.ndarray:
    """Boots of points (hours, bytes), newest first, as the history keeps them."""
    kept = np.full((1, 6, 4, 2), np.nan)
    for number, shape in enumerate(shapes):
        for place, (hours, used) in enumerate(shape):
            kept[0, number, place] = hours * HOUR_MS, used
    return kept


def across(*shapes: list[tuple[float, float]], ratchet: bool = False) -> tuple[Leaks, np.ndarray]:
    return find_leaks_across_boots(boots(*shapes), LIMITS, ratchet=ratchet)


RISE = [(0.0, 40_000.0), (1.0, 50_000.0), (2.0, 60_000.0), (3.0, 70_000.0)]


def test_three_boots_at_one_pace_are_a_leak() -> None:
    leaks, count = across(RISE, RISE, RISE)
    assert leaks.rate[0] == pytest.approx(10_000)
    assert count[0] == 3
    assert np.isnan(across(RISE, RISE)[0].rate[0])


def test_five_boots_that_agree_need_to_have_taken_less() -> None:
    lower = [(hours, 40_000 + 0.5 * (used - 40_000)) for hours, used in RISE]  # a quarter of what is free
    assert np.isnan(across(lower, lower, lower, lower)[0].rate[0])
    leaks, count = across(lower, lower, lower, lower, lower)
    assert count[0] == 5
    assert leaks.rate[0] == pytest.approx(5_000)
    assert np.isnan(across(lower, lower, lower, lower, lower, ratchet=True)[0].rate[0]), "records of load do as much"


def test_one_boot_that_outlasts_many_short_ones_tells_no_pace() -> None:
    short, lasted = [(0.005, 40_000.0)], [(0.005, 40_000.0), (0.07, 75_000.0)]
    assert np.isnan(across(short, short, lasted, short, short)[0].rate[0])
    assert np.isfinite(across(short, short, lasted, lasted, short)[0].rate[0])


def test_a_device_that_restarts_itself_will_do_so_where_it_did_before() -> None:
    upto = [(hours, 40_000 + 10_000 * hours) for hours in (0.0, 1.5, 3.0, 4.5)]  # a fifth boot may end at 85 %, too
    left = across(upto, upto, upto, upto)[0].hours_left[0]
    assert left == pytest.approx(4.5)
    lower = [(hours, used - 20_000) for hours, used in upto]  # restarted by people, or by the clock
    assert across(lower, lower, lower)[0].hours_left[0] == pytest.approx(8)


def test_boots_of_a_sample_or_two_are_a_leak_where_all_lie_on_one_line() -> None:
    seen = [[(0.02, 42_000.0)], [(0.05, 55_000.0)], [(0.03, 46_000.0), (0.08, 68_000.0)], [(0.06, 58_500.0)]]
    leaks, count = across(*seen)
    assert count[0] == 4
    assert leaks.rate[0] == pytest.approx(430_000, rel=0.1)
    scattered = [[(0.02, 66_000.0)], [(0.05, 45_000.0)], [(0.03, 70_000.0), (0.08, 52_000.0)], [(0.06, 40_000.0)]]
    assert np.isnan(across(*scattered)[0].rate[0])


def test_boots_of_which_only_the_newest_sample_is_known_are_a_leak() -> None:
    kept = np.full((1, 6, 4, 2), np.nan)
    for number, (minutes, used) in enumerate(
        [(2.1, 56_000), (1.2, 48_000), (0.4, 41_000), (2.6, 61_000), (3.4, 70_000)]
    ):
        kept[0, number, -1] = minutes * HOUR_MS / 60, used
    assert find_leaks_across_boots(kept, LIMITS, ratchet=False)[0].rate[0] == pytest.approx(580_000, rel=0.1)


def test_a_device_that_wakes_up_reports_and_sleeps_is_none() -> None:
    wakes = [[(0.01 + 0.0001 * number, 40_000.0 + 100 * number)] for number in range(6)]
    assert np.isnan(across(*wakes)[0].rate[0])


def test_boots_that_fill_a_cache_are_none() -> None:
    cache = [(0.0, 40_000.0), (1.0, 68_000.0), (2.0, 69_500.0), (3.0, 70_000.0)]
    assert np.isnan(across(cache, cache, cache, cache)[0].rate[0])


def test_a_cache_that_fills_after_each_nightly_restart_is_none() -> None:
    """It rises over half of what is free in each boot, and by less in its later part than in its earlier."""
    for slower in (0.5, 0.75):
        cache = [(4.0, 40_000.0), (12.0, 60_000.0), (20.0, 60_000.0 + slower * 20_000), (24.0, 85_000.0)]
        assert np.isnan(across(cache, cache, cache, cache, cache)[0].rate[0])
    leak = [(4.0, 40_000.0), (12.0, 60_000.0), (20.0, 79_000.0), (24.0, 99_000.0)]
    leaks = across(leak, leak, leak, leak, leak)[0]
    assert leaks.rate[0] == pytest.approx(2_450, rel=0.05)
    assert leaks.grown[0] == pytest.approx(24 * leaks.rate[0]), "from the start to the end of a boot"


def test_boots_that_give_back_what_starting_took_and_then_leak_are_a_leak() -> None:
    late = [(4.0, 40_500.0), (12.0, 40_400.0), (20.0, 75_000.0), (24.0, 93_000.0)]
    steady = [(4.0, 40_000.0), (12.0, 57_000.0), (20.0, 75_000.0), (24.0, 84_000.0)]
    ratio = asked_across_boots(boots(late, late, late), LIMITS, ratchet=False)[1][-2]
    assert np.isnan(ratio.measured[0])
    assert ratio.held[0]
    assert across(steady, steady, steady)[0].rate[0] > 0


def test_boots_that_are_not_sure_to_slow_down_are_a_leak() -> None:
    rises = [(1.0, 0.7), (0.8, 1.2), (1.2, 0.6), (0.9, 1.0), (1.1, 0.7)]
    uneven = [
        [(4.0, 40_000.0), (12.0, 40_000 + 20_000 * early), (20.0, 40_000 + 20_000 * (early + late)), (24.0, 90_000.0)]
        for early, late in rises
    ]
    assert across(*uneven)[0].rate[0] > 0


def test_records_that_each_boot_takes_early_are_none() -> None:
    """A stack that is deep within hours of each boot, and no deeper then, beside two boots that ended before."""
    deep = [(0.7, 38_800.0), (8.0, 71_600.0), (15.3, 71_600.0), (23.6, 71_600.0)]
    less = [(0.7, 40_000.0), (6.7, 48_800.0), (13.3, 60_400.0), (19.6, 60_400.0)]
    shapes = [[(0.1, 38_800.0), (2.0, 38_800.0), (4.0, 38_800.0)], less, deep, [(1.1, 38_800.0)]]
    ends = [asked_across_boots(boots(*shapes), LIMITS, ratchet=ratchet)[1][-1] for ratchet in (True, False)]
    assert [one.held[0] for one in ends] == [False, True], "only a counter that never falls is asked how it ended"
    assert across(RISE, RISE, RISE, ratchet=True)[0].rate[0] == pytest.approx(10_000)


def test_boots_at_unlike_paces_are_none() -> None:
    slow = [(10 * hours, used) for hours, used in RISE]
    fast = [(hours / 10, used) for hours, used in RISE]
    assert np.isnan(across(RISE, slow, fast)[0].rate[0])


def rush(*used: float, **known_of: float) -> float:
    """The rate told of a boot with those samples, one every five buckets."""
    samples = np.full((1, BUCKETS), np.nan)
    samples[0, BUCKETS - 1 - 5 * (len(used) - 1) :: 5] = used
    known = dict.fromkeys(Ground._fields, np.zeros(1)) | {"limits": LIMITS, "ceilings": np.array([np.nan])}
    known |= {name: np.array([value]) for name, value in known_of.items()}
    return float(find_rushes(samples, np.array([2]), Ground(**known)).rate[0])


def test_most_of_the_memory_taken_in_a_few_samples_is_a_rush() -> None:
    assert rush(40_000, 49_000, 61_000, 70_000, 79_000) == pytest.approx(10_000 / (400 / 3600), rel=0.1)


def test_a_job_of_minutes_is_no_rush() -> None:
    samples, known = np.full((1, BUCKETS), np.nan), dict.fromkeys(Ground._fields, np.zeros(1))
    samples[0, -11:] = np.linspace(40_000, 90_000, 11)
    ground = Ground(**known | {"limits": LIMITS, "ceilings": np.array([np.nan])})
    assert np.isnan(find_rushes(samples, np.array([1]), ground).rate[0])  # each twenty seconds
    assert find_rushes(samples, np.array([2]), ground).rate[0] > 0  # each eighty


@pytest.mark.parametrize(
    "used",
    [
        (40_000, 49_000, 58_000, 66_000),
        (40_000, 62_000, 71_000, 75_000, 77_000),
        (40_000, 41_000, 41_000, 80_000),
        (40_000, 60_000, 45_000, 70_000, 79_000),
        (40_000, 60_000, 80_000),
    ],
    ids=["too little", "a cache", "a step", "it comes and goes", "too few samples"],
)
def test_other_rises_are_no_rush(used: tuple[float, ...]) -> None:
    assert np.isnan(rush(*used))


def test_what_the_newest_value_took_back_is_no_growth() -> None:
    """A sample a bucket, and the last of them was high by chance: a third of what is free was taken, not half of it."""
    window = 40_000 + 700.0 * HOURS
    window[:, -1] += 10_000
    known = dict.fromkeys(Ground._fields, np.full(1, np.nan)) | {"limits": LIMITS, "resolutions": np.ones(1)}

    def told(newest: float) -> bool:
        ground = Ground(**known | {"newest": np.array([newest])})
        return bool(find_leaks(window, VIEWS.index((WIDTHS_MS.index(320_000), False)), ground).rate[0] > 0)

    assert told(window[0, -1])
    assert not told(window[0, -2])


def test_what_does_not_grow_never_ends() -> None:
    used, ages, limits = np.array([[40.0, 50.0]] * 3), np.array([[1.0, 0.0]] * 3), np.full(3, 100.0)
    assert hours_left(used, ages, np.array([10.0, 0.0, -10.0]), limits).tolist() == [5.0, np.inf, np.inf]


def test_a_rise_to_where_memory_was_before_is_no_rush() -> None:
    assert np.isnan(rush(40_000, 49_000, 61_000, 70_000, 79_000, ceilings=78_000.0))
    assert np.isnan(rush(40_000, 49_000, 61_000, 70_000, 79_000, known_to=78_000.0))
    assert np.isnan(rush(40_000, 49_000, 61_000, 70_000, 79_000, given_back=13_000.0))


def test_a_history_keeps_the_shape_of_ended_boots() -> None:
    history = History()
    history.make_room(1)
    for boot in range(3):
        for second in range(0, 3000, 30):
            time = np.array([1_790_000_000_000 + boot * 4_000_000 + second * 1000])
            history.add(np.array([0]), time, np.array([[1000.0 + second]]), np.array([second * 1000.0]))
        history.forget(0)
    kept = history.boots(np.array([0]))[0]
    assert np.isnan(kept[3:]).all()
    assert kept[0, -1] == pytest.approx([2_970_000, 3970])
    assert (np.diff(kept[0, :, 1]) > 0).all()


def test_the_least_of_a_day_needs_a_whole_day() -> None:
    window = np.array([[np.nan, np.nan, 5.0, 4.0, 3.0, 6.0, 7.0, 8.0, 9.0, 9.0]])
    assert np.array_equal(least_of_day(window, 4), [[np.nan, np.nan, 3, 3, 3, 6, 7]], equal_nan=True)


def test_the_least_of_a_day_is_unknown_where_more_than_half_of_it_was_not_heard() -> None:
    unheard = np.nan
    window = np.array([[5.0, 4.0, 3.0, unheard, unheard, 6.0, 7.0, unheard, unheard, unheard, 8.0, 9.0, 9.0, 9.0]])
    least = [3, 3, 3, 6, 6, 6, unheard, unheard, 8, 8, 8]
    assert np.array_equal(least_of_day(window, 4), [least], equal_nan=True)
    each_day = np.array([[5.0, unheard, 4.0, unheard, 6.0, unheard]])
    assert np.array_equal(least_of_day(each_day, 2), [[5, 4, 4, 6, 6]], equal_nan=True)


def test_a_wave_of_a_day_bends_more_the_longer_it_is_seen() -> None:
    bends = [bend_of_a_day(hours) for hours in (3, 6, 9, 12)]
    assert bends == sorted(bends)
    assert bends[-1] == pytest.approx((np.sin(np.pi / 4) - 0.5) / 2)


def test_a_line_does_not_bend_and_a_cache_slows_down() -> None:
    line, cache = 100 * HOURS, 10_000 * (1 - np.exp(-HOURS / 15))
    assert bend(line, np.ones(1)).ratio[0] == pytest.approx(1, abs=1e-6)
    assert bend(cache, np.ones(1)).ratio[0] == pytest.approx(np.exp(-1), rel=0.05)


def test_a_stack_ever_deeper_is_told_and_rare_records_are_not() -> None:
    bench = Bench()
    for minute in range(600):
        creeping, rare = 1500 + 4 * minute, 1500 + int(120 * np.log1p(minute))
        bench.second(
            rows("b", "stack", ("creeps",), bench.now_ms + 59_000, {"size": 6000, "max_used": creeping}),
            rows("b", "stack", ("rests",), bench.now_ms + 59_000, {"size": 6000, "max_used": rare}),
            seconds=60,
        )
    assert [(finding.names, finding.rule) for finding in bench.findings] == [(("creeps",), "stack-creep")]
    assert told(bench.findings) == [("stack-creep", "firing")]


def test_calls_that_are_deep_at_once_are_no_creeping_stack() -> None:
    bench, deepest = Bench(), [1500, 1500, 2500, 3500, 4500, 5000]
    for minute in range(40):
        values = {"size": 6000, "max_used": deepest[min(minute // 2, 5)]}
        bench.second(rows("b", "stack", ("net_rx",), bench.now_ms + 59_000, values), seconds=60)
    assert bench.findings == []
    bench = Bench()
    for minute in range(40):  # of a heap it is a rush
        used = 10 * deepest[min(minute // 2, 5)]
        bench.second(rows("b", "heap", ("h",), bench.now_ms + 59_000, {"size": 60_000, "used": used}), seconds=60)
    assert "heap-leak" in {finding.rule for finding in bench.findings}


def test_a_heap_that_tells_only_what_is_free_is_measured_against_what_was_free_at_first() -> None:
    bench = Bench(LEAK_RULE)
    started_ms = bench.now_ms
    for minute in range(60):
        bench.second(rows("b", "heap", ("main",), bench.now_ms, {"free": 24_000 - 300 * minute}), seconds=60)
    assert [finding.rule for finding in bench.findings] == ["heap-leak"]
    finding = bench.findings[0]
    assert finding.numbers["leak_rate"] == pytest.approx(18_000, rel=0.01)
    left = (24_000 - 300 * (finding.at_ms - started_ms) / 60_000) / 18_000
    assert finding.numbers["leak_hours_left"] == pytest.approx(left, rel=0.15)


def test_a_stack_that_tells_only_what_it_had_left_is_measured_against_what_that_was_at_first() -> None:
    bench = Bench()

    def hear(left: int) -> None:
        bench.second(rows("s", "stack", ("net",), bench.now_ms + 1_199_000, {"min_free": left}), seconds=1200)

    for number in range(720):
        hear(1_344 - number // 6 * 8)
    assert told(bench.findings) == [("stack-creep", "firing")]
    assert "bytes are left and will be used up in" in bench.findings[0].reason
    hear(200)
    assert told(bench.findings)[-1] == ("stack-low-of-unknown-size", "firing")
    assert bench.findings[-1].reason == "The stack of net once had only 200 bytes left; its size is unknown."


def test_what_ends_a_leak_is_forgotten_with_the_next_verdict() -> None:
    table, rows, leaks = Table("heap"), np.array([0]), Leaks(*np.ones((len(Leaks._fields), 1)))
    table.add("b", ("main",))
    tell_leaks(table, rows, 3, leaks, beside={BLOCK_HOURS: np.array([1.0])})
    assert table.column(BLOCK_HOURS)[0] == 1
    tell_leaks(table, rows, A_NIGHT, leaks)
    assert np.isnan(table.column(BLOCK_HOURS)[0])


def test_what_the_last_boot_still_said_is_not_taken_for_the_new_one() -> None:
    bench = Bench(LEAK_RULE)
    for boot in range(1, 6):
        last_ms = bench.now_ms + 120_000
        blocks = [
            rows("b", "heap", ("main",), last_ms - 1000 * (120 - up), {"size": 100_000, "used": 40_000 + 500 * up},
                 boot=boot, uptime_ms=1000 * up)
            for up in range(30, 121, 30)
        ]  # fmt: skip
        bench.second(*blocks, seconds=120)
    board = bench.judge.board
    kept = board.histories["heap"].boots(np.array([board.tables["heap"].find("b", ("main",))]))[0]
    assert np.isfinite(kept[:4, -1]).all()
    assert kept[:4, -1] == pytest.approx(np.tile([120_000, 100_000], (4, 1)))
