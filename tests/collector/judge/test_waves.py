"""Blocks without their waves: what goes by the clock is taken out, what grows stays."""

from __future__ import annotations

import numpy as np
import pytest

from collector.judge.detectors.waves import without_waves
from tests.collector.judge.nights import night, teeth, traffic

LOST = 6_000


def grown(blocks: np.ndarray) -> np.ndarray:
    return np.asarray(np.polyfit(np.arange(blocks.shape[1]), blocks.T, 1)[0] * blocks.shape[1])


@pytest.mark.parametrize("hours", [0.037, 0.11, 0.23, 0.61, 1.1])
def test_regular_teeth_are_taken_out_and_growth_stays(hours: float) -> None:
    blocks = night(teeth(hours), LOST).mean
    calm = without_waves(blocks)
    apart = [(each - np.linspace(0, LOST, each.shape[1])).std() for each in (calm, blocks)]
    assert apart[0] < 0.5 * apart[1]
    assert grown(calm) == pytest.approx(LOST, abs=1_500)


def test_traffic_and_growth_have_no_waves() -> None:
    for blocks in (night(traffic, LOST).mean, night(traffic, 200_000).mean):
        assert np.array_equal(without_waves(blocks), blocks)


def test_what_was_not_seen_stays_unknown() -> None:
    blocks = night(teeth(0.61), LOST).mean
    blocks[:, 30:40], blocks[0, 20:] = np.nan, np.nan
    calm = without_waves(blocks)
    assert np.array_equal(np.isnan(calm), np.isnan(blocks))
    assert np.array_equal(calm[0], blocks[0], equal_nan=True)  # too little is known of this one
    assert np.nanstd(calm[1:]) < 0.5 * np.nanstd(blocks[1:])
