"""An emulated serial port: what a board prints, byte for byte, up to a moment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from emulators.boards import BOARDS, Board
from emulators.chance import Chance
from emulators.config import Group
from emulators.consoles.azure_sphere import AzureSphereVoice, MemoryStatsVoice
from emulators.consoles.esp_idf import EspIdfVoice
from emulators.consoles.noise import NoisyVoice
from emulators.consoles.voice import Voice
from emulators.consoles.zephyr import ZephyrVoice
from emulators.devices.device import Device
from emulators.firmware import Firmware, Reset
from emulators.workloads import WORKLOADS
from telemetry.errors import UsageError


class System(NamedTuple):
    """What may stand at the other end of a port: a platform, its usual board, how it speaks."""

    platform: str
    board: str
    voice: Voice


SYSTEMS: Mapping[str, System] = {
    "mt3620": System("mt3620", "mt3620", AzureSphereVoice()),
    "mt3620-stats": System("mt3620", "mt3620", MemoryStatsVoice()),
    "esp32": System("esp32", "esp32s3", EspIdfVoice()),
    "zephyr": System("zephyr", "zephyr-esp32s3", ZephyrVoice()),
}
"""`mt3620-stats` is not the board's own text but `show-memory-stats` run in a loop beside it."""

VOICES: Mapping[str, Voice] = {name: SYSTEMS[name].voice for name in ("mt3620", "esp32", "zephyr")}
"""How each platform's boards print."""


class DeviceConsole:
    """The console of a device, its listener. Firmware that does not print its memory itself has it printed by the
    system every `period_ms`."""

    def __init__(self, device: Device, voice: Voice, period_ms: int) -> None:
        self.device = device
        device.listener = self
        self._voice = voice
        self._period_ms = period_ms
        self._power_on_ms: int | None = None
        self._reports = 0
        self._out = bytearray()

    @classmethod
    def of(cls, group: Group, name: str, seed: int) -> DeviceConsole:
        """The console of one device of a fleet file's group: the same device as in `Fleet`, reporting as often."""
        board, chance = BOARDS[group.board], Chance(seed).child(name)
        return DeviceConsole(_device(group, board, chance), VOICES[board.platform], group.report_ms)

    def advance(self, now_ms: int) -> bytes:
        """What was printed since the last call, up to now. The first call is the moment of power-on."""
        if self._power_on_ms is None:
            self._power_on_ms = now_ms
        run_ms = now_ms - self._power_on_ms
        while self._system_prints() and self._reports * self._period_ms <= run_ms:
            self.device.advance(self._reports * self._period_ms)
            if self.device.is_up():
                self._out += self._voice.bytes_of(self._voice.report(self.device))
            self._reports += 1
        self.device.advance(run_ms)
        self.device.take()  # a console has no other way to report
        printed = bytes(self._out)
        self._out.clear()
        return printed

    def _system_prints(self) -> bool:
        return not (self.device.firmware.plan.prints and self._voice.carries_firmware)

    # -- the device's listener -----------------------------------------------------------------------------------------

    def printed(self, text: str) -> None:
        """Text of the firmware."""
        if self._voice.carries_firmware:
            self._out += self._voice.bytes_of(text)

    def booted(self, device: Device) -> None:
        """The system's own lines at a start."""
        self._out += self._voice.bytes_of(self._voice.boot(device))

    def died(self, device: Device, reset: Reset) -> None:
        """The system's own lines at an end."""
        self._out += self._voice.bytes_of(self._voice.last_words(device, reset))


class EmulatedConsole(DeviceConsole):
    """The console of one board on a desk.

    `system` and `workload` choose what prints: ("mt3620", "memory-usage"), ("mt3620", "heap-tracker-malloc"),
    ("mt3620", "heap-tracker-realloc"), ("esp32", "heap-task-tracking"), ("zephyr", "tutorial-leak"), which print as
    their documents say; or any other of `WORKLOADS`, whose memory the system then prints every `period_s` seconds.
    `board` is the name of one of BOARDS, by default the system's usual one; `noise` adds what a desk adds: other lines
    in between, stray bytes at a reset (not in a command's own output). UsageError for what does not exist.
    """

    def __init__(
        self,
        system: str,
        workload: str,
        seed: int = 1,
        period_s: float = 1.0,
        *,
        board: str | None = None,
        noise: bool = False,
    ) -> None:
        chip = _require_board(system, workload, board)
        chance = Chance(seed).child(f"{chip.name}/{workload}")
        voice = SYSTEMS[system].voice
        group = Group(name="console", board=chip.name, workload=workload)
        super().__init__(
            _device(group, chip, chance),
            NoisyVoice(voice, chip.platform, chance.child("noise")) if noise and voice.carries_firmware else voice,
            max(round(period_s * 1000), 1),
        )


def _device(group: Group, board: Board, chance: Chance) -> Device:
    plan = WORKLOADS[group.workload].plan(board, chance.child("plan"))
    return Device("console", board, Firmware(plan, group.firmware, group.workload), chance)


def _require_board(system: str, workload: str, board: str | None) -> Board:
    if system not in SYSTEMS:
        raise UsageError(f"no system {system!r}; take one of {', '.join(SYSTEMS)}")
    platform, usual, _ = SYSTEMS[system]
    if workload not in WORKLOADS or platform not in WORKLOADS[workload].platforms:
        fitting = ", ".join(name for name, entry in WORKLOADS.items() if platform in entry.platforms)
        raise UsageError(f"no workload {workload!r} for {system}; take one of {fitting}")
    name = board or usual
    if name not in BOARDS or BOARDS[name].platform != platform:
        fitting = ", ".join(one.name for one in BOARDS.values() if one.platform == platform)
        raise UsageError(f"no board {name!r} of {system}; take one of {fitting}")
    return BOARDS[name]
