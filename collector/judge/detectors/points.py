"""Points out of a night's blocks (`blocks.py`) of which a line may tell that memory grows. Pure, one series a row.

Traffic rises from a floor, clients come and go, teeth of a saw return to their feet: what rises steadily beneath is
seen best in

* `mixed`: of each block that mixture of its least value and its mean which scatters least around a parabola;
* `smooth`: means over an hour, in which short teeth and waves cancel out (von Hann's window);
* `floors`: the least of so many blocks, and where it was: one of each tooth that is not longer.

Of longer teeth the feet are looked at (`teeth.py`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from collector.judge.detectors.line import fit
from collector.judge.expression import Numbers

_SMOOTH, _SMOOTH_KNOWN = 12, 0.8
"""Blocks of an hour, and the part of their weights that must be known."""


class Points(NamedTuple):
    """Hours and bytes: series x points, NaN where there is none."""

    hours: Numbers
    used: Numbers


def mixed(hours: Numbers, least: Numbers, mean: Numbers) -> Points:
    """The mixture that scatters least."""
    x = np.broadcast_to(np.linspace(-1, 1, least.shape[1]), least.shape)
    low, middle = (fit(x, one, 2).rest for one in (least, mean))
    apart = low - middle
    part = np.clip(-(middle * apart).sum(axis=1) / ((apart**2).sum(axis=1) + 1e-9), 0, 1)[:, None]
    return Points(hours, part * least + (1 - part) * mean)


def scatter(used: Numbers) -> Numbers:
    """The standard deviation of blocks around a parabola; NaN where nothing is known."""
    rest = fit(np.broadcast_to(np.linspace(-1, 1, used.shape[1]), used.shape), used, 2).rest
    deviation: Numbers = np.sqrt((rest**2).sum(axis=1) / np.isfinite(used).sum(axis=1))
    return deviation


def smooth(hours: Numbers, mean: Numbers) -> Points:
    """The weighted mean of each so many blocks, twice as often; those of which much is unknown are left out."""
    weights = np.sin(np.pi * (np.arange(_SMOOTH) + 0.5) / _SMOOTH) ** 2
    begins = np.arange(mean.shape[1] - _SMOOTH, -1, -_SMOOTH // 2)[::-1]
    places = begins[:, None] + np.arange(_SMOOTH)
    known = np.isfinite(mean[:, places]) * weights
    total = known.sum(axis=2)
    at, used = (np.where(known > 0, values[:, places] * known, 0).sum(axis=2) / total for values in (hours, mean))
    return Points(at, np.where(total > _SMOOTH_KNOWN * weights.sum(), used, np.nan))


def floors(hours: Numbers, least: Numbers, blocks: int) -> Points:
    """The least of each so many blocks; those of which half is unknown are left out."""
    count = least.shape[1] // blocks
    shape = (len(least), count, blocks)
    grouped = least[:, -count * blocks :].reshape(shape)
    filled = np.where(np.isfinite(grouped), grouped, np.inf)
    where = filled.argmin(axis=2)[:, :, None]
    used = np.take_along_axis(filled, where, axis=2)[:, :, 0]
    at = np.take_along_axis(hours[:, -count * blocks :].reshape(shape), where, axis=2)[:, :, 0]
    known = np.isfinite(grouped).sum(axis=2) > blocks / 2
    return Points(at, np.where(known, used, np.nan))
