"""An emulated device: boots, runs its tasks in turn, dies, starts anew, and reports what its platform tells.

Time is milliseconds of the caller's clock; the device never looks at one itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from emulators.boards import Board
from emulators.chance import Chance
from emulators.devices.esp32 import Esp32Memory
from emulators.devices.measure import Measure
from emulators.devices.mt3620 import KILLED, Mt3620Memory
from emulators.devices.zephyr import ZephyrMemory
from emulators.firmware import Firmware, Memory, Plan, Reset, Runtime, Task, overflown
from emulators.native import core
from telemetry.readings import MT3620_LIMIT, About, Reading, Value


class DeviceMemory(Memory, Protocol):
    """Memory that can be read as well."""

    def measures(self) -> Iterator[Measure]:
        """What the platform tells about its memory now."""


MEMORIES: Mapping[str, Callable[[Board, Plan], DeviceMemory]] = {
    "mt3620": Mt3620Memory,
    "esp32": Esp32Memory,
    "zephyr": ZephyrMemory,
}


class Listener(Protocol):
    """Who listens to a device's console."""

    def printed(self, text: str) -> None:
        """The firmware printed text."""

    def booted(self, device: Device) -> None:
        """The device has started, no task has run yet."""

    def died(self, device: Device, reset: Reset) -> None:
        """The boot is over."""


LIMITS: Mapping[str, Mapping[str, int]] = {"mt3620": {"user_mode": MT3620_LIMIT}}


class Device:
    """One device with its firmware. `power_on_ms` is when it gets power; `listener` takes what it prints.

    `pending` gathers what it has reported and was not yet taken, in order of time.
    """

    def __init__(
        self,
        name: str,
        board: Board,
        firmware: Firmware,
        chance: Chance,
        power_on_ms: int = 0,
    ) -> None:
        self.name = name
        self.board = board
        self.firmware = firmware
        self.listener: Listener | None = None
        self.boot = 0
        self.boot_ms = power_on_ms
        self.uptime_ms = 0
        self.reset_event, self.reset_reason = "power_on", "power on"
        self.pending: list[About | Reading] = []
        self.memory: DeviceMemory
        self._chance = chance
        self._schedule = core.Schedule(self)
        self._failed = False
        self._logged_ms = -1
        self._up = False

    # -- life ----------------------------------------------------------------------------------------------------------

    def advance(self, now_ms: int) -> None:
        """Let the firmware run up to now, through resets where it comes to them."""
        while now_ms >= self.boot_ms:
            try:
                if not self._up:
                    self._start_up()
                self._schedule.run(now_ms - self.boot_ms)
                self.uptime_ms = max(self.uptime_ms, now_ms - self.boot_ms)
                return
            except Reset as reset:
                self._go_down(reset)

    def redeploy(self, firmware: Firmware) -> None:
        """Other firmware from this moment of the device's time on: the system ends the old one and starts the new.

        An application of the MT3620 that ignores SIGTERM is killed.
        """
        if self._up:
            ignored = self.firmware.plan.ignores_sigterm
            self._go_down(Reset("sigkill", KILLED) if ignored else Reset("update", f"to {firmware.version}"))
        self.firmware = firmware

    def is_up(self) -> bool:
        """Between a boot and the next reset."""
        return self._up

    def _start_up(self) -> None:
        self._up = True
        self.boot += 1
        self.uptime_ms = 0
        self._failed = False
        self._schedule = core.Schedule(self)
        board = self.board
        texts = {"platform": board.platform, "board": board.name, "firmware": self.firmware.version, "os": board.os}
        self.pending.append(About(self.name, self.boot, texts, LIMITS.get(board.platform, {})))
        life: dict[str, Value] = {"uptime": 0, "boots": self.boot, "reset_reason": self.reset_reason}
        self._add(
            Measure("device", (), life | {"firmware": self.firmware.version, "board": board.name, "os": board.os})
        )
        self._add(Measure("event", ("boot",), {"reason": self.reset_reason}))
        self.memory = MEMORIES[board.platform](board, self.firmware.plan)
        if self.listener:
            self.listener.booted(self)
        for task in self.firmware.plan.tasks:
            self.start(task, "main")

    def _go_down(self, reset: Reset) -> None:
        if self.listener:
            self.listener.died(self, reset)
        self._add(Measure("event", (reset.event,), {"reason": reset.reason}))
        level = "W" if reset.event in ("restart", "update") else "E"
        self.log({"level": level, "module": "system", "text": reset.reason})
        self.reset_event, self.reset_reason = reset.event, reset.reason
        self.boot_ms += self.uptime_ms + self.board.reboot_ms
        self._up = False

    # -- what tasks ask of it (emulators.firmware.World) ---------------------------------------------------------------

    def print(self, text: str) -> None:
        """Print to the console, where there is one."""
        if self.listener:
            self.listener.printed(text)

    def start(self, task: Task, by: str) -> None:
        """Start a task at this moment."""
        self.memory.begin(task, by)
        runtime = Runtime(self, task.name, self._chance.child(f"{self.boot}/{task.name}"))
        self._schedule.add(task.name, task.run(runtime), self.uptime_ms)

    def delete(self, task: str) -> None:
        """Delete a task; its memory stays as it is."""
        self._schedule.remove(task)
        self.memory.end(task)

    def refused(self, task: str, size: int, *, killed: bool = False) -> None:
        """Note that malloc gave NULL: once between two reports, however often it happens. Reset where it was one block
        too many for the process."""
        if killed:
            raise Reset("oom_kill", KILLED)
        if self._failed:
            return
        self._failed = True
        self._add(Measure("event", ("alloc_failed",), {"size": size, "caller": task}))
        self.log({"level": "E", "module": task, "text": f"allocation of {size} bytes failed"})

    def churned(self, task: str, refused: int, deepest: int, killed: bool) -> None:
        """What a step of compiled traffic came to: a request of `refused` bytes got NULL (0: none did), its stack is
        `deepest` bytes deep, or the process was killed."""
        if refused or killed:
            self.refused(task, refused, killed=killed)
        if not self.memory.use_stack(task, deepest):
            raise overflown(task)

    # -- reports -------------------------------------------------------------------------------------------------------

    def report(self) -> None:
        """Read all that the platform tells at this moment of the device's time."""
        if self._up:
            self._failed = False
            for measure in self.memory.measures():
                self._add(measure)

    def take(self) -> list[About | Reading]:
        """What was reported since the last call."""
        pending, self.pending = self.pending, []
        return pending

    def _add(self, measure: Measure, later_ms: int = 0) -> None:
        kind, names, values, resolution = measure
        uptime_ms = self.uptime_ms + later_ms
        time_ms = self.boot_ms + uptime_ms
        reading = Reading(self.name, kind, names, time_ms, values, self.boot, uptime_ms, (), resolution)
        self.pending.append(reading)

    def log(self, values: dict[str, Value]) -> None:
        """A line of the device's log: its `text`, and what is known beside it. Two lines never share a moment."""
        now_ms = self.boot_ms + self.uptime_ms
        self._logged_ms = max(self._logged_ms + 1, now_ms)
        self._add(Measure("log", (), values), self._logged_ms - now_ms)
