"""Leaks across boots: each boot takes memory at the same pace until it ends. Pure, by column.

A device that reboots when memory runs low, by itself or by a crash, never shows a long rise: but all its boots lie on
one line of used memory over uptime. Each ended boot is kept as four points (`history`). A leak is told when at least
three boots, and most of those remembered, rose by a good part of the free memory, each in every part of its time
alike, and their paces agree.
"""

from __future__ import annotations

import numpy as np

from collector.judge.detectors.history import HOUR_MS, POINTS
from collector.judge.detectors.leak import Leaks
from collector.judge.expression import Numbers

LEAST_BOOTS = 3
_PART = 0.25
_ALIKE = 0.4
"""The slowest part of a boot must grow at this part of the pace of the whole."""
_AGREE = 0.5


def find_leaks_across_boots(boots: Numbers, limits: Numbers) -> tuple[Leaks, Numbers]:
    """Judge rows of boots x points x (uptime ms, used bytes), newest first; leaks, and how many boots tell each."""
    found = Leaks(*np.full((len(Leaks._fields), len(boots)), np.nan))
    with np.errstate(all="ignore"):
        hours, used = boots[..., 0] / HOUR_MS, boots[..., 1]
        spans, grown = np.diff(hours, axis=2), np.diff(used, axis=2)
        span = np.nansum(np.where(np.isfinite(grown), spans, np.nan), axis=2)
        begin, end = used[..., 0], used[..., POINTS - 1]
        begin_h, end_h = hours[..., 0], hours[..., POINTS - 1]
        rate = (end - begin) / (end_h - begin_h)
        pace = np.where(np.isfinite(grown) & (spans > 0.02 * span[..., None]), grown / spans, np.inf)
        alike = pace.min(axis=2) >= _ALIKE * rate
        short = np.isnan(used).any(axis=2)  # too few samples to see its shape: only its rise counts
        leaks = (end - begin >= _PART * (limits[:, None] - begin)) & (alike | short) & (rate > 0)
        seen = np.isfinite(rate)
        count = leaks.sum(axis=1)
        rates = np.where(leaks, rate, np.nan)
        rate_m = np.nanmedian(np.where(count[:, None] > 0, rates, 0), axis=1)
        low, high = (
            np.nanmin(np.where(count[:, None] > 0, rates, 0), axis=1),
            np.nanmax(np.where(count[:, None] > 0, rates, 0), axis=1),
        )
        agree = (np.nansum(np.abs(rates / rate_m[:, None] - 1) <= _AGREE, axis=1)) >= LEAST_BOOTS
        told = (count >= LEAST_BOOTS) & (count >= 0.75 * seen.sum(axis=1)) & agree
        lasted = np.nanmedian(np.where(count[:, None] > 0, np.where(leaks, end_h - begin_h, np.nan), 0), axis=1)
        total = np.nansum(np.where(leaks, end - begin, 0), axis=1)
        left = np.maximum(0, lasted)
        values = Leaks(rate_m, low, high, left, left * rate_m / high, left * rate_m / low, lasted * 60, total)
    for column, value in zip(found, values, strict=True):
        column[:] = np.where(told, value, np.nan)
    return found, np.where(told, count, np.nan)
