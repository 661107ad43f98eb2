"""Spans of time as people write them: 45s, 10m, 2h, 14d."""

from __future__ import annotations

import re

from telemetry.errors import UsageError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(text: str) -> float:
    """Seconds in a span; a bare number is seconds."""
    found = re.fullmatch(r"(\d{1,12}(?:\.\d{1,12})?)\s*(ms|s|m|h|d)?", text.strip(), re.ASCII)
    if not found:
        raise UsageError(f"{text!r} is not a span of time; write 45s, 10m, 2h or 14d")
    return float(found[1]) * _UNITS[found[2] or "s"]


def span_text(span_s: float) -> str:
    """A span as people say it, in its largest fitting unit: 45s, 10m, 2.5h, 14d."""
    for unit, least in (("d", 2 * 86_400), ("h", 2 * 3_600), ("m", 120)):
        if span_s >= least:
            return f"{span_s / _UNITS[unit]:.1f}".removesuffix(".0") + unit
    return f"{span_s:.0f}s"
