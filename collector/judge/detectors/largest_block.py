"""When the largest free block is gone, and with it memory for any larger request. Pure, by column.

A leak leaves holes between what it keeps, so the largest free block may shrink faster than free memory does. What lies
outside of it grows to the limit as used memory does, and its end is told alike (`leak.forecast_of`): from where used
memory began to grow, at the pace of its own envelope.

How much of the free memory the largest block has at one moment is chance in any heap. So that end is told only where it
comes well before that of the last byte.
"""

from __future__ import annotations

import numpy as np

from collector.judge.detectors.forecast import Forecast
from collector.judge.detectors.ground import Ground
from collector.judge.detectors.leak import Leaks, Seen, forecast_of, seen_in
from collector.judge.detectors.shape import envelope, first_and_last, since, slopes
from collector.judge.detectors.views import HOURS_OF, watched
from collector.judge.expression import Numbers, Truths
from collector.judge.series import Rows

_LEAST_KNOWN = 5
_WELL_BEFORE = 0.7


def end_of_largest_block(used: Numbers, outside: Numbers, views: Rows, ground: Ground) -> Forecast:
    """When it is gone, by windows of least used bytes and of least bytes outside of it: NaN where that is not known,
    infinite where it does not shrink.

    `ground` is that of used memory, but for the newest value; its peaks are not of what lies outside.
    """
    unknown = np.full(len(used), np.nan)
    ground = ground._replace(peaks=unknown, ceilings=unknown, ceiling_ages_ms=unknown, most=unknown)
    with np.errstate(all="ignore"):
        begin, _ = first_and_last(seen_in(used, views).looked_at)
        looked_at = np.where(since(begin, outside), watched(outside, views), np.nan)
        held = np.where(np.isfinite(looked_at), envelope(looked_at), np.nan)
        seen = Seen(outside, outside - held, looked_at, held, views)
        ends = forecast_of(seen, ground, slopes(held)[0] / HOURS_OF[views])
        known = np.isfinite(looked_at).sum(axis=1) >= _LEAST_KNOWN
    return Forecast(*(np.where(known, one, np.nan) for one in ends))


def is_well_before(block: Forecast, leaks: Leaks, used: Numbers, views: Rows, ground: Ground) -> Truths:
    """Whether the block is gone well before the last byte, as its samples tell that, and before these leaks end memory:
    peaks between samples may end it first."""
    unknown = np.full(len(used), np.nan)
    by_samples = forecast_of(seen_in(used, views), ground._replace(most=unknown), leaks.rate).left
    before: Truths = block.left < np.fmin(leaks.hours_left, _WELL_BEFORE * np.fmax(by_samples, leaks.hours_left))
    return before


def ended_by(leaks: Leaks, rows: Rows, block: Forecast) -> Leaks:
    """These leaks, some rows of them with that end."""
    ends = [leaks.hours_left.copy(), leaks.hours_low.copy(), leaks.hours_high.copy()]
    for end, of_block in zip(ends, block, strict=True):
        end[rows] = of_block
    return leaks._replace(hours_left=ends[0], hours_low=ends[1], hours_high=ends[2])
