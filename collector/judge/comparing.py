"""Whether one firmware needs more memory than another, over devices. Pure.

Each device counts once, however many samples it gave: a test over samples would find a difference between any two
devices. The test is Mann and Whitney's (1947), exact where no values are equal and there are few devices, else by the
normal approximation with the correction for ties; the effect is Cliff's delta (1993), the difference the median of all
pairwise ones, with the interval that belongs to the test (Hodges and Lehmann 1963). Of many tests at once the p-values
are corrected by Holm's method (1979).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

MEASURES = ("level", "peak", "growth")
"""Bytes, bytes, bytes/hour: the median and the most of used memory after start-up, and the slope of what is kept."""

_LEVEL = 0.05
_LEAST_EFFECT = 0.33
"""A Cliff's delta from which on a difference is worth a word (medium, after Romano 2006)."""
_LEAST_SHARE = 0.005
"""... and it must be this share of what was used before."""
_LEAST_GROWTH = 16.0
"""... or so many bytes/hour."""
_MATTERS_SHARE = 0.05
"""Two are called the same when the interval leaves no room for a difference of this share of what was used before."""
_MATTERS_GROWTH = 64.0
"""... or of so many bytes/hour, 1.5 KiB a day."""
_EXACT_PRODUCT = 400
_DEVIATIONS = 1.96
_STRETCHES, _STUDENT = 8, 2.365
"""Of two boots; the quantile of Student's t for 95 % and one stretch less."""
_MOST_ALIKE = 0.8
"""However alike neighbouring stretches are: of eight nobody can tell more."""

_AS_FREE = {"level": "free", "peak": "least free"}
"""What measures are called of a thing that tells only what is left of it."""


class Thing(NamedTuple):
    """What is compared: a kind and its names, on the boards that `of` names ("": on all alike). `is_free` where only
    what is left is known: its level and peak are less than nothing by that."""

    kind: str
    names: tuple[str, ...]
    of: str = ""
    is_free: bool = False


Values = Mapping[str, float]
"""One device's measures."""


class Pair(NamedTuple):
    """A thing with its devices' measures before and after. `older` is 1 where these were seen at later uptimes than
    those, -1 at earlier ones, 0 at the same."""

    thing: Thing
    before: Sequence[Values]
    after: Sequence[Values]
    older: int = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """One measure of one thing: medians before and after, the difference (after - before) with its 95 % interval, its
    p-value as corrected, the effect from -1 to 1 (1: every device after has more than every one before), and how many
    devices there are. Of a thing that only tells what is left they are of that, where less is worse.

    `verdict`: worse, better, same; unclear where none of these is shown, or where uptime alone explains it (`older` as
    in `Pair`); unknown where there are too few devices to tell at all (there is no interval then); added or removed
    where only one of the two has it (what the other has is None, and there is no difference).
    """

    thing: Thing
    measure: str
    before: float | None
    after: float | None
    difference: float | None
    low: float | None
    high: float | None
    p_value: float
    effect: float
    devices: tuple[int, int]
    verdict: str
    older: int = 0


def compare(pairs: Iterable[Pair]) -> list[Difference]:
    """All measures of all things that both have, and what only one has, the worst first."""
    found, alone = list[_Found](), list[Difference]()
    for pair in pairs:
        if not (pair.before and pair.after):
            alone += _only_one_has(pair)
            continue
        for measure in MEASURES:
            one = [values[measure] for values in pair.before if measure in values]
            other = [values[measure] for values in pair.after if measure in values]
            if one and other:
                found.append(_found(pair, measure, one, other))
    corrected = holm([one.p_value for one in found])
    judged = [_judged(one._replace(p_value=p)) for one, p in zip(found, corrected, strict=True)]
    return [_as_told(one) for one in sorted([*judged, *alone], key=_rank)]


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
        outside = int(np.searchsorted(tails, _LEVEL, side="right"))
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


def interval_between(one: Sequence[float], other: Sequence[float]) -> tuple[float, float]:
    """95 % interval of the difference of medians of two series of eight samples or more, for one board and two of its
    boots: by the medians of eight stretches of each (batch means, Conway 1963) and Student's t. Neighbouring samples
    are alike, and so are stretches where memory wanders for hours: each then counts for less."""
    error = math.sqrt(_error_of_median(one) + _error_of_median(other))
    difference = float(np.median(other) - np.median(one))
    return difference - _STUDENT * error, difference + _STUDENT * error


