"""A night's blocks without what comes and goes by the clock: jobs, teeth of even length, and what of short ones is left
when blocks cut them at another place each time. Pure, one series a row.

The strongest wave is found in the periodogram of what a parabola leaves, then all that were found and the parabola are
fitted together by least squares, until no wave stands out from the rest (Lomb 1976; one after the other: Roberts,
Lehár and Dreher 1987, "CLEAN").
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from collector.judge.detectors.line import mean_of, parabola
from collector.judge.expression import Numbers, Truths

MOST_WAVES = 8
_SLOWEST, _GRID = 6.0, 0.05
"""Waves over all blocks at least, since slower ones look like growth; and steps from one to the next that is tried."""
_SURE = 12.0
"""By how many times a wave must stand above what is left without it: by chance none of fifty does, in 3,000 nights."""
_LEAST_KNOWN = 30


def without_waves(values: Numbers) -> Numbers:
    """The same series x blocks, less their waves."""
    known: Truths = np.isfinite(values)
    rows = np.flatnonzero(known.sum(axis=1) >= _LEAST_KNOWN)
    blocks = values.shape[1]
    turns = _turns(blocks)
    centred = np.where(known, values - mean_of(values)[:, None], 0.0)
    basis = np.where(known[:, :, None], parabola(np.broadcast_to(np.linspace(-1, 1, blocks), values.shape)), 0.0)
    for _ in range(MOST_WAVES):
        if not len(rows):
            break
        rest = centred[rows] - _fitted(basis[rows], centred[rows])
        strength = np.abs(rest @ turns.T) ** 2 / known[rows].sum(axis=1)[:, None]
        best = strength.argmax(axis=1)
        stands_out = _stands_out(strength[np.arange(len(rows)), best], rest, known[rows], basis.shape[2])
        rows, wave = rows[stands_out], turns[best[stands_out]]
        more = np.zeros((*values.shape, 2))
        more[rows, :, 0], more[rows, :, 1] = np.where(known[rows], wave.real, 0), np.where(known[rows], wave.imag, 0)
        basis = np.concatenate([basis, more], axis=2)
    waves = _fitted(basis, centred, 3)
    return np.where(known, values - waves, values)


@lru_cache(maxsize=4)
def _turns(blocks: int) -> NDArray[np.complex128]:
    """Every wave that is tried, waves x blocks. To make them takes longer than all that is done with them."""
    speeds = np.arange(_SLOWEST, blocks / 2, _GRID) * 2 * np.pi / blocks
    turns: NDArray[np.complex128] = np.exp(-1j * speeds[:, None] * np.arange(blocks))
    return turns


def _stands_out(strength: Numbers, rest: Numbers, known: Truths, terms: int) -> Truths:
    """Whether the wave explains far more than one of what is left does."""
    left = (rest**2).sum(axis=1) - 2 * strength
    out: Truths = 2 * strength > 2 * _SURE * left / np.maximum(1, known.sum(axis=1) - terms - 3)
    return out


def _fitted(basis: Numbers, values: Numbers, first: int = 0) -> Numbers:
    """What the terms from that on give, where all are fitted by least squares."""
    square = np.einsum("nki,nkj->nij", basis, basis) + 1e-9 * np.eye(basis.shape[2])
    terms = np.linalg.solve(square, np.einsum("nki,nk->ni", basis, values)[:, :, None])[:, :, 0]
    fitted: Numbers = np.einsum("nki,ni->nk", basis[:, :, first:], terms[:, first:])
    return fitted
