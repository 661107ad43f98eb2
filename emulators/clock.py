"""A device's own clock: what its readings say when they were made, right or wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from emulators.config import Clock
from telemetry.readings import About, Reading

MILLION = 1_000_000


class DeviceClock:
    """The clock of one device; `set_ms` is when it was last set right, by default at power-on."""

    __slots__ = ("_clock", "_set_ms")

    def __init__(self, clock: Clock, set_ms: int) -> None:
        self._clock = clock
        self._set_ms = set_ms

    def stamped(self, items: Sequence[About | Reading]) -> list[About | Reading]:
        """The same items with the times that this clock shows."""
        if self._clock == Clock():
            return list(items)
        return [replace(item, time_ms=self._shown(item)) if isinstance(item, Reading) else item for item in items]

    def _shown(self, reading: Reading) -> int:
        if reading.uptime_ms is not None and reading.uptime_ms < self._clock.unset_ms:
            return reading.uptime_ms
        return reading.time_ms + (reading.time_ms - self._set_ms) * self._clock.drift_ppm // MILLION
