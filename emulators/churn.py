"""Traffic, compiled: each emulated firmware spends most of its steps in it."""

from __future__ import annotations

from functools import partial

from emulators.devices.mt3620 import KILLED
from emulators.firmware import Compiled, Reset, Runtime
from emulators.native import core

ASLEEP, STOPPED, OOM_KILLED = range(3)
"""enum churn_end of core/churn.h."""


class Churn(Compiled):
    """Of `slots` blocks of `low` to `high` bytes about half are held at any
    time; four change each step."""

    __slots__ = ("_core", "_device", "_every_ms")

    def __init__(self, device: Runtime, slots: int, low: int, high: int, every_ms: int) -> None:
        memory = device.memory
        take_and_give = partial(memory.malloc, device.task, written=True), memory.free
        self._core = core.Churn(memory.route or take_and_give, device.chance, slots, low, high, every_ms)
        self._device = device
        self._every_ms = every_ms

    def run(self, at_ms: int, until_ms: int) -> int:
        """Steps up to `until_ms`; the next one."""
        end, now_ms, deepest, refused = self._core.run(at_ms, until_ms)
        if end == ASLEEP:
            return now_ms
        self._device.came_to(now_ms, refused)
        if end == OOM_KILLED:
            raise Reset("oom_kill", KILLED)
        self._device.use_stack(deepest)
        return now_ms + self._every_ms
