"""How often a device speaks. A collector calls devices silent after a span of its own; one that speaks more seldom than
that gets several of its own periods."""

from __future__ import annotations

from collections import deque

PERIODS = 3
"""So many periods without a word are silence: one message may be lost, one late."""
_STEP_S = 300
"""Spans are told in steps of this, so that a period that wavers is not told again and again."""
_LONGEST_MS = 7 * 86_400_000


_GAPS = 24
"""Gaps that are looked at."""


class Pace:
    """`silent_after_s`: what to tell the collector, 0 for a device that speaks often. Times are milliseconds.

    The period is the one that the map names, or the second longest of the last gaps between measurements where that is
    longer: one long gap is an outage, two are the user's setting, or the way of a device that speaks unevenly. While
    but one gap is known, what was assumed may shorten it.
    """

    __slots__ = ("_assumed_ms", "_declared_ms", "_gaps_ms", "_heard_ms", "period_ms", "silent_after_s")

    def __init__(self, period_ms: int = 0) -> None:
        self.silent_after_s = 0
        self._declared_ms = 0
        self._heard_ms: int | None = None
        self._assumed_ms = period_ms
        self._gaps_ms: deque[int] = deque(maxlen=_GAPS)
        self._use(period_ms)

    def heard(self, time_ms: int, declared_ms: int) -> bool:
        """A measurement came; whether the collector has to be told another span."""
        before = self.silent_after_s
        self._declared_ms = max(self._declared_ms, declared_ms)
        if self._heard_ms is not None:
            self._gaps_ms.append(time_ms - self._heard_ms)
        self._heard_ms = time_ms
        self._use(min(max(self._declared_ms, self._usual_ms()), _LONGEST_MS))
        return self.silent_after_s != before

    def _usual_ms(self) -> int:
        gaps_ms = sorted(self._gaps_ms)
        return gaps_ms[-2] if len(gaps_ms) > 1 else min([self._assumed_ms, *gaps_ms])

    def _use(self, period_ms: int) -> None:
        self.period_ms = period_ms
        span_s = -(-PERIODS * period_ms // (_STEP_S * 1000)) * _STEP_S
        self.silent_after_s = span_s if span_s > _STEP_S else 0
