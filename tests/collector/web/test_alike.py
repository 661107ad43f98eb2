"""What two firmware versions are compared by: the same things, boards and uptimes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from collector.judge.comparing import Pair, compare
from collector.series.boots import Boot
from collector.web.alike import pairs_of, same_uptimes

HOUR_MS = 3_600_000
SIZE = 300_000


def boot(
    device: str,
    hours: float,
    base: float = 100_000,
    *,
    since_h: float = 0.2,
    fills: float = 0,
    seed: int = 1,
    name: str = "main",
    size: int | None = SIZE,
    is_free: bool = False,
) -> Boot:
    """Samples each five minutes: a level with traffic and rare peaks above it, and a cache that fills for hours."""
    chance = np.random.default_rng(seed)
    ages = np.arange(since_h, since_h + hours, 1 / 12) * HOUR_MS
    peaks = chance.exponential(8_000, len(ages)) * (chance.random(len(ages)) < 0.01)
    used = base + chance.normal(0, 200, len(ages)) + peaks + fills * (1 - np.exp(-ages / (6 * HOUR_MS)))
    return Boot(
        device, "heap", (name,), 1, ages, ages, used - (SIZE if is_free else 0), None if is_free else size, is_free
    )


def fleet(letter: str, devices: int, hours: float, base: float = 100_000, seed: int = 0, **more: float) -> list[Boot]:
    chance = np.random.default_rng(seed + 1000 * devices)
    return [
        boot(f"{letter}{n}", hours, base + chance.normal(0, 1_000), seed=seed * 100 + n, **more)  # type: ignore[arg-type]
        for n in range(devices)
    ]


def verdicts(before: list[Boot], after: list[Boot], boards: dict[str, str] | None = None) -> dict[str, str]:
    found = compare(pairs_of(before, after, boards or {}))
    return {f"{one.measure} {one.thing.of}".strip(): one.verdict for one in found}


@pytest.mark.parametrize(("hours", "other_hours"), [(168, 24), (24, 168)])
def test_how_long_a_version_was_seen_is_no_difference(hours: int, other_hours: int) -> None:
    """Caches that fill, and rare peaks: both are more on who was looked at for longer."""
    told: Counter[str] = Counter()
    for seed in range(20):
        one = fleet("a", 10, hours, seed=2 * seed, fills=10_000)
        other = fleet("b", 10, other_hours, seed=2 * seed + 1, fills=10_000)
        told.update(verdicts(one, other).values())
    assert told["worse"] + told["better"] <= 4  # of sixty, each wrong one time in twenty at most


def test_a_hungrier_version_is_worse_however_long_it_was_seen() -> None:
    found = verdicts(fleet("a", 10, 168, fills=10_000), fleet("b", 10, 24, 110_000, seed=1, fills=10_000))
    assert found["level"] == "worse"


def test_where_uptimes_have_nothing_in_common_they_explain_only_what_grows_with_them() -> None:
    old = fleet("a", 10, 48, since_h=500, fills=10_000)
    assert verdicts(old, fleet("b", 10, 12, seed=1, fills=10_000))["growth"] == "unclear"
    young = fleet("b", 10, 12, 130_000, seed=1)
    assert verdicts(old, young)["level"] == "worse"
    assert verdicts(young, old)["level"] == "better"
    assert verdicts(fleet("b", 10, 12, 90_000, seed=1), old)["level"] == "unclear"


def test_uptimes_that_both_were_seen_at() -> None:
    one, other = [boot("a", 10, since_h=1)], [boot("b", 4, since_h=3)]
    assert same_uptimes(one, other) == pytest.approx((3 * HOUR_MS, 7 * HOUR_MS), abs=HOUR_MS / 10)
    assert same_uptimes(one, [boot("b", 4, since_h=10)]) is None
    assert same_uptimes([], one) is None


def test_other_boards_are_compared_each_for_itself() -> None:
    """The same firmware on other mixes of small and large boards."""
    small, large = {"base": 100_000.0}, {"base": 900_000.0, "size": 4 * 1024 * 1024}
    one = fleet("a", 12, 24, **small) + fleet("b", 5, 24, **large)  # type: ignore[arg-type]
    other = fleet("c", 5, 24, seed=1, **small) + fleet("d", 12, 24, seed=1, **large)  # type: ignore[arg-type]
    assert set(verdicts(one, other).values()) <= {"same", "unclear"}
    by_size = {thing.of for thing in (pair.thing for pair in pairs_of(one, other, {}))}
    assert by_size == {"293.0 KiB", "4.0 MiB"}
    boards = {each.device: "s3" if each.size == SIZE else "p4" for each in (*one, *other)}
    assert {pair.thing.of for pair in pairs_of(one, other, boards)} == {"s3, 293.0 KiB", "p4, 4.0 MiB"}


def test_the_same_mix_of_boards_is_compared_together() -> None:
    one, other = fleet("a", 8, 24), fleet("b", 8, 24, 120_000)
    boards = {each.device: "s3" if int(each.device[1:]) < 4 else "c3" for each in (*one, *other)}
    assert verdicts(one, other, boards)["level"] == "worse"


def test_boards_that_differ_by_chance_are_compared_together() -> None:
    """As of a few devices of each of many boards."""
    one, other = fleet("a", 10, 24), fleet("b", 10, 24, 120_000)
    boards = {
        each.device: "wxyz"[int(each.device[1:]) * step % 4] for side, step in ((one, 1), (other, 3)) for each in side
    }
    boards |= {"a1": "x", "a2": "x", "b2": "z", "b3": "y"}
    assert verdicts(one, other, boards)["level"] == "worse"


def test_what_most_devices_of_only_one_version_have_is_told() -> None:
    one, other = fleet("a", 6, 24), fleet("b", 6, 24)
    cache = [boot(each.device, 24, 40_000, name="cache") for each in other]
    for sides, verdict in (((one, other + cache), "added"), ((other + cache, one), "removed")):
        told = [each for each in compare(pairs_of(*sides, {})) if each.thing.names == ("cache",)]
        assert [(each.measure, each.verdict) for each in told] == [("level", verdict)]
    (alone,) = (pair for pair in pairs_of(one, other + cache[:3], {}) if not pair.before)
    assert len(alone.after) == 3
    assert all(pair.before for pair in pairs_of(one, other + cache[:2], {})), "few devices run it for a while"


def test_what_is_left_is_compared_where_one_version_tells_nothing_else() -> None:
    one, other = fleet("a", 8, 24), fleet("b", 8, 24, 120_000, is_free=True)
    (found,) = (one for one in compare(pairs_of(one, other, {})) if one.measure == "free")
    assert found.verdict == "worse"
    assert found.before == pytest.approx(200_000, rel=0.02)
    assert found.after == pytest.approx(180_000, rel=0.02)


def test_each_device_counts_once_and_what_says_too_little_not_at_all() -> None:
    one = fleet("a", 5, 24)
    more = [boot(each.device, 3) for each in one]
    (pair,) = pairs_of(one + more, [*fleet("b", 5, 24, seed=1), boot("b9", 0.4)], {})
    assert isinstance(pair, Pair)
    assert (len(pair.before), len(pair.after)) == (5, 5)


def test_devices_that_ran_both_versions_are_compared_with_themselves() -> None:
    """As after an update of a part of the fleet: devices differ by more than the update makes of one."""
    chance = np.random.default_rng(3)
    bases = chance.normal(100_000, 20_000, 30)
    one = [boot(f"d{n}", 24, base, seed=n) for n, base in enumerate(bases)]
    other = [boot(f"d{n}", 24, base + 2_000, seed=100 + n) for n, base in enumerate(bases[:12])]
    (pair,) = pairs_of(one, other, {})
    assert (pair.is_paired, len(pair.before), len(pair.after)) == (True, 12, 12)
    assert verdicts(one, other)["level"] == "worse"
    strangers = [replace(each, device=f"e{each.device}") for each in other]
    assert verdicts(one, strangers)["level"] == "unclear"


def test_devices_that_ran_both_are_of_the_same_boards() -> None:
    """A canary of one board among a fleet of two is not split by boards, and what it did not run is left out."""
    small = fleet("a", 12, 24)
    large = [boot(f"l{n}", 24, 900_000, seed=50 + n, size=4 * 1024 * 1024) for n in range(12)]
    (pair,) = pairs_of(small + large, [replace(each, boot=2) for each in small], {})
    assert (pair.thing.of, pair.is_paired, len(pair.before)) == ("", True, 12)


def test_too_few_devices_that_ran_both_are_compared_with_all() -> None:
    one = fleet("a", 12, 24)
    few = [*one, *fleet("b", 4, 24)][1:]
    for other, devices in ((one[:11], (12, 11)), (few, (12, 15))):
        (pair,) = pairs_of(one, other, {})
        assert (pair.is_paired, len(pair.before), len(pair.after)) == (False, *devices)


def test_a_device_that_was_seen_too_shortly_with_one_version_is_left_out_of_its_pair() -> None:
    one = fleet("a", 13, 24)
    other = [*fleet("a", 12, 24, seed=1), boot("a12", 2)]
    (pair,) = pairs_of(one, other, {})
    assert (pair.is_paired, len(pair.before), len(pair.after)) == (True, 12, 12)
