"""What a desk adds to a console: other parts' lines in between, stray bytes at a reset."""

from __future__ import annotations

from collections.abc import Mapping

from emulators.chance import Chance
from emulators.consoles.voice import Voice
from emulators.devices.device import Device
from emulators.firmware import Reset

OTHERS: Mapping[str, tuple[str, ...]] = {
    "mt3620": ("INFO: Azure IoT Hub connected.", "INFO: Sending telemetry message."),
    "esp32": ("I (4123) wifi:AP's beacon interval = 102400 us, DTIM period = 1", "W (5871) wifi:<ba-add>idx:0, tid:6"),
    "zephyr": ("[00:00:07.412,000] <inf> net_dhcpv4: Lease time: 86400 seconds", "uart:~$ "),
}
"""Lines without a memory number, by platform."""

STRAY = bytes((0x00, 0xFF, 0xFE))
"""What a UART reads while the line settles at a reset."""

ONE_LINE_IN = 9


class NoisyVoice:
    """Another voice with noise. Other lines come between whole lines only, as tasks share a console line by line."""

    def __init__(self, voice: Voice, platform: str, chance: Chance) -> None:
        self._voice = voice
        self._others = OTHERS[platform]
        self._stray = platform != "mt3620"  # Azure Sphere's text comes over a network
        self._chance = chance
        self.carries_firmware = voice.carries_firmware

    def boot(self, device: Device) -> str:
        """As it is."""
        return self._voice.boot(device)

    def report(self, device: Device) -> str:
        """As it is; `bytes_of` lets others in between."""
        return self._voice.report(device)

    def last_words(self, device: Device, reset: Reset) -> str:
        """As they are."""
        return self._voice.last_words(device, reset)

    def bytes_of(self, text: str) -> bytes:
        """The bytes, with noise."""
        lines = text.splitlines(keepends=True)
        mixed = []
        for line in lines:
            mixed.append(self._voice.bytes_of(line))
            if line.endswith("\n") and self._chance.one_in(ONE_LINE_IN):
                other = self._others[self._chance.below(len(self._others))]
                mixed.append(self._voice.bytes_of(other + "\n"))
        begins_boot = lines and lines[0].startswith(("ESP-ROM", "ets ", "*** Booting"))
        return (STRAY if begins_boot and self._stray else b"") + b"".join(mixed)
