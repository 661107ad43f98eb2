"""Where blocks stand by all of their samples: of which memory it tells more than means do, and of which not."""

from __future__ import annotations

import numpy as np
import pytest

from collector.judge.detectors.located import located
from tests.collector.judge.nights import BASE, NIGHTS, Shape, clients, night, teeth, traffic

LOST = 10_000


def errors(levels: np.ndarray) -> np.ndarray:
    """The standard error of the blocks of each night, about the line that is really lost."""
    line = BASE + LOST * (np.arange(levels.shape[1]) + 0.5) / levels.shape[1]
    return np.asarray((levels - line).std(axis=1))


def few_clients(chance: np.random.Generator) -> np.ndarray:
    return 3_000 * chance.poisson(3, len(traffic(chance))) + traffic(chance) / 8


def test_blocks_of_clients_are_known_several_times_better_than_by_means() -> None:
    of = night(few_clients, LOST)
    levels = located(of.samples)
    assert np.median(errors(levels) / errors(of.mean)) < 0.2
    of = night(clients, LOST)  # traffic as wide as two clients
    assert np.median(errors(located(of.samples)) / errors(of.mean)) < 1


@pytest.mark.parametrize("shape", [teeth(0.3), teeth(2)])
def test_samples_that_err_alike_tell_nothing(shape: Shape) -> None:
    assert np.isnan(located(night(shape, LOST).samples)).all()


def test_so_do_few_samples() -> None:
    few = night(few_clients, LOST).samples.copy()
    few[:, :, 4:] = np.nan
    assert np.isnan(located(few)).all()


def test_levels_stay_honest_where_a_counter_has_coarse_grains() -> None:
    of = night(lambda chance: np.ceil((few_clients(chance) + LOST * np.linspace(0, 1, 2_850)) / 512) * 512)
    levels = located(of.samples)
    grown = np.polyfit(np.arange(levels.shape[1]), levels.T, 1)[0] * levels.shape[1]
    assert grown == pytest.approx(LOST, rel=0.1)
    assert len(grown) == NIGHTS
