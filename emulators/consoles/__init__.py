"""What boards print at their serial ports."""

from emulators.consoles.console import EmulatedConsole

__all__ = ["EmulatedConsole"]