def verdict_between(before: float, low: float, high: float) -> str:
    """What the interval of a difference of levels, of two boots of one board, says: worse, better, same or unclear."""
    least = max(1.0, _LEAST_SHARE * abs(before))
    if low > 0 and high > least:
        return "worse"
    if high < 0 and low < -least:
        return "better"
    return _same_or_unclear(low, high, _MATTERS_SHARE * abs(before))


def _error_of_median(values: Sequence[float]) -> float:
    """The squared standard error of the median of a series, by those of its stretches and how alike neighbours are (as
    in a process of first order; the correlation of few is too small by what Kendall 1954 gives)."""
    medians = np.array([np.median(stretch) for stretch in np.array_split(np.asarray(values, dtype=float), _STRETCHES)])
    rest = medians - medians.mean()
    squares = float(rest @ rest)
    if squares <= 0:
        return 0.0
    alike = float(rest[1:] @ rest[:-1]) / squares
    alike = min(max(0.0, alike + (1 + 3 * alike) / _STRETCHES), _MOST_ALIKE)
    return squares / (_STRETCHES - 1) / _STRETCHES * (1 + alike) / (1 - alike)


def _ways(n: int, m: int) -> list[int]:
    """How many orders of n and m values give each value of U."""
    ways = [1] + [0] * (n * m)
    for k in range(1, m + 1):  # Gaussian binomial: multiply by (1 - q^(n+k)) / (1 - q^k)
        for index in range(n * m, n + k - 1, -1):
            ways[index] -= ways[index - n - k]
        for index in range(k, n * m + 1):
            ways[index] += ways[index - k]
    return ways


class _Found(NamedTuple):
    """A difference before it is judged."""

    pair: Pair
    measure: str
    before: float
    after: float
    difference: float
    interval: tuple[float, float] | None
    p_value: float
    effect: float
    devices: tuple[int, int]


def _found(pair: Pair, measure: str, one: Sequence[float], other: Sequence[float]) -> _Found:
    return _Found(
        pair, measure, float(np.median(one)), float(np.median(other)), shift(one, other), shift_interval(one, other),
        mann_whitney(one, other), cliffs_delta(one, other), (len(one), len(other)),
    )  # fmt: skip


def _judged(found: _Found) -> Difference:
    low, high = found.interval or (None, None)
    return Difference(
        found.pair.thing, found.measure, found.before, found.after, found.difference, low, high, found.p_value,
        found.effect, found.devices, _verdict(found), found.pair.older,
    )  # fmt: skip


def _verdict(found: _Found) -> str:
    of_growth = found.measure == "growth"
    least = _LEAST_GROWTH if of_growth else max(1.0, _LEAST_SHARE * abs(found.before))
    if found.interval is None:
        return "unknown"
    if found.p_value <= _LEVEL and abs(found.effect) >= _LEAST_EFFECT and abs(found.difference) >= least:
        # What fills goes on filling, ever more slowly, and the longer one looks the higher is the highest peak.
        by_uptime = -found.pair.older if of_growth else found.pair.older
        if by_uptime * found.difference > 0:
            return "unclear"
        return "worse" if found.difference > 0 else "better"
    return _same_or_unclear(*found.interval, _MATTERS_GROWTH if of_growth else _MATTERS_SHARE * abs(found.before))


def _same_or_unclear(low: float, high: float, matters: float) -> str:
    return "same" if -matters <= low and high <= matters else "unclear"


def _only_one_has(pair: Pair) -> Iterator[Difference]:
    levels = [values["level"] for values in (*pair.before, *pair.after) if "level" in values]
    if levels:
        level, devices = float(np.median(levels)), (len(pair.before), len(pair.after))
        before, after, verdict = (level, None, "removed") if pair.before else (None, level, "added")
        yield Difference(pair.thing, "level", before, after, None, None, None, 1.0, 0.0, devices, verdict)


def _as_told(found: Difference) -> Difference:
    """Of what is left, where only that is known."""
    if not found.thing.is_free or found.measure not in _AS_FREE:
        return found
    before, after, difference, low, high = (
        None if value is None else -value
        for value in (found.before, found.after, found.difference, found.high, found.low)
    )
    return replace(
        found, measure=_AS_FREE[found.measure], before=before, after=after, difference=difference, low=low, high=high,
        effect=-found.effect,
    )  # fmt: skip


def _rank(found: Difference) -> tuple[int, float, Thing, int]:
    order = ("worse", "unclear", "added", "better", "removed", "same", "unknown")
    return order.index(found.verdict), -abs(found.effect), found.thing, MEASURES.index(found.measure)
