"""Devices that are to be asked more often for a while: the collector suspects them."""

from __future__ import annotations

from dataclasses import dataclass

from telemetry.messages import Command

LONGEST_MS = 900_000
"""A wish holds for so long at most, however far its end lies by a clock that may be wrong."""
_LEAST_MS = 1_000


@dataclass(frozen=True, slots=True)
class Haste:
    """`devices` every `every_ms` until `until_ms`, milliseconds of the clock by which questions are asked."""

    devices: frozenset[str] = frozenset()
    every_ms: int = 0
    until_ms: int = 0

    def period_ms(self, device: str, usual_ms: int, now_ms: int) -> int:
        """How often to ask a device just now that is usually asked every `usual_ms`; never less often than that."""
        hurries = now_ms < self.until_ms and device in self.devices
        return min(usual_ms, self.every_ms) if hurries else usual_ms


def wished(command: Command, wall_ms: int, now_ms: int) -> Haste:
    """What a command wishes; `wall_ms` is the clock of its end, `now_ms` the one by which questions are asked."""
    left_ms = min(command.until_ms - wall_ms, LONGEST_MS)
    if command.interval_s is None or left_ms <= 0:
        return Haste()
    return Haste(frozenset(command.log_devices), max(_LEAST_MS, int(command.interval_s * 1000)), now_ms + left_ms)
