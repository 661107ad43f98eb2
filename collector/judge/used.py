"""How used memory follows from what a device tells of it. Pure, by column."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from collector.judge.expression import Numbers

_DIRECT = {"process": "user_mode", "task": "current", "stack": "max_used"}
_FREE = {"heap": "free", "pool": "free", "stack": "min_free"}


def used_of(kind: str, columns: Mapping[str, Numbers], sizes: Numbers) -> Numbers | None:
    """Used bytes and, of a heap, bytes outside of its largest free block: a line a sample; None: the fields never say.

    `columns` are the fields that are told, NaN where a sample does not tell one; `sizes` the sizes that are known.
    """
    direct, free = columns.get(_DIRECT.get(kind, "used")), columns.get(_FREE.get(kind, ""))
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
    if kind != "heap":
        return used[:, None]
    largest = columns.get("largest_free")
    outside = np.full(len(used), np.nan) if largest is None else sizes - largest
    return np.stack([used, outside], axis=1)
