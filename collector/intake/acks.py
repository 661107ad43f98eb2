"""When to tell an agent how far the collector has come: every 16 frames or 250 ms, never before the commit."""

from __future__ import annotations

from dataclasses import dataclass

FRAMES = 16
SPAN_MS = 250


@dataclass(slots=True)
class _Owed:
    frames: int = 0
    last_ms: int = -SPAN_MS


class Acks:
    """Which (agent, epoch) pairs are owed an ack. `now_ms` is monotonic."""

    def __init__(self) -> None:
        self._owed: dict[tuple[str, int], _Owed] = {}

    def owe(self, agent: str, epoch: int) -> None:
        """One more frame of that epoch has been dealt with."""
        self._owed.setdefault((agent, epoch), _Owed()).frames += 1

    def due(self, now_ms: int) -> list[tuple[str, int]]:
        """The pairs to acknowledge now; they are owed nothing afterwards."""
        due, idle = [], []
        for key, owed in self._owed.items():
            late = now_ms - owed.last_ms >= SPAN_MS
            if owed.frames >= FRAMES or (owed.frames and late):
                due.append(key)
                owed.frames, owed.last_ms = 0, now_ms
            elif late:
                idle.append(key)
        for key in idle:
            del self._owed[key]  # the next frame of it is acknowledged at once, as a first one is
        return due
