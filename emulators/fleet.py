"""A fleet of emulated devices: who reports what, when. No I/O; time comes from the caller."""

from __future__ import annotations

from emulators.config import FleetConfig
from emulators.truth import Truth
from telemetry.readings import About, Reading


class Fleet:
    """Emulated devices, each with firmware of its own and a heap that behaves as the real one."""

    @classmethod
    def demo(cls, devices: int, seed: int) -> Fleet:
        """A mix of all platforms; about one device in eight leaks, some of them fast."""
        raise NotImplementedError

    @classmethod
    def from_config(cls, config: FleetConfig) -> Fleet:
        """The fleet that a fleet file describes."""
        raise NotImplementedError

    def advance(self, now_ms: int) -> list[About | Reading]:
        """Everything that the devices have reported up to now. The first call is the moment of power-on."""
        raise NotImplementedError

    def truth(self) -> dict[str, Truth]:
        """What is wrong with each device."""
        raise NotImplementedError
