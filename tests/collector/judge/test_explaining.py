"""An explanation says what the detector does: it tells a thing exactly where all of its conditions hold."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from collector.judge.detectors.conditions import all_held
from collector.judge.detectors.ground import Ground
from collector.judge.detectors.history import HOUR_MS
from collector.judge.detectors.leak import find_leaks
from collector.judge.detectors.rush import asked_of_line, asked_of_rise, find_rushes, rise_of
from collector.judge.detectors.step import asked_of_step, find_steps
from collector.judge.detectors.views import HOURS_OF, VIEWS
from collector.judge.explaining import Condition, explain_leak
from collector.judge.explaining_device import Explained, explain_device
from tests.collector.judge.stream import Bench, rows

SIZE = 300_000.0
BUCKETS = 31


def case(chance: np.random.Generator) -> tuple[np.ndarray, int, Ground]:
    """A window and what is known beside it: growth of any shape, with noise, teeth, gaps."""
    view, x = int(chance.integers(len(VIEWS))), np.linspace(0, 1, BUCKETS)
    grown, shape = SIZE * chance.choice([0.01, 0.1, 0.3, 0.6]), chance.choice([0.5, 0.8, 1.0, 1.2])
    window = 60_000 + grown * x**shape + np.abs(chance.normal(0, grown * chance.choice([0, 0.01, 0.2]), BUCKETS))
    window[chance.random(BUCKETS) < chance.choice([0, 0.1, 0.5])] = np.nan
    window[: int(chance.choice([0, 0, 12, 22]))] = np.nan
    age_ms = float(BUCKETS * HOURS_OF[view] * HOUR_MS * chance.choice([1, 6]))
    ground = Ground(
        *(np.array([float(one)]) for one in (
            chance.choice([SIZE, SIZE, np.nan]), chance.choice([np.nan, 50_000, 120_000]), chance.choice([0, age_ms]),
            chance.choice([np.nan, 40_000, 90_000]), chance.choice([np.nan, 90_000]), chance.choice([0, 2_000]),
            chance.choice([np.nan, 0, 20_000]), chance.choice([1, 1024]), age_ms, chance.choice([0, 1]),
            chance.choice([np.nan, 60_000, 200_000]), chance.choice([0, 60_000]), 0, np.nan,
            chance.choice([np.nan, 60_000, 90_000]), chance.choice([np.nan, 30_000]),
        ))
    )  # fmt: skip
    return window[None], view, ground


def test_it_agrees_with_the_detector() -> None:
    chance = np.random.default_rng(11)
    told = 0
    for _ in range(400):
        window, view, ground = case(chance)
        found, said = find_leaks(window, view, ground), explain_leak(window, view, ground)
        is_leak = bool(np.isfinite(found.rate[0]))
        assert is_leak == said.told, said
        if is_leak and said.window is not None:
            told += 1
            seen = said.window
            assert np.allclose(
                [seen.slope, seen.slope_low, seen.slope_high], [found.rate[0], found.low[0], found.high[0]]
            )
    assert 20 < told < 280


def test_it_agrees_where_a_row_is_looked_at_alone() -> None:
    chance, told = np.random.default_rng(12), {True: 0, False: 0}
    for _ in range(300):
        samples, view = 40_000 + 3e5 * np.sort(chance.random((1, 32))), int(chance.integers(5))
        samples[chance.random(samples.shape) < 0.8] = np.nan
        ground = Ground(*np.zeros((len(Ground._fields), 1)))._replace(
            limits=np.array([SIZE]), ceilings=np.array([chance.choice([np.nan, 2e5])])
        )
        asked = [*asked_of_rise(samples, np.array([view]), ground), *asked_of_line(*rise_of(samples[0], view))]
        is_rush = bool(np.isfinite(find_rushes(samples, np.array([view]), ground).rate[0]))
        assert bool(all_held(asked)[0]) == is_rush
        told[is_rush] += 1
        window = np.where(np.arange(31)[None] >= chance.integers(31), 40_000.0 + chance.integers(60_000), 40_000.0)
        window[0, chance.random(31) < chance.choice([0, 0.2])] = np.nan
        step = find_steps(window, len(VIEWS) - 2, np.array([SIZE]), ratchet=False).size[0]
        asked = asked_of_step(window, len(VIEWS) - 2, np.array([SIZE]), np.array([np.nan]), ratchet=False)
        assert bool(all_held(asked)[0]) == bool(np.isfinite(step))
        told[bool(np.isfinite(step))] += 1
    assert min(told.values()) > 30


def test_it_names_what_was_given_back_and_what_is_missing() -> None:
    window = np.full((1, BUCKETS), np.nan)
    window[0, -10:] = [1000, 1100, 5000, 1200, 1300, 1400, 1500, 1600, 1700, 1800]
    ground = Ground(
        *(
            np.array([one])
            for one in (1e6, np.nan, 0, np.nan, np.nan, 0, 0, 1, 1e6, 0, np.nan, 0, 0, np.nan, np.nan, np.nan)
        )
    )
    said = explain_leak(window, 0, ground)
    assert said.window is not None
    assert not said.told
    assert said.window.kept[-10:] == (True, True, False, *(True,) * 7)
    assert said.window.buckets[0] is None
    assert said.window.envelope[-8] == 1200
    span = Condition("from the first to the last", False, 45 / 3600, "at least", 60 / 3600, "hours")
    assert [one for one in said.conditions if one.form == "hours"] == [span]


def leaves(conditions: tuple[Condition, ...]) -> Iterator[Condition]:
    for one in conditions:
        yield from leaves(one.parts) if one.parts else (one,)


def said_of(bench: Bench, device: str = "board-1") -> dict[str, list[Explained]]:
    """Explanations of the heap of a device, and of itself, by their questions."""
    found: dict[str, list[Explained]] = {}
    for one in explain_device(bench.judge, device):
        found.setdefault(one.why.question, []).append(one)
    return found


def test_every_verdict_is_explained_of_a_series_about_which_nothing_was_said() -> None:
    bench = Bench()
    for _ in range(3):
        bench.heap(12_000)
    found = said_of(bench)
    assert {"leak", "block", "rush", "boots", "fragmentation", "peers", "restarts", "rule heap-leak"} <= set(found)
    assert not any(one.told for every in found.values() for one in every)
    assert all(one.why.conditions for every in found.values() for one in every)


def test_every_verdict_is_explained_of_a_boot_of_which_nothing_is_kept_yet() -> None:
    bench = Bench()
    for uptime_ms in (60_000, 61_000):
        bench.heap(12_000, uptime_ms=uptime_ms)
    bench.heap(12_000, boot=2, uptime_ms=1_000)
    assert {(look.told, look.why.window) for look in said_of(bench)["quiet"]} == {(False, None)}


def test_what_only_tells_a_mark_is_said_to_tell_too_little() -> None:
    bench = Bench()
    for _ in range(3):
        bench.second(rows("board-1", "heap", ("main",), bench.now_ms + 900, {"size": 90_000, "min_free": 12_000}))
    found = said_of(bench)
    assert {"leak", "boots", "peers"}.isdisjoint(found)
    ((said,),) = (one.why.conditions for one in found["said"])
    assert (said.what, said.held) == ("its device says how much is used, by used or free", False)
    assert "rule heap-was-low" in found


def test_memory_that_never_falls_is_explained_by_points_between_all_that_is_known() -> None:
    bench = Bench()
    for minute in range(70):
        told = {"size": 22_528, "free": 16_000 - 40 * minute}
        bench.second(rows("board-1", "heap", ("main",), bench.now_ms, told, uptime_ms=60_000 * minute), seconds=60)
    seen = next(one.why.window for one in said_of(bench)["quiet"] if one.told)
    assert seen is not None
    assert seen.envelope == seen.buckets
    assert 0.75 < seen.bucket_hours * (len(seen.buckets) - 1) < 1, "from the first rise that was seen to the last"
    assert 32 < seen.values < 40, "32 of the last 43 minutes, and some before them"


def test_a_leak_a_low_heap_and_the_rules_on_them_are_explained_as_they_are_told() -> None:
    bench = Bench()
    for second in range(400):
        bench.heap(max(300, 20_000 - 50 * second))
    found = said_of(bench)
    assert {one.rule for one in bench.findings if one.status == "firing"} >= {"heap-leak", "heap-nearly-full"}
    assert any(one.told for one in found["leak"])
    for rule in ("rule heap-leak", "rule heap-nearly-full"):
        assert (found[rule][0].told, found[rule][0].why.state) == (True, "firing")
    low, _ = found["rule heap-nearly-full"][0].why.conditions
    assert (low.what, low.measured, low.relation, low.form) == ("free", 300.0, "less than", "size")
    assert low.asked == pytest.approx(0.03 * 22_528)


def test_joined_conditions_of_a_rule_are_shown_apart() -> None:
    bench = Bench(
        '[[rule]]\nname = "odd"\nkind = "heap"\nseverity = "info"\nreason = "odd"\n'
        'when = "0 < free < 100 or used > 5 and known(largest_free)"\n'
    )
    bench.heap(12_000)
    (rule,) = said_of(bench)["rule odd"]
    (either,) = rule.why.conditions
    assert [(part.what, part.held, part.relation) for part in either.parts] == [
        ("0 < free < 100", False, "all of these"),
        ("used > 5 and known(largest_free)", False, "all of these"),
    ]
    assert [(leaf.what, leaf.held, leaf.measured) for leaf in leaves(rule.why.conditions)] == [
        ("0", True, 0.0), ("free", False, 12_000.0), ("used", True, 10_528.0), ("known(largest_free)", False, None),
    ]  # fmt: skip


def test_what_was_before_a_restart_is_said_to_be_over() -> None:
    bench = Bench()
    bench.heap(12_000)
    bench.second(rows("board-1", "heap", ("other",), bench.now_ms + 900, {"size": 9_000, "free": 8_000}, boot=2))
    (over, _) = said_of(bench)["rule heap-low"]
    assert over.why.conditions[-1].what == "heard since the device restarted"
    assert not over.told


def test_an_event_is_explained_by_its_having_happened() -> None:
    bench = Bench()
    bench.second(rows("board-1", "event", ("alloc_failed",), bench.now_ms + 900, {"size": 100}))
    bench.heap(12_000)
    (failed,) = said_of(bench)["rule allocation-failed"]
    assert (failed.told, failed.why.state) == (True, "firing")
    bench.second(seconds=3610)
    (failed,) = said_of(bench)["rule allocation-failed"]
    assert (failed.told, failed.why.state) == (False, "")


def test_restarts_for_want_of_memory_are_explained_by_what_was_used_before_each() -> None:
    bench = Bench()
    for boot in (1, 2, 3):
        for free in (20_000, 300):
            bench.heap(free, boot=boot, uptime_ms=30_000)
    bench.wait(10)
    (restarts,) = said_of(bench)["restarts"]
    assert restarts.told
    count, reasons = restarts.why.conditions
    assert count.measured == 2
    assert [round(one.measured or 0, 2) for one in reasons.parts] == [0.99, 0.99]
