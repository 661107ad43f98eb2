"""An emulated serial port: what a board prints, byte for byte, up to a moment."""

from __future__ import annotations


class EmulatedConsole:
    """The console of one emulated device.

    `system` and `workload` choose what prints: ("mt3620", "memory-usage"), ("mt3620", "heap-tracker-malloc"),
    ("mt3620", "heap-tracker-realloc"), ("esp32", "heap-task-tracking"), ("zephyr", "tutorial-leak"), or any workload
    of `emulators/workloads`, whose memory the system then prints every `period_s` seconds.
    """

    def __init__(self, system: str, workload: str, seed: int = 1, period_s: float = 1.0) -> None:
        raise NotImplementedError

    def advance(self, now_ms: int) -> bytes:
        """What was printed since the last call, up to now. The first call is the moment of power-on."""
        raise NotImplementedError
