"""How used memory is read off the rows of a block, whatever its device tells of it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

Cells = Sequence[Any]
"""One row of a block: time, uptime, then a value a field, None where it is not told."""

Reader = Callable[[Cells, float], tuple[float, ...] | None]
"""Row and size in bytes (NaN: unknown) in; used bytes and, of a heap, bytes outside of its largest free block, out."""

_DIRECT = {"process": "user_mode", "task": "current", "stack": "max_used"}
_FREE = {"heap": "free", "pool": "free", "stack": "min_free"}
_UNKNOWN = float("nan")


@lru_cache(maxsize=1024)
def reader(kind: str, fields: tuple[str, ...]) -> Reader:
    """How blocks of that kind with those fields are read; None comes out where used memory cannot be known."""
    places = {name: place for place, name in enumerate(fields, start=2)}
    direct, free = places.get(_DIRECT.get(kind, "used")), places.get(_FREE.get(kind, ""))
    size_at, largest = places.get("size"), places.get("largest_free")

    def read(cells: Cells, size: float) -> tuple[float, ...] | None:
        if size_at is not None and cells[size_at] is not None:
            size = cells[size_at]
        used = cells[direct] if direct is not None else None
        if used is None and free is not None and cells[free] is not None and size == size:
            used = size - cells[free]
        if used is None:
            return None
        if kind != "heap":
            return (used,)
        return used, _UNKNOWN if largest is None or cells[largest] is None else size - cells[largest]

    return read


def free_of(kind: str, fields: tuple[str, ...], cells: Cells) -> float | None:
    """What is free of a heap that tells it, bytes; None of others."""
    return cells[2 + fields.index("free")] if kind == "heap" and "free" in fields else None
