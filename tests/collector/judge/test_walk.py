"""Blocks that are lost at random times: how far chance bends what they take, and that a night reckons with it."""

from __future__ import annotations

import numpy as np
import pytest

from collector.judge.detectors.line import line_through
from collector.judge.detectors.walk import ratio_error_of_walk
from tests.collector.judge.nights import HOURS, NIGHTS, Shape, cache, night, told

SERIES, POINTS = 2_000, 95


@pytest.mark.parametrize(("blocks", "noise"), [(100, 0.0), (100, 1.0), (400, 1.0)])
def test_the_error_is_that_by_which_halves_differ(blocks: int, noise: float) -> None:
    chance = np.random.default_rng(1)
    used = chance.poisson(blocks / POINTS, (SERIES, POINTS)).cumsum(axis=1) + noise * chance.normal(
        size=(SERIES, POINTS)
    )
    line = line_through(np.broadcast_to(np.arange(POINTS) / 12, used.shape), used)
    error = ratio_error_of_walk(used, line.grown)
    seen = error[error > 0]
    assert len(seen) > 0.6 * SERIES
    assert np.median(seen) == pytest.approx(2 / np.sqrt(blocks), rel=0.15)
    assert np.median(seen) == pytest.approx(np.log(line.ratio[line.ratio > 0]).std(), rel=0.2)
    assert np.median(line.ratio_error) < 0.6 * np.median(seen)  # a line follows the walk


def test_noise_is_hardly_ever_a_walk_and_what_walks_as_far_as_it_grows_is_none() -> None:
    chance = np.random.default_rng(2)
    noise = chance.normal(size=(SERIES, POINTS))
    grown = np.full(SERIES, 20.0)
    assert np.mean(ratio_error_of_walk(noise, grown) > 0) < 0.01
    sessions = noise.cumsum(axis=1)
    assert np.mean(ratio_error_of_walk(sessions, grown) > 0) < 0.05


@pytest.mark.parametrize("hours", [0.3, 0.7, 3, 8, 24])
def test_smooth_growth_is_no_walk(hours: float) -> None:
    used = 1e5 * (1 - np.exp(-np.arange(POINTS)[None] / 12 / hours))
    assert ratio_error_of_walk(used, used[:, -1])[0] < 0.08


def test_points_that_were_not_seen_are_left_out() -> None:
    chance = np.random.default_rng(3)
    used = chance.poisson(2, (SERIES, POINTS)).cumsum(axis=1).astype(np.float64)
    used[:, 30:50] = np.nan
    assert np.median(ratio_error_of_walk(used, np.full(SERIES, 190.0))) == pytest.approx(2 / np.sqrt(190), rel=0.2)


def by_blocks(lost: int, of: int) -> Shape:
    def drawn(chance: np.random.Generator) -> np.ndarray:
        taken = chance.poisson(lost / of / len(HOURS), len(HOURS)).cumsum()
        return np.asarray(500 * chance.beta(2, 3, len(HOURS)) + of * taken)

    return drawn


def test_a_night_that_leaks_by_tens_of_blocks_is_told_and_a_cache_is_not() -> None:
    assert told(night(by_blocks(12_000, 200))) >= 0.85 * NIGHTS
    assert told(night(cache(8))) == 0
