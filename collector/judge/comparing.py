"""Whether one firmware needs more memory than another, over devices. Pure.

Each device counts once, however many samples it gave: a test over samples would find a difference between any two
devices. The tests are those of `ranks.py`; of many at once the p-values are corrected by Holm's method (1979).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from collector.judge.ranks import LEVEL, Tested, apart, holm, within

MEASURES = ("level", "peak", "growth")
"""Bytes, bytes, bytes/hour: the median and the most of used memory after start-up, and the slope of what is kept."""

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
    those, -1 at earlier ones, 0 at the same. `is_paired` where each of these is of the same device as that at its
    place."""

    thing: Thing
    before: Sequence[Values]
    after: Sequence[Values]
    older: int = 0
    is_paired: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """One measure of one thing: medians before and after, the difference (after - before) with its 95 % interval, its
    p-value as corrected, the effect from -1 to 1 (1: every device after has more than every one before; where these
    are the same devices, `is_paired`: every device has more than it had), and how many devices there are. Of a thing
    that only tells what is left they are of that, where less is worse.

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
    is_paired: bool = False


def compare(pairs: Iterable[Pair]) -> list[Difference]:
    """All measures of all things that both have, and what only one has, the worst first."""
    found, alone = list[_Found](), list[Difference]()
    for pair in pairs:
        if not (pair.before and pair.after):
            alone += _only_one_has(pair)
            continue
        for measure in MEASURES:
            one, other = _values(pair, measure)
            if one and other:
                found.append(_Found(pair, measure, one, other, _tested(pair, one, other)))
    corrected = holm([one.tested.p_value for one in found])
    judged = [_judged(one, p_value) for one, p_value in zip(found, corrected, strict=True)]
    return [_as_told(one) for one in sorted([*judged, *alone], key=_rank)]


def counted(devices: Sequence[int], is_paired: bool) -> str:
    """How many devices were compared, in a word: `12 + 14`, `the same 12`."""
    return f"the same {devices[0]}" if is_paired else " + ".join(map(str, devices))


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


class _Found(NamedTuple):
    """A difference before it is judged."""

    pair: Pair
    measure: str
    one: Sequence[float]
    other: Sequence[float]
    tested: Tested


def _values(pair: Pair, measure: str) -> tuple[list[float], list[float]]:
    """What there is before and after; of pairs what both have."""
    sides = pair.before, pair.after
    if pair.is_paired:
        both = [
            (one[measure], other[measure])
            for one, other in zip(*sides, strict=True)
            if measure in one and measure in other
        ]
        return [one for one, _ in both], [other for _, other in both]
    one, other = ([values[measure] for values in side if measure in values] for side in sides)
    return one, other


def _tested(pair: Pair, one: Sequence[float], other: Sequence[float]) -> Tested:
    return within(np.subtract(other, one).tolist()) if pair.is_paired else apart(one, other)


def _judged(found: _Found, p_value: float) -> Difference:
    pair, measure, one, other, tested = found
    before, after = float(np.median(one)), float(np.median(other))
    low, high = tested.interval or (None, None)
    verdict = _verdict(measure, before, tested._replace(p_value=p_value), pair.older)
    return Difference(
        pair.thing, measure, before, after, tested.difference, low, high, p_value, tested.effect,
        (len(one), len(other)), verdict, pair.older, pair.is_paired,
    )  # fmt: skip


def _verdict(measure: str, before: float, tested: Tested, older: int) -> str:
    of_growth = measure == "growth"
    least = _LEAST_GROWTH if of_growth else max(1.0, _LEAST_SHARE * abs(before))
    if tested.interval is None:
        return "unknown"
    if tested.p_value <= LEVEL and abs(tested.effect) >= _LEAST_EFFECT and abs(tested.difference) >= least:
        # What fills goes on filling, ever more slowly, and the longer one looks the higher is the highest peak.
        by_uptime = -older if of_growth else older
        if by_uptime * tested.difference > 0:
            return "unclear"
        return "worse" if tested.difference > 0 else "better"
    return _same_or_unclear(*tested.interval, _MATTERS_GROWTH if of_growth else _MATTERS_SHARE * abs(before))


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
