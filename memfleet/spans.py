"""Spans of time as people write them: 45s, 10m, 1h30m, 14d."""

from __future__ import annotations

import re

from collector.judge.spans import milliseconds
from telemetry.errors import UsageError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}


def seconds(text: str) -> float:
    """Seconds in a span of one unit, or of several as rules write them; a bare number is seconds."""
    found = re.fullmatch(r"(\d{1,12}(?:\.\d{1,12})?)\s*(ms|s|m|h|d|w)?", text.strip(), re.ASCII)
    if found:
        return float(found[1]) * _UNITS[found[2] or "s"]
    try:
        return milliseconds(text.strip()) / 1000
    except ValueError:
        raise UsageError(f"{text!r} is not a span of time; write 45s, 10m, 1h30m, 14d or 2w") from None


def some_seconds(option: str, text: str) -> float:
    """Seconds in the span of an option that asks for more than none."""
    span_s = seconds(text)
    if not span_s:
        raise UsageError(f"{option} {text}: nothing comes in no time; write 45s, 10m or 1h30m")
    return span_s


def span_text(span_s: float) -> str:
    """A span as people say it, in its largest fitting unit: 45s, 10m, 2.5h, 14d."""
    for unit, least in (("d", 2 * 86_400), ("h", 2 * 3_600), ("m", 120)):
        if span_s >= least:
            return f"{span_s / _UNITS[unit]:.1f}".removesuffix(".0") + unit
    return f"{span_s:.0f}s"
