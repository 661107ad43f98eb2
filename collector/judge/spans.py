"""Spans of time as rules and their cases write them: 90s, 5m, 1h30m. Pure."""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_PART = re.compile(r"(\d{1,6})(ms|s|m|h|d)")

Span = Annotated[
    str, Meta(pattern=rf"^({_PART.pattern}){{1,5}}$", description="a span of time; write 90s, 5m or 1h30m")
]


def milliseconds(span: str) -> int:
    """A span in ms; ValueError when it is none."""
    parts = _PART.findall(span)
    if not parts or "".join(number + unit for number, unit in parts) != span:
        raise ValueError(f"{span!r} is not a span of time; write 90s, 5m or 1h30m")
    return sum(int(number) * _UNITS_MS[unit] for number, unit in parts)
