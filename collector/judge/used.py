"""How used memory follows from what a device tells of it. Pure, by column."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from collector.judge.columns import EXHAUSTED_AT, kernel_of
from collector.judge.expression import Columns, Numbers, Truths

LAYERS = {"heap": 2, "process": 2}
"""How many numbers the history of such a thing keeps of a sample; of others it is one."""
KERNEL = 1
"""Which of those of a process is what the kernel holds."""

_DIRECT = {"process": "user_mode", "task": "current", "stack": "max_used"}
FREE = {"heap": "free", "stack": "min_free"}
SAID_BY = {
    "process": ("user_mode", "peak_user_mode"),
    "heap": ("used", "free"),
    "task": ("current",),
    "stack": ("max_used", "min_free"),
    "pool": ("used", "blocks_free"),
}
"""By which fields a device may say how much of such a thing is used."""

_OUTLIVED = 0.25
"""The part of what was free as a heap ran out that must have been taken since to have outlived that: holes lie
differently in each boot."""


def used_of(
    kind: str, columns: Mapping[str, Numbers], sizes: Numbers, only_peaks: Truths | bool = False
) -> Numbers | None:
    """Used bytes, and beside them those outside of a heap's largest free block, or those that the kernel holds for a
    process: a line a sample; None: the fields never say.

    `columns` are the fields that are told, NaN where a sample does not tell one; `sizes` the sizes that are known;
    `only_peaks` says of which applications only the peak was ever told, which falls no more than what is used does.
    """
    direct, free = columns.get(_DIRECT.get(kind, "used")), columns.get(FREE.get(kind, ""))
    if kind == "process" and (peak := columns.get("peak_user_mode")) is not None:
        direct = np.full(len(peak), np.nan) if direct is None else direct
        direct = np.where(np.isnan(direct) & only_peaks, peak, direct)
    if kind == "pool" and "blocks_free" in columns and "block_size" in columns:
        free = columns["blocks_free"] * columns["block_size"]
    told = columns.get("size")
    if told is not None:
        sizes = np.where(np.isnan(told), sizes, told)
    if direct is not None and free is not None:
        used = np.where(np.isnan(direct), sizes - free, direct)
    elif direct is not None:
        used = direct
    elif free is not None:
        used = sizes - free
    else:
        return None
    if kind not in LAYERS:
        return used[:, None]
    unknown = np.full(len(used), np.nan)
    if kind == "process":
        return np.stack([used, kernel_of(columns.get("total", unknown), columns.get("user_mode", unknown))], axis=1)
    return np.stack([used, sizes - columns.get("largest_free", unknown)], axis=1)


def most_used(columns: Columns) -> Numbers:
    """The most bytes that were used since the boot, as the device itself keeps it between its samples; NaN where it
    does not. `columns` are all of a kind (`columns.derive`)."""
    unknown = np.full(len(columns["limit"]), np.nan)
    by_free = columns["limit"] - columns.get("min_free", unknown)
    most: Numbers = np.where(np.isnan(by_free), columns.get("max_used", unknown), by_free)
    return most


def end_of_memory(columns: Columns) -> Numbers:
    """How many bytes are used when memory ends, NaN where unknown: the limit; or as many as a heap ran out with before,
    though much was free, since it may again. `columns` are all of a kind."""
    limit = columns["limit"]
    if EXHAUSTED_AT not in columns:
        return limit
    exhausted, most = columns[EXHAUSTED_AT], np.fmax(columns["used"], most_used(columns))
    again = most <= exhausted + _OUTLIVED * (limit - exhausted)
    return np.where(again, np.fmin(limit, np.fmax(exhausted, most)), limit)
