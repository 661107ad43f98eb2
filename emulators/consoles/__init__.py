"""What boards print at their serial ports."""

from emulators.consoles.console import SYSTEMS, DeviceConsole, EmulatedConsole

__all__ = ["SYSTEMS", "DeviceConsole", "EmulatedConsole"]
