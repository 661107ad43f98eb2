"""What an emulated board prints, as log readings: for a fleet that reports by network and was asked for its log."""

from __future__ import annotations

from emulators.consoles.console import VOICES
from emulators.devices.device import Device
from emulators.firmware import Reset

MOST_LINES = 10_000
"""As many as an agent publishes of one console in one go."""


class Told:
    """Listens to a device; each whole line that it prints becomes a reading of its log, up to MOST_LINES."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._voice = VOICES[device.board.platform]
        self._begun = ""
        self._told = 0

    def printed(self, text: str) -> None:
        """Text of the firmware; a line that is not at its end yet waits for the rest."""
        *lines, self._begun = (self._begun + text).split("\n")
        for line in filter(None, map(str.strip, lines)):
            self._told += 1
            if self._told < MOST_LINES:
                self._device.log({"text": line})
            elif self._told == MOST_LINES:
                self._device.log({"text": "(what else this console prints is not told)"})

    def booted(self, device: Device) -> None:
        """The system's own lines at a start."""
        self._begun = ""
        self.printed(self._voice.boot(device))

    def died(self, device: Device, reset: Reset) -> None:
        """The system's own lines at an end."""
        self.printed(self._voice.last_words(device, reset))
