"""When memory ends: by the first sample that would reach the limit, each moved along the slope. Pure, by column.

What comes and goes stands above what grows, and memory ends at one of its peaks. So no level is taken off the limit but
that of each sample: (limit - used) / slope - age, of which the least counts.
"""

from __future__ import annotations

import numpy as np

from collector.judge.expression import Numbers


def hours_left(used: Numbers, ages: Numbers, rates: Numbers, limits: Numbers) -> Numbers:
    """Hours until the first sample of each row reaches the limit, 0 when one has; NaN where the limit is unknown,
    infinite where nothing grows.

    `used` bytes, NaN where unknown, and `ages` hours have a line a row; `rates` are bytes/hour.
    """
    with np.errstate(all="ignore"):
        ends = (limits[:, None] - used) / rates[:, None] - ages
        left: Numbers = np.where(rates > 0, np.maximum(0, np.fmin.reduce(ends, axis=1)), np.inf)
    return left
