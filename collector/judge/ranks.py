"""Rank tests of whether one sample has the larger values than another, of others or of the same devices. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from collector.judge.expression import Numbers

LEVEL = 0.05
"""The p-value up to which a difference is believed; intervals hold what is not refused so."""
_EXACT_PRODUCT, _EXACT_PAIRS = 400, 30
_DEVIATIONS = 1.96


class Tested(NamedTuple):
    """By how much the other is larger, with the 95 % interval (None where so few tell nothing), the two-sided p-value
    that it is not, and the effect: -1 to 1 (1: the larger every time)."""

    difference: float
    interval: tuple[float, float] | None
    p_value: float
    effect: float


def apart(one: Sequence[float], other: Sequence[float]) -> Tested:
    """Of other devices: Mann and Whitney's test (1947), exact where no values are equal and there are few devices, else
    by the normal approximation with the correction for ties; the median of all pairwise differences with the interval
    that belongs to the test (Hodges and Lehmann 1963); Cliff's delta (1993)."""
    return Tested(shift(one, other), shift_interval(one, other), mann_whitney(one, other), cliffs_delta(one, other))


def within(differences: Sequence[float]) -> Tested:
    """Of the same devices, each less what it was: Wilcoxon's signed ranks (1945), those of zeros left out (Pratt 1959),
    exact of few devices; the median of all means of two with the interval that belongs to the test (Hodges and Lehmann
    1963); how many more rose than fell, of all (Cliff's delta within devices)."""
    means = _means_of_two(np.asarray(differences, dtype=float))
    outside = _outside(len(differences))
    interval = (float(means[outside - 1]), float(means[-outside])) if outside >= 1 else None
    effect = float(np.sign(differences).mean())
    return Tested(float(np.median(means)), interval, signed_ranks(differences), effect)


def signed_ranks(differences: Sequence[float]) -> float:
    """Two-sided p-value that differences are as often and as far above nothing as below."""
    values = np.asarray(differences, dtype=float)
    _, place, counts = np.unique(np.abs(values), return_inverse=True, return_counts=True)
    ranks = (2 * np.cumsum(counts) - counts + 1)[place]  # twice the mean ranks of equal ones: whole numbers
    kept = ranks[values != 0]
    off = abs(float(ranks[values > 0].sum()) - kept.sum() / 2)
    if len(values) <= _EXACT_PAIRS:
        ways = _sums(kept.tolist())
        distances = np.abs(np.arange(len(ways)) - kept.sum() / 2)
        return min(1.0, float(ways[distances >= off].sum()) / 2.0 ** len(kept))
    variance = float((kept.astype(float) ** 2).sum()) / 4
    return 1.0 if variance <= 0 else math.erfc(max(0.0, off - 1) / math.sqrt(2 * variance))


def mann_whitney(one: Sequence[float], other: Sequence[float]) -> float:
    """Two-sided p-value that neither of two samples tends to have the larger values."""
    n, m = len(one), len(other)
    values = np.concatenate([np.asarray(one, dtype=float), np.asarray(other, dtype=float)])
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    u = float(ranks[n:].sum()) - m * (m + 1) / 2
    if n * m <= _EXACT_PRODUCT and counts.max() == 1:
        tail = _ways(n, m)
        least = int(min(u, n * m - u))
        return min(1.0, 2 * sum(tail[: least + 1]) / math.comb(n + m, n))
    size = n + m
    ties = float((counts**3 - counts).sum())
    variance = n * m / 12 * (size + 1 - ties / (size * (size - 1)))
    if variance <= 0:
        return 1.0
    z = max(0.0, abs(u - n * m / 2) - 0.5) / math.sqrt(variance)
    return math.erfc(z / math.sqrt(2))


def least_p(n: int, m: int) -> float:
    """The smallest p-value that samples of these sizes can give."""
    return min(1.0, 2 / math.comb(n + m, n))


def cliffs_delta(one: Sequence[float], other: Sequence[float]) -> float:
    """How much more often the other is the larger than the smaller, of all pairs: -1 to 1."""
    pairs = np.subtract.outer(np.asarray(other, dtype=float), np.asarray(one, dtype=float))
    return float(np.sign(pairs).mean())


def shift(one: Sequence[float], other: Sequence[float]) -> float:
    """By how much the other is larger: the median difference of all pairs."""
    return float(np.median(np.subtract.outer(np.asarray(other, dtype=float), np.asarray(one, dtype=float))))


def shift_interval(one: Sequence[float], other: Sequence[float]) -> tuple[float, float] | None:
    """95 % interval of `shift`: those differences that the test would not refuse. None where it would refuse none."""
    n, m = len(one), len(other)
    if n * m <= _EXACT_PRODUCT:
        tails = np.cumsum(_ways(n, m)) * (2 / math.comb(n + m, n))
        outside = int(np.searchsorted(tails, LEVEL, side="right"))
    else:
        outside = math.floor(n * m / 2 - _DEVIATIONS * math.sqrt(n * m * (n + m + 1) / 12))
    if outside < 1:
        return None
    pairs = np.sort(np.subtract.outer(np.asarray(other, dtype=float), np.asarray(one, dtype=float)), axis=None)
    return float(pairs[outside - 1]), float(pairs[-outside])


def holm(p_values: Sequence[float]) -> list[float]:
    """The same p-values, corrected for how many they are."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    corrected, most = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        most = max(most, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = most
    return corrected


def _ways(n: int, m: int) -> list[int]:
    """How many orders of n and m values give each value of U."""
    ways = [1] + [0] * (n * m)
    for k in range(1, m + 1):  # Gaussian binomial: multiply by (1 - q^(n+k)) / (1 - q^k)
        for index in range(n * m, n + k - 1, -1):
            ways[index] -= ways[index - n - k]
        for index in range(k, n * m + 1):
            ways[index] += ways[index - k]
    return ways


def _means_of_two(values: Numbers) -> Numbers:
    """Of all pairs and of each with itself, the least first (Walsh 1949)."""
    i, j = np.triu_indices(len(values))
    means: Numbers = np.sort((values[i] + values[j]) / 2)
    return means


def _outside(pairs: int) -> int:
    """How many of the means of two lie beyond either end of their 95 % interval, and one."""
    if pairs <= _EXACT_PAIRS:
        tails = np.cumsum(_sums(list(range(1, pairs + 1)))) * 2 / 2.0**pairs
        return int(np.searchsorted(tails, LEVEL, side="right"))
    products = pairs * (pairs + 1)
    return math.floor(products / 4 - _DEVIATIONS * math.sqrt(products * (2 * pairs + 1) / 24))


def _sums(ranks: Sequence[int]) -> Numbers:
    """How many choices among these ranks have each sum."""
    ways: Numbers = np.ones(1)
    for rank in ranks:
        ways = np.concatenate([ways, np.zeros(rank)]) + np.concatenate([np.zeros(rank), ways])
    return ways
