"""Rush: a boot that takes most of the free memory within a handful of samples. Pure, by column.

The leak detector wants more samples than such a boot has. What it may do instead: tell growth that is larger than any
tooth, wave or cache that we know of, when its samples lie on a line that does not slow down.
"""

from __future__ import annotations

import numpy as np

from collector.judge.detectors.conditions import Asked, all_held, at_least, at_most, more_than
from collector.judge.detectors.forecast import course_of, hours_left, interval, scatter_of_ends
from collector.judge.detectors.ground import Ground
from collector.judge.detectors.leak import WANDERS, Leaks, ages_of
from collector.judge.detectors.line import line_through
from collector.judge.detectors.shape import pair_slopes, ranked_slopes
from collector.judge.detectors.views import HOURS_OF
from collector.judge.expression import Numbers, Truths
from collector.judge.series import Rows

LEAST_KNOWN, MOST_KNOWN, LONGEST_VIEW = 4, 12, 3
_PART, _LEAST_H = 0.55, 300 / 3600
"""It takes that part of what was free, and lasts for so long: jobs of minutes give back what they took."""
_LEVEL, _MARGIN = 0.1, 0.25
_ALIKE, _ON_A_LINE, _FALL = 0.4, 0.95, 0.05
"""The pace of the later half is at least this part of that of the earlier; the correlation with time; the largest fall
as a part of what it grew."""


def find_rushes(samples: Numbers, views: Rows, ground: Ground) -> Leaks:
    """Judge one window a row, the bucket that is still open included."""
    found = Leaks(*np.full((len(Leaks._fields), len(samples)), np.nan))
    rows = np.flatnonzero(all_held(asked_of_rise(samples, views, ground)))
    ages = ages_of(samples.shape[1] - 1, views[rows], ground.of(rows))
    for row, closed in zip(rows.tolist(), ages, strict=True):
        at = _rise(samples[row])
        hours, used = at * HOURS_OF[views[row]], samples[row, at]
        if all_held(asked_of_line(hours, used))[0]:
            of_samples = np.append(closed, 0.0)[at]
            told = _told(hours, used, of_samples, float(ground.limits[row]), float(HOURS_OF[views[row]]))
            for column, value in zip(found, told, strict=True):
                column[row] = value[0]
    return found


def is_asked_of(kind: str) -> bool:
    """Whether such a thing may rush: a stack does not, which a deep call takes at once."""
    return kind != "stack"


def may_rush(windows: Numbers, views: Rows) -> Truths:
    """The cheapest part, for all: few enough samples, as far as the closed buckets tell."""
    few: Truths = (np.isfinite(windows).sum(axis=1) <= MOST_KNOWN) & (views <= LONGEST_VIEW)
    return few


def asked_of_rise(samples: Numbers, views: Rows, ground: Ground) -> list[Asked]:
    """What must hold of each window: few samples, and that they rise far enough."""
    count = np.isfinite(samples).sum(axis=1)
    with np.errstate(all="ignore"):
        least, most = np.fmin.reduce(samples, axis=1), np.fmax.reduce(samples, axis=1)
        grown, peak = most - least, np.fmax(ground.ceilings, ground.known_to)
        went = np.fmax.reduce(np.fmax.accumulate(samples, axis=1) - samples, axis=1)
        return [
            at_least("samples seen", "number", count, LEAST_KNOWN),
            at_most("samples seen", "number", count, MOST_KNOWN),
            at_most("length of a bucket", "hours", HOURS_OF[views], float(HOURS_OF[LONGEST_VIEW])),
            at_least("growth, of what was free", "size", grown, _PART * (ground.limits - least)),
            more_than("growth, in steps of the counter", "size", grown, 4 * ground.resolutions),
            more_than("the highest, against the highest peak before", "size", most, peak + _MARGIN * grown)
            .or_unknown(),
            at_least("growth, beside what went of late in as long", "size", grown,
                     WANDERS * np.fmax(went, ground.given_back)),
        ]  # fmt: skip


def asked_of_line(hours: Numbers, used: Numbers) -> list[Asked]:
    """What must hold of the samples of one rise: on a line, without a fall, and not slower at its end."""
    enough = at_least("samples since the rise began", "number", np.array([len(used)]), LEAST_KNOWN)
    if not enough.held[0]:
        return [enough]
    middle, grown = len(used) // 2, used[-1:] - used[:1]
    early = (used[middle] - used[:1]) / (hours[middle] - hours[:1])
    late = (used[-1:] - used[middle]) / (hours[-1:] - hours[middle])
    with np.errstate(all="ignore"):
        correlation = np.corrcoef(hours, used)[0, 1:]
    return [
        enough,
        at_least("how long it lasts: no job", "hours", hours[-1:] - hours[:1], _LEAST_H),
        at_most("the largest fall meanwhile", "size", np.fmax(0, -np.diff(used).min(keepdims=True)), _FALL * grown),
        at_least("the pace of the later half", "rate", late, _ALIKE * early),
        at_least("correlation with a straight line", "ratio", correlation, _ON_A_LINE),
    ]


def rise_of(samples: Numbers, view: int) -> tuple[Numbers, Numbers]:
    """Hours and bytes of the samples of one window from where it left its least level for good."""
    at = _rise(samples)
    return at * HOURS_OF[view], samples[at]


def _rise(samples: Numbers) -> Rows:
    at = np.flatnonzero(np.isfinite(samples))
    used = samples[at]
    return at[np.flatnonzero(used <= used.min() + _LEVEL * (used.max() - used.min()))[-1] :] if len(at) else at


def _told(hours: Numbers, used: Numbers, ages: Numbers, limit: float, bucket_hours: float) -> Leaks:
    rate, low, high = ranked_slopes(pair_slopes(hours[None], used[None]), np.array([len(used)]))
    left = hours_left(used[None], ages[None], rate, np.array([limit]))
    scatter = scatter_of_ends(used[None], ages[None], rate, np.array([bucket_hours]))
    soonest, latest = interval(left, course_of(line_through(hours[None], used[None])), scatter)
    return Leaks(rate, low, high, left, soonest, latest, (hours[-1:] - hours[:1]) * 60, used[-1:] - used[:1])
