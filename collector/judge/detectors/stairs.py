"""Whether points rise by a few steps rather than on a line: then something was taken for good, no leak. Pure.

An allocator takes another page, a table doubles, a module is loaded: a line through that rises beyond doubt. The best
staircase is found by dynamic programming (Bellman 1961), and compared with the line by the information criterion of
Schwarz (1978), to which each level and each edge is one parameter. Where traffic wanders from level to level, blocks
err as their neighbours do, and so many know as much as fewer that err each for itself (Bartlett 1935): as few as what
comes and goes tells.

A leak by events of uneven sizes is closer to a staircase as well, but goes on rising. What healthy memory keeps it
takes at records, of requests or of load, and these become rare: the n-th of values alike is one with a chance of 1/n
(Rényi 1962), so that the last three quarters of any time hold 1.4 of them on average. So rises are counted, as samples
of uneven weights are (Kish 1965).
"""

from __future__ import annotations

import numpy as np

from collector.judge.detectors.line import MOST_ALIKE, alike, independent
from collector.judge.detectors.shape import envelope
from collector.judge.expression import Numbers, Truths

MOST_LEVELS = 4
_MANY_RISES, _SINCE, _EVEN = 8.0, 0.25, 0.8
"""So many rises since that part of the time are no staircase, if the second half brought such a part of what the first
did."""
_LEAST_OF_LEVEL, _LEAST_POINTS = 3, 20
"""Points on a level; and in all, below which a staircase is not told from a line."""


def rises_in_steps(used: Numbers, rest: Numbers, ratio: Numbers) -> Truths:
    """Of series x points, oldest first (NaN: none), what a line leaves of each, and the ratio of halves of each row."""
    known = np.isfinite(used)
    by_steps = [_by_steps(own[here], left[here]) for own, left, here in zip(used, rest, known, strict=True)]
    rises = np.array([_rises(own[here]) for own, here in zip(used, known, strict=True)])
    in_steps: Truths = np.array(by_steps, dtype=np.bool_) & ~((rises >= _MANY_RISES) & (ratio >= _EVEN))
    return in_steps


def _rises(used: Numbers) -> float:
    """How often what was never given back rose of late; uneven rises count for fewer."""
    rises = np.diff(envelope(used[None])[0])[int(_SINCE * len(used)) :]
    return float(rises.sum() ** 2 / ((rises**2).sum() + 1e-9))


def _by_steps(used: Numbers, rest: Numbers) -> bool:
    if len(used) < _LEAST_POINTS:
        return False
    count = _worth(used)
    line = float((rest**2).sum()) + 1e-6
    term = np.log(count)
    lacks = [
        count * np.log((left + 1e-6) / line) + (2 * levels - 3) * term  # 2 * levels - 1 parameters less 2 of a line
        for levels, left in enumerate(_left_by_stairs(used - used.mean()), start=2)
    ]
    return bool(min(lacks) < -term)


def _worth(used: Numbers) -> float:
    """How many points that err each for itself know as much as these, by what comes and goes above what is kept: steps
    are kept, so that they are not taken for traffic that wanders."""
    over = used[None] - envelope(used[None])
    err_alike = np.clip(alike(over - over.mean()), 0, MOST_ALIKE)
    return float(independent(np.array([len(used)]), err_alike)[0])


def _left_by_stairs(used: Numbers) -> list[float]:
    """Sums of squares that the best staircases of two, three, ... levels leave."""
    sums, squares = (np.concatenate([[0.0], np.cumsum(values)]) for values in (used, used**2))
    places = np.arange(len(sums))
    length = places - places[:, None]
    one = squares - squares[:, None] - (sums - sums[:, None]) ** 2 / np.maximum(1, length)
    one = np.where(length >= _LEAST_OF_LEVEL, one, np.inf)  # from a row's place to a column's
    best, left = one[0], []
    for _ in range(MOST_LEVELS - 1):
        best = (best[:, None] + one).min(axis=0)
        left.append(float(best[-1]))
    return left
