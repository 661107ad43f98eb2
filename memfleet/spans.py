"""Spans of time as people write them: 45s, 10m, 1h30m, 14d."""

from __future__ import annotations

import re

from telemetry.errors import UsageError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_NUMBER = r"\d{1,12}(?:\.\d{1,12})?"
_PART = re.compile(rf"({_NUMBER})(ms|s|m|h|d|w)", re.ASCII)


def seconds(text: str) -> float:
    """Seconds in a span of one unit or more; a bare number is seconds."""
    close = re.sub(r"\s", "", text)
    if re.fullmatch(_NUMBER, close, re.ASCII):
        return float(close)
    parts = _PART.findall(close)
    if not parts or "".join(number + unit for number, unit in parts) != close:
        raise UsageError(f"{text!r} is not a span of time; write 45s, 10m, 1h30m, 14d or 2w")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def span_text(span_s: float) -> str:
    """A span as people say it, in its largest fitting unit: 45s, 10m, 2.5h, 14d."""
    for unit, least in (("d", 2 * 86_400), ("h", 2 * 3_600), ("m", 120)):
        if span_s >= least:
            return f"{span_s / _UNITS[unit]:.1f}".removesuffix(".0") + unit
    return f"{span_s:.0f}s"
