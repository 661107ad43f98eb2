"""Why a thing is told, or is not: the conditions of the detector itself, with their numbers, for one series. Pure.

What a detector asks (`detectors.conditions`) is shown as it is, so an explanation cannot disagree with a verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from collector.judge.detectors.conditions import Asked
from collector.judge.detectors.ground import Ground
from collector.judge.detectors.kernel import Growth, asked_of_kernel
from collector.judge.detectors.largest_block import asked_of_largest_block
from collector.judge.detectors.leak import Leaks, Seen, asked_of_leaks, asked_of_rise, seen_in, with_forecast
from collector.judge.detectors.quiet import look_at
from collector.judge.detectors.trace import Trace
from collector.judge.detectors.views import HOURS_OF, is_daily
from collector.judge.expression import Numbers


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold: `measured` stands in that `relation` to what is `asked`; both None where there is nothing.

    `form` is how they are written (`collector.judge.reasons`). A group has `parts`, and its relation says how many of
    them must hold.
    """

    what: str
    held: bool
    measured: float | None
    relation: str
    asked: float | None
    form: str
    parts: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Window:
    """What was looked at: the least used bytes of each bucket (None where nothing was read, and before growth began; a
    lone dip is passed over), what the envelope makes of them, and the slope of that in bytes/hour with its 95 %
    interval. `kept` are the buckets that lie on the envelope; the others were given back later. Of a night
    (`explaining_night`) buckets are its blocks, the envelope is the line through the points of the `sight` that counts.
    Of memory that never falls they are points at even distances between so many known `values`, and lie on the envelope
    all."""

    bucket_hours: float
    of_whole_days: bool
    buckets: tuple[float | None, ...]
    envelope: tuple[float | None, ...]
    kept: tuple[bool, ...]
    slope: float
    slope_low: float
    slope_high: float
    sight: str = ""
    values: int = 0


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer to one `question`: everything that was asked, and the window where there was one. `state` is that of
    the alert, where the question is a rule."""

    question: str
    conditions: tuple[Condition, ...]
    window: Window | None = None
    state: str = ""

    @property
    def told(self) -> bool:
        """Whether all conditions hold, so that the thing is told."""
        return all(condition.held for condition in self.conditions)


def conditions_of(asked: Sequence[Asked]) -> tuple[Condition, ...]:
    """What was asked of one row."""
    return tuple(
        Condition(
            one.what, bool(one.held[0]), _known(one.measured), one.relation, _known(one.wanted), one.form,
            conditions_of(one.parts),
        )
        for one in asked
    )  # fmt: skip


def explain_leak(window: Numbers, view: int, ground: Ground) -> Explanation:
    """Explain one window (1 x buckets, oldest first) of that view."""
    seen = _seen(window, view)
    return _explain("leak", seen, *asked_of_leaks(seen, ground))


def explain_kernel(window: Numbers, view: int, ground: Ground) -> Explanation:
    """The same of what the kernel holds."""
    seen = _seen(window, view)
    return _explain("kernel", seen, *asked_of_kernel(seen, ground))


def explain_block(window: Numbers, outside: Numbers, view: int, ground: Ground, of_block: Ground) -> Explanation:
    """The same of growth that takes the largest free block, by what lies outside of that."""
    seen = _seen(window, view)
    grown, asked = asked_of_largest_block(seen, ground, outside, of_block)
    with np.errstate(all="ignore"):
        return _explain("block", seen, with_forecast(grown, seen, ground), [*asked_of_rise(seen, ground), *asked])


def _seen(window: Numbers, view: int) -> Seen:
    with np.errstate(all="ignore"):
        return seen_in(window, np.array([view]))


def _explain(question: str, seen: Seen, found: Leaks | Growth, asked: Sequence[Asked]) -> Explanation:
    looked_at, envelope = seen.looked_at[0], np.where(np.isfinite(seen.looked_at[0]), seen.held[0], np.nan)
    kept = tuple(bool(one) for one in np.isclose(looked_at, envelope))
    slope, low, high = (float(one[0]) for one in (found.rate, found.low, found.high))
    bucket_hours, daily = float(HOURS_OF[seen.views][0]), bool(is_daily(seen.views)[0])
    shown = Window(bucket_hours, daily, listed(looked_at), listed(envelope), kept, slope, low, high)
    return Explanation(question, conditions_of(asked), shown if np.isfinite(looked_at).any() else None)


def explain_quiet(trace: Trace, ground: Ground) -> Iterator[Explanation]:
    """Explain what is seen of one series that never falls: each look at it."""
    for growth, leaks, asked in look_at(trace, ground):
        points, of_points = listed(growth.held[0]), (True,) * growth.held.shape[1]
        slope, low, high = (float(one[0]) for one in (leaks.rate, leaks.low, leaks.high))
        apart_hours = float(growth.at[0, -1] - growth.at[0, 0]) / (len(points) - 1)
        values = int((np.isfinite(trace.used[0]) & (trace.hours[0] >= growth.at[0, 0])).sum())
        window = Window(apart_hours, False, points, points, of_points, slope, low, high, values=values)
        yield Explanation("quiet", conditions_of(asked), window if values > 1 else None)


def listed(values: Numbers) -> tuple[float | None, ...]:
    """One line of numbers, None for those that are unknown."""
    return tuple(float(one) if np.isfinite(one) else None for one in values)


def _known(values: Numbers | float) -> float | None:
    value = float(np.ravel(values)[0])
    return None if np.isnan(value) else value
