"""An emulated serial port: what a board prints, byte for byte, up to a moment."""

from __future__ import annotations

from collections.abc import Mapping

from emulators.boards import BOARDS
from emulators.chance import Chance
from emulators.config import Group
from emulators.consoles.azure_sphere import AzureSphereVoice
from emulators.consoles.esp_idf import EspIdfVoice
from emulators.consoles.voice import Voice
from emulators.consoles.zephyr import ZephyrVoice
from emulators.devices.device import Device
from emulators.firmware import Reset
from emulators.workloads import WORKLOADS
from telemetry.errors import UsageError

VOICES: Mapping[str, Voice] = {
    "mt3620": AzureSphereVoice(),
    "esp32": EspIdfVoice(),
    "zephyr": ZephyrVoice(),
}

USUAL_BOARDS: Mapping[str, str] = {"mt3620": "mt3620", "esp32": "esp32s3", "zephyr": "zephyr-esp32s3"}


class EmulatedConsole:
    """The console of one emulated device.

    `system` and `workload` choose what prints: ("mt3620", "memory-usage"), ("mt3620", "heap-tracker-malloc"),
    ("mt3620", "heap-tracker-realloc"), ("esp32", "heap-task-tracking"), ("zephyr", "tutorial-leak"), which print as
    their documents say; or any other of `WORKLOADS`, whose memory the system then prints every `period_s` seconds.
    `board` is the name of one of BOARDS, by default the system's usual one. UsageError for what does not exist.
    """

    def __init__(
        self, system: str, workload: str, seed: int = 1, period_s: float = 1.0, *, board: str | None = None
    ) -> None:
        entry = WORKLOADS.get(workload)
        if system not in VOICES:
            raise UsageError(f"no system {system!r}; take one of {', '.join(VOICES)}")
        if entry is None or system not in entry.platforms:
            fitting = ", ".join(name for name, entry in WORKLOADS.items() if system in entry.platforms)
            raise UsageError(f"no workload {workload!r} for {system}; take one of {fitting}")
        name = board or USUAL_BOARDS[system]
        if name not in BOARDS or BOARDS[name].platform != system:
            fitting = ", ".join(one.name for one in BOARDS.values() if one.platform == system)
            raise UsageError(f"no board {name!r} of {system}; take one of {fitting}")
        self._attach(Chance(seed).child(f"{name}/{workload}"), Group(name="console", board=name, workload=workload))
        self._period_ms = max(round(period_s * 1000), 1)

    @classmethod
    def of_device(cls, group: Group, name: str, seed: int) -> EmulatedConsole:
        """The console of one device of a fleet file's group: the same device as in `Fleet`, reporting as often."""
        console = cls.__new__(cls)
        console._attach(Chance(seed).child(name), group)
        console._period_ms = group.report_ms
        return console

    def _attach(self, chance: Chance, group: Group) -> None:
        board = BOARDS[group.board]
        plan = WORKLOADS[group.workload].plan(board, chance.child("plan"))
        self.device = Device(
            "console", board, plan, chance, version=group.firmware, project=group.workload, listener=self
        )
        self._voice = VOICES[board.platform]
        self._power_on_ms: int | None = None
        self._reports = 0
        self._out = bytearray()

    def advance(self, now_ms: int) -> bytes:
        """What was printed since the last call, up to now. The first call is the moment of power-on."""
        if self._power_on_ms is None:
            self._power_on_ms = now_ms
        run_ms = now_ms - self._power_on_ms
        while not self.device.plan.prints and self._reports * self._period_ms <= run_ms:
            self.device.advance(self._reports * self._period_ms)
            if self.device.is_up():
                self.printed(self._voice.report(self.device))
            self._reports += 1
        self.device.advance(run_ms)
        self.device.take()  # a console has no other way to report
        printed = bytes(self._out)
        self._out.clear()
        return printed

    # -- the device's listener -----------------------------------------------------------------------------------------

    def printed(self, text: str) -> None:
        """Text of the firmware."""
        self._out += self._voice.bytes_of(text)

    def booted(self, device: Device) -> None:
        """The system's own lines at a start."""
        self.printed(self._voice.boot(device))

    def died(self, device: Device, reset: Reset) -> None:
        """The system's own lines at an end."""
        self.printed(self._voice.last_words(device, reset))
