"""How far chance bends growth by blocks that are lost at random times. Pure, one series a row.

Tens of blocks do not come evenly: what they took walks about its line at random, and the halves of a night differ
though the leak goes on. The error of a line does not tell by how much, since a line follows such a walk. It is known
by second differences: squares of those over `k` points are `6 s + 2 q k` on average, where the noise has the variance
`s` and that of the walk grows by `q` from point to point; they rise with `k` as the variogram of a walk does (Matheron
1963), and smooth growth has none. Through a walk of `n` points a parabola bends by chance: its second term of Legendre
has the variance `5/42 q n`, so the ratio of halves the error `6 sqrt(5/42 q n) / grown`, which of blocks alike is `2.07
/ sqrt(number of blocks)`.

What grows with the lag may be chance too. But of a walk the parabola leaves `(1/15 - 1/42) q n` of variance, and points
that lie so beside it err as their neighbours do: where neighbours differ like noise, there is no walk.
"""

from __future__ import annotations

import numpy as np

from collector.judge.detectors.line import alike, fit
from collector.judge.expression import Numbers, Truths

_LAGS = np.arange(1, 9)
_BEGINNING = 3
"""The first of so many parts is left out: what fills after a boot is not smooth there."""
_BENT = 6 * np.sqrt(5 / 42)
_BEYOND_NOISE = 0.04
"""What q must be of the first of these squares: noise reaches it in less than one case of twenty."""
_ALIKE = 2.5
"""By how many deviations, `1 / sqrt(n)` of noise (Bartlett 1946), neighbours beside the parabola must be alike."""
_FEWEST = 0.5
"""The largest error believed: that of 17 blocks. Fewer are steps, and what walks farther is what comes and goes."""


def ratio_error_of_walk(used: Numbers, grown: Numbers) -> Numbers:
    """The error of the ratio of halves by such a walk, 0 where there is none to be seen.

    `used` bytes, series x points that stand evenly, oldest first (NaN: not seen); `grown` bytes in all of them.
    """
    count = used.shape[1]
    later = used[:, count // _BEGINNING :]
    with np.errstate(all="ignore"):
        squares = np.stack([_mean_of_squares(later, lag) for lag in _LAGS.tolist()])
        from_middle = (_LAGS - _LAGS.mean())[:, None]
        walks = (from_middle * squares).sum(axis=0) / (from_middle**2).sum() / 2
        error = _BENT * np.sqrt(np.maximum(0, walks) * count) / np.abs(grown)
        is_walk = (walks > _BEYOND_NOISE * squares[0]) & (error < _FEWEST) & _err_alike(used)
    errors: Numbers = np.where(is_walk, error, 0.0)
    return errors


def _err_alike(used: Numbers) -> Truths:
    """Whether points beside their parabola err as their neighbours do."""
    rest = fit(np.broadcast_to(np.linspace(-1, 1, used.shape[1]), used.shape), used, 2).rest
    err_alike: Truths = alike(rest) > _ALIKE / np.sqrt(np.isfinite(used).sum(axis=1))
    return err_alike


def _mean_of_squares(used: Numbers, lag: int) -> Numbers:
    """Of second differences over so many points."""
    bends = used[:, 2 * lag :] - 2 * used[:, lag:-lag] + used[:, : -2 * lag]
    means: Numbers = np.nansum(bends**2, axis=1) / np.isfinite(bends).sum(axis=1)
    return means
