"""A night in two boots: which of them lost memory in both."""

from __future__ import annotations

import numpy as np
import pytest

from collector.judge.detectors.leak import Leaks
from collector.judge.detectors.night import Night
from collector.judge.detectors.two_boots import Ended, find_leaks_of_two_boots
from collector.judge.explaining_night import explain_two_boots
from tests.collector.judge.nights import HOURS, NIGHTS, Shape, cache, clients, five_minutes, night, only, teeth, traffic
from tests.collector.judge.stream import LEAK_RULE, Bench

STARTING = 3


def boots(shape: Shape, lost: tuple[float, float], at: int) -> tuple[Night, Night]:
    """A boot up to that block, one after it; both begin alike, and lose so many bytes in eight hours."""
    blocks = np.arange(len(HOURS) // 30)
    before = night(shape, lost[0], boots_at=np.nan)
    later = night(lambda chance: np.roll(shape(chance), at * 30), 0.0, seed=2)
    since = lost[1] / 96 * np.maximum(0, blocks - at)
    later = later._replace(
        least=later.least + since, mean=later.mean + since, boots_at=np.full(NIGHTS, float(at)),
        samples=(later.samples + since[:, None]).astype(np.float32),
    )  # fmt: skip
    return only(before, (blocks >= STARTING) & (blocks < at)), only(later, blocks >= at + STARTING)


def ended(hours: float = 5.0, *, cut: bool = False, boots: int = NIGHTS) -> Ended:
    """Boots before that had run for so long."""
    return Ended(np.full(boots, hours), np.full(boots, cut))


def leaks_of(shape: Shape, lost: tuple[float, float], at: int = 45, of: Ended | None = None) -> Leaks:
    return find_leaks_of_two_boots(*boots(shape, lost, at), of or ended())[0]


def told(leaks: Leaks) -> int:
    return int(np.isfinite(leaks.rate).sum())


@pytest.mark.parametrize("at", [5, 30, 45, 70, 90])
def test_what_grows_alike_in_both_boots_is_told(at: int) -> None:
    leaks = leaks_of(traffic, (16_000, 16_000), at)
    assert told(leaks) >= 0.9 * NIGHTS
    assert np.nanmedian(leaks.rate) == pytest.approx(2_000, rel=0.05)
    inside = (leaks.low < 2_000) & (leaks.high > 2_000)
    assert inside.sum() >= 0.8 * told(leaks)


def test_clients_hide_no_leak_in_either_boot() -> None:
    assert told(leaks_of(clients, (30_000, 30_000))) >= 0.9 * NIGHTS


def test_what_grows_in_one_of_them_only_is_left_alone() -> None:
    assert told(leaks_of(traffic, (16_000, 0))) == 0
    assert told(leaks_of(traffic, (0, 16_000))) == 0
    assert told(leaks_of(traffic, (16_000, 30_000))) == 0


@pytest.mark.parametrize("shape", [traffic, clients, cache(2), cache(12), teeth(0.4), teeth(2.5)])
def test_healthy_boots_are_left_alone(shape: Shape) -> None:
    assert told(leaks_of(shape, (0, 0))) == 0


@pytest.mark.parametrize(("lost", "at"), [((16_000, 16_000), 45), ((16_000, 0), 45), ((16_000, 16_000), 10)])
def test_an_explanation_agrees_with_the_detector(lost: tuple[float, float], at: int) -> None:
    before, now = boots(traffic, lost, at)
    rates = find_leaks_of_two_boots(before, now, ended())[0].rate
    for row in range(NIGHTS):
        said = explain_two_boots(before.of(np.array([row])), now.of(np.array([row])), ended(boots=1))
        assert said.told == bool(np.isfinite(rates[row])), said.conditions


def test_less_than_a_night_tells_nothing() -> None:
    before, now = boots(traffic, (16_000, 16_000), 45)
    before = only(before, np.arange(before.least.shape[1]) >= 20)
    assert told(find_leaks_of_two_boots(before, now, ended())[0]) == 0


def test_a_boot_of_days_is_no_part_of_a_night() -> None:
    alike = (16_000, 16_000)
    assert told(leaks_of(traffic, alike, of=ended(47))) >= 0.9 * NIGHTS
    assert told(leaks_of(traffic, alike, of=ended(230))) == 0


def test_a_boot_that_somebody_ended_tells_nothing_by_itself() -> None:
    assert told(leaks_of(traffic, (16_000, 16_000), 90)) >= 0.9 * NIGHTS
    assert told(leaks_of(traffic, (16_000, 16_000), 90, ended(cut=True))) == 0
    assert told(leaks_of(traffic, (16_000, 16_000), 45, ended(cut=True))) >= 0.9 * NIGHTS  # both tell it


def test_a_restart_within_the_night_hides_no_leak() -> None:
    bench, chance = Bench(LEAK_RULE), np.random.default_rng(3)
    for boot, hours in ((1, 5), (2, 3)):
        for seconds in range(0, hours * 3600, 300):
            five_minutes(bench, seconds, 0.5, lambda: 8_000 * chance.beta(2, 3), boot=boot)
    assert {finding.names for finding in bench.findings} == {("leaks",)}
    assert bench.findings[0].at_ms - 1_790_000_000_000 > 7.5 * 3_600_000
