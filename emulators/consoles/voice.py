"""How a system speaks at its console beside what the firmware prints itself."""

from __future__ import annotations

from typing import Protocol

from emulators.devices.device import Device
from emulators.firmware import Reset


class Voice(Protocol):
    """One system's texts, with line feeds; `bytes_of` makes what goes over the wire of them."""

    @property
    def carries_firmware(self) -> bool:
        """Whether the firmware's own text goes over this line."""

    def boot(self, device: Device) -> str:
        """From reset to the application."""

    def report(self, device: Device) -> str:
        """The memory of a device whose firmware prints it with the system's own functions."""

    def last_words(self, device: Device, reset: Reset) -> str:
        """What stands at the end of a boot."""

    def bytes_of(self, text: str) -> bytes:
        """The bytes on the wire."""


def over_uart(text: str) -> bytes:
    """A UART driver that sends a carriage return before each line feed, also where the text has one already."""
    return text.replace("\n", "\r\n").encode()
