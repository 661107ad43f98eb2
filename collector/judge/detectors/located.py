"""Where memory stands in each block of a night, told by all of its samples. Pure, one series a row.

Clients come and go by whole buffers, so samples lie about a few levels, and the mean of a block errs by how many
clients there were. What is left of all samples about a parabola has a density; its score tells from each block's
samples where the block stands, several times more exactly than their mean where levels are apart (adaptive estimation:
Stone 1975). The density is that of the other half of the blocks, every second one, lest samples attract themselves
(Schick 1986); its width is the likeliest of a few, and never less than the grain of the counter.

This holds for samples that err each for itself: those of slow teeth, or of a level that wanders, are left to means.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from collector.judge.detectors.line import alike, mean_of, parabola
from collector.judge.expression import Numbers, Truths

_WIDTHS, _ROUNDS = (1 / 24, 1 / 48, 1 / 96), 4
"""Deviations of the kernels, in parts of the width of all that is left, and rounds of each: widest first."""
_BINS, _PAD = 1024, 0.25
_FLOOR = 2e-3
"""The least density, in parts of the greatest: a sample that lies where no other does says little."""
_MOST_ALIKE = 0.3
"""How much neighbouring samples may err alike."""
_LEAST_SAMPLES = 1500
"""Of fewer the density is little known: means of 1,000 samples were off by up to ten of their own errors."""


class _Samples(NamedTuple):
    """All samples of each series, oldest first, less their mean: values (0 where unknown), whether known, of which half
    of the blocks, the terms of a parabola at each, and what solves for these."""

    values: Numbers
    known: Truths
    half: npt.NDArray[np.int64]
    basis: Numbers
    inverse: Numbers

    def rest(self, terms: Numbers) -> Numbers:
        """What the parabola leaves."""
        return np.where(self.known, self.values - np.einsum("nki,ni->nk", self.basis, terms), 0.0)

    def fitted(self, values: Numbers) -> Numbers:
        """The parabola through these values."""
        terms: Numbers = np.einsum("nij,nj->ni", self.inverse, np.einsum("nki,nk->ni", self.basis, values))
        return terms

    def mean(self, values: Numbers) -> Numbers:
        """Of the known ones."""
        means: Numbers = np.where(self.known, values, 0.0).sum(axis=1) / self.known.sum(axis=1)
        return means


class _Step(NamedTuple):
    """By how much each sample says that the parabola lies wrong, bytes; and the mean log likelihood of all."""

    bytes: Numbers
    likelihood: Numbers


def located(samples: npt.NDArray[np.float32]) -> Numbers:
    """Of series x blocks x samples (NaN: none) where each block stands; NaN where samples do not tell."""
    stands = np.full(samples.shape[:2], np.nan)
    rows = np.flatnonzero(np.isfinite(samples).sum(axis=(1, 2)) >= _LEAST_SAMPLES)
    if not len(rows):
        return stands
    each = samples[rows].astype(np.float64).reshape(len(rows), -1)
    ready = _ready(each.reshape(len(rows), *samples.shape[1:]))
    terms = ready.fitted(ready.values)
    tells, grain = np.abs(alike(ready.rest(terms))) <= _MOST_ALIKE, _grain(each)
    best = np.full(len(rows), -np.inf)
    for width in _WIDTHS:
        for _ in range(_ROUNDS):
            step = _step(ready, ready.rest(terms), width, grain)
            before, terms = terms, terms + ready.fitted(step.bytes)
        about = np.einsum("nki,ni->nk", ready.basis, before) + step.bytes + mean_of(each)[:, None]
        levels = _means_of_blocks(about, ready.known, samples.shape[2])
        better = tells & (step.likelihood > best)
        stands[rows[better]], best = levels[better], np.fmax(best, step.likelihood)
    return stands


def _means_of_blocks(values: Numbers, known: Truths, each: int) -> Numbers:
    """The mean of so many values after the other, NaN where none is known."""
    count = known.reshape(len(values), -1, each).sum(axis=2)
    total = np.where(known, values, 0.0).reshape(len(values), -1, each).sum(axis=2)
    return np.where(count > 0, total / np.maximum(1, count), np.nan)


def _ready(samples: Numbers) -> _Samples:
    series, blocks, each = samples.shape
    values = samples.reshape(series, -1)
    known = np.isfinite(values)
    x = np.broadcast_to(np.linspace(-1, 1, blocks * each), values.shape)
    basis = np.where(known[:, :, None], parabola(x), 0.0)
    inverse = np.linalg.inv(np.einsum("nki,nkj->nij", basis, basis) + 1e-9 * np.eye(3))
    half = np.repeat(np.arange(blocks) % 2, each)
    return _Samples(np.where(known, values - mean_of(values)[:, None], 0.0), known, half, basis, inverse)


def _step(ready: _Samples, rest: Numbers, width: float, grain: Numbers) -> _Step:
    """One round: the density of each half, and what the other half's samples say by it."""
    low, high = rest.min(axis=1), rest.max(axis=1)
    unit = ((1 + 2 * _PAD) * (high - low) + 1e-9) / _BINS
    bins = np.clip((rest - low[:, None]) / unit[:, None] + _PAD / (1 + 2 * _PAD) * _BINS, 0, _BINS - 1)
    cells = (np.arange(len(rest))[:, None] * 2 + ready.half) * _BINS + bins.astype(np.int64)
    counts = np.bincount(cells[ready.known], minlength=len(rest) * 2 * _BINS).reshape(len(rest), 2, _BINS)
    density, rise = _smoothed(counts[:, ::-1].astype(np.float64), np.fmax(width * _BINS, grain / unit))
    score = -rise / density
    says = np.where(ready.known, score.ravel()[cells], 0.0)
    bends = ready.mean(np.gradient(score, axis=2).ravel()[cells])
    known = np.fmax(bends, ready.mean(says**2) / 2)[:, None] + 1e-12  # of Fisher's information a sample
    says = np.where(ready.known, says - ready.mean(says)[:, None], 0.0)
    parts = density / (density.sum(axis=2, keepdims=True) + 1e-9)
    likelihood = ready.mean(np.log(parts + 1e-7).ravel()[cells]) - np.log(unit)
    return _Step(says / known * unit[:, None], likelihood)


def _smoothed(counts: Numbers, deviations: Numbers) -> tuple[Numbers, Numbers]:
    """Densities by a normal kernel of so many bins, and their rise from bin to bin."""
    turns = np.fft.rfftfreq(_BINS)
    waves = np.fft.rfft(counts, axis=2) * np.exp(-2 * (np.pi * turns * deviations[:, None, None]) ** 2)
    density = np.maximum(np.fft.irfft(waves, _BINS, axis=2), 0.0)
    density += _FLOOR * density.max(axis=2, keepdims=True)
    return density, np.fft.irfft(waves * 2j * np.pi * turns, _BINS, axis=2)


def _grain(values: Numbers) -> Numbers:
    """The least distance of two values."""
    apart = np.diff(np.sort(values, axis=1), axis=1)
    grain: Numbers = np.nan_to_num(np.fmin.reduce(np.where(apart > 0, apart, np.nan), axis=1))
    return grain
