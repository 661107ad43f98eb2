"""Numbers as devices write them, into bytes and milliseconds. Units are never guessed: the map names them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

SIZES = {"B": 1, "KiB": 1024, "MiB": 1024**2, "kB": 1000, "MB": 1000**2, "count": 1}
"""Units of a field; `count` is for fields that count blocks."""

SPANS_MS: Mapping[str, float] = {"us": 0.001, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
"""Units of an uptime."""

CLOCK = "clock"
"""The uptime unit of `1T07:25:12`, `001+07:25:12.345` and `07:25:12`."""

FRAGMENTED = "%fragmented"
"""The unit of 100 - 100 * largest / free, for `largest_free`: an estimate within one percent of free."""

_CLOCK = re.compile(r"(?:(\d{1,9})[T+])?(\d{1,9}):(\d{1,9}):(\d{1,9})(?:\.\d+)?")


def number(value: Any) -> int | float | None:
    """A number, also out of text; None for anything that is none (true, null, NaN, a word)."""
    kind = type(value)
    if kind is int:
        return int(value)
    if kind is str:
        try:
            value = float(value)
        except ValueError:
            return None
        return int(value) if value.is_integer() else value if math.isfinite(value) else None
    if kind is float and math.isfinite(value):
        return float(value)
    return None


def scaled(value: Any, factor: float) -> int | None:
    """A size or count in whole bytes; None when there is no number, or a negative one."""
    if type(value) is not int:
        value = number(value)
        if value is None:
            return None
    if not -1 < value < 2**63:  # what is far larger would leave the range of floats below
        return None
    value = round(value * factor)
    return value if 0 <= value < 2**63 else None


def span_ms(value: Any, unit: str) -> int | None:
    """An uptime in milliseconds."""
    if unit == CLOCK:
        found = _CLOCK.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            return None
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000
    return scaled(value, SPANS_MS[unit])


def span_step_ms(unit: str) -> int:
    """The step of an uptime in that unit, milliseconds."""
    return 1000 if unit == CLOCK else max(1, int(SPANS_MS[unit]))
