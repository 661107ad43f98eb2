"""An explanation says what the detector does: it tells a leak exactly where all of its conditions hold."""

from __future__ import annotations

import numpy as np

from collector.judge.detectors.leak import Ground, find_leaks
from collector.judge.detectors.views import HOURS_OF, VIEWS
from collector.judge.explaining import explain

SIZE = 300_000.0
BUCKETS = 31


def case(chance: np.random.Generator) -> tuple[np.ndarray, int, Ground]:
    """A window and what is known beside it: growth of any shape, with noise, teeth, gaps."""
    view, x = int(chance.integers(len(VIEWS))), np.linspace(0, 1, BUCKETS)
    grown, shape = SIZE * chance.choice([0.01, 0.1, 0.3, 0.6]), chance.choice([0.5, 0.8, 1.0, 1.2])
    window = 60_000 + grown * x**shape + np.abs(chance.normal(0, grown * chance.choice([0, 0.01, 0.2]), BUCKETS))
    window[chance.random(BUCKETS) < chance.choice([0, 0.1, 0.5])] = np.nan
    window[: int(chance.choice([0, 0, 12, 22]))] = np.nan
    hour_ms = 3_600_000
    age_ms = float(BUCKETS * HOURS_OF[view] * hour_ms * chance.choice([1, 6]))
    ground = Ground(
        *(np.array([float(one)]) for one in (
            chance.choice([SIZE, SIZE, np.nan]), chance.choice([np.nan, 50_000, 120_000]), chance.choice([0, age_ms]),
            chance.choice([np.nan, 40_000, 90_000]), chance.choice([0, 2_000]), chance.choice([1, 1024]),
            chance.choice([0, age_ms]), chance.choice([0, 500]), age_ms, chance.choice([0, 1]),
            chance.choice([np.nan, 60_000, 200_000]), chance.choice([0, 60_000]),
        ))
    )  # fmt: skip
    return window[None], view, ground


def test_it_agrees_with_the_detector() -> None:
    chance = np.random.default_rng(11)
    told = 0
    for _ in range(500):
        window, view, ground = case(chance)
        found, said = find_leaks(window, view, ground), explain(window, view, ground)
        is_leak = bool(np.isfinite(found.rate[0]))
        assert is_leak == (said is not None and said.told), said
        if is_leak and said is not None:
            told += 1
            assert np.allclose(
                [said.slope, said.slope_low, said.slope_high], [found.rate[0], found.low[0], found.high[0]]
            )
    assert 30 < told < 470


def test_it_names_what_was_given_back_and_what_is_missing() -> None:
    window = np.full((1, BUCKETS), np.nan)
    window[0, -10:] = [1000, 1100, 5000, 1200, 1300, 1400, 1500, 1600, 1700, 1800]
    ground = Ground(*(np.array([one]) for one in (1e6, np.nan, 0, np.nan, 0, 1, 0, 0, 1e6, 0, np.nan, 0)))
    said = explain(window, 0, ground)
    assert said is not None
    assert not said.told
    assert said.kept[-10:] == (True, True, False, *(True,) * 7)
    assert said.buckets[0] is None
    assert said.envelope[-8] == 1200
    assert "they span 45 s, 60 s is the least" in [one.text for one in said.conditions if not one.held]
