"""How full a thing is: used and capacity, both bytes, out of its newest values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from telemetry.readings import MT3620_LIMIT, Value
from telemetry.wire import flag_bits

_NOT_COMPARABLE = flag_bits(["unreliable", "modulus", "part"])


class Fill(NamedTuple):
    """Bytes in use, and the bytes at which it is full."""

    used: int
    capacity: int


def fill_of(kind: str, values: Mapping[str, Value], limits: Mapping[str, int], flags: int = 0) -> Fill | None:
    """How full the thing is; None when its values do not say, or a flag says that they cannot be compared.

    `limits` are the device's, as its `about` gave them: they stand in where the console does not print a size.
    """
    rule = _RULES.get(kind)
    if rule is None or flags & _NOT_COMPARABLE:
        return None
    numbers = {name: value for name, value in values.items() if isinstance(value, int)}
    used, capacity = rule(numbers, limits)
    return Fill(used, capacity) if used is not None and capacity else None


_Pair = tuple[int | None, int | None]


def _process(values: Mapping[str, int], limits: Mapping[str, int]) -> _Pair:
    used = values.get("user_mode", values.get("peak_user_mode"))
    if used is not None:
        return used, limits.get("user_mode", MT3620_LIMIT)
    return values.get("total"), values.get("quota")


def _heap(values: Mapping[str, int], limits: Mapping[str, int]) -> _Pair:
    used, free, size = values.get("used"), values.get("free"), values.get("size")
    if size is None and used is not None and free is not None:
        size = used + free
    size = size or limits.get("heap")
    if used is None and free is not None and size is not None:
        used = max(size - free, 0)
    return used, size or values.get("threshold")


def _stack(values: Mapping[str, int], limits: Mapping[str, int]) -> _Pair:
    size = values.get("size") or limits.get("stack")
    used = values.get("max_used")
    if used is None and size is not None and "min_free" in values:
        used = max(size - values["min_free"], 0)
    return used, size


def _pool(values: Mapping[str, int], _: Mapping[str, int]) -> _Pair:
    used, size = values.get("used"), values.get("size")
    if used is None and size is not None and "blocks_free" in values and "block_size" in values:
        used = max(size - values["blocks_free"] * values["block_size"], 0)
    return used, size


_RULES = {"process": _process, "heap": _heap, "stack": _stack, "pool": _pool}
