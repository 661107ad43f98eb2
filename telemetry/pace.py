"""How often a device speaks. A collector calls devices silent after a span of its own; one that speaks more seldom than
that gets several of its own periods."""

from __future__ import annotations

PERIODS = 3
"""So many periods without a word are silence: one message may be lost, one late."""
_STEP_S = 300
"""Spans are told in steps of this, so that a period that wavers is not told again and again."""
_LONGEST_MS = 7 * 86_400_000


class Pace:
    """`silent_after_s`: what to tell the collector, 0 for a device that speaks often. Times are milliseconds.

    The period is the one that the map names, or the shorter of the last two gaps between measurements where that is
    longer: one long gap is an outage, two are the user's setting.
    """

    __slots__ = ("_declared_ms", "_gap_ms", "_heard_ms", "period_ms", "silent_after_s")

    def __init__(self, period_ms: int = 0) -> None:
        self.silent_after_s = 0
        self._declared_ms = 0
        self._heard_ms: int | None = None
        self._gap_ms = period_ms
        self._use(period_ms)

    def heard(self, time_ms: int, declared_ms: int) -> bool:
        """A measurement came; whether the collector has to be told another span."""
        before = self.silent_after_s
        self._declared_ms = max(self._declared_ms, declared_ms)
        gap = self._gap_ms if self._heard_ms is None else time_ms - self._heard_ms
        self._use(min(max(self._declared_ms, min(gap, self._gap_ms)), _LONGEST_MS))
        self._heard_ms, self._gap_ms = time_ms, gap
        return self.silent_after_s != before

    def _use(self, period_ms: int) -> None:
        self.period_ms = period_ms
        span_s = -(-PERIODS * period_ms // (_STEP_S * 1000)) * _STEP_S
        self.silent_after_s = span_s if span_s > _STEP_S else 0
