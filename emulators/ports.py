"""Pseudo-terminals with emulated boards at the far end, for whatever reads a serial port."""

from __future__ import annotations

import contextlib
import errno
import os
import tty
from collections.abc import Callable, Mapping

from emulators.config import FleetConfig, require_sound
from emulators.consoles import DeviceConsole
from telemetry.clock import monotonic_ms

BUFFER_BYTES = 65536
"""What waits for a reader before the port loses bytes, as a UART without flow control does."""


class Port:
    """One pseudo-terminal. Open `path` as a serial port; call `step` often, at least every 100 ms.

    `speed` is how much faster than real time the board lives. `lost` counts bytes that nobody read in time.
    """

    def __init__(self, console: DeviceConsole, *, speed: float = 1.0, clock: Callable[[], int] = monotonic_ms) -> None:
        self._console = console
        self._speed = speed
        self._clock = clock
        self._master, self._slave = os.openpty()  # the slave stays open here, so that readers may come and go
        tty.setraw(self._slave)  # no echo, and line ends as the board sends them
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self.lost = 0
        self._waiting = bytearray(console.advance(0))  # power-on
        self._power_on_ms = clock()

    def step(self) -> None:
        """Send what the board has printed up to now; never waits."""
        self._waiting += self._console.advance(int((self._clock() - self._power_on_ms) * self._speed))
        with contextlib.suppress(BlockingIOError):
            while self._waiting:
                del self._waiting[: os.write(self._master, self._waiting)]
        excess = len(self._waiting) - BUFFER_BYTES
        if excess > 0:
            del self._waiting[:excess]
            self.lost += excess
        self._drain()

    def close(self) -> None:
        """Unplug."""
        os.close(self._master)
        os.close(self._slave)

    def _drain(self) -> None:
        """Throw away what somebody typed: these boards do not listen."""
        try:
            while os.read(self._master, 4096):
                pass
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EIO):
                raise


class Ports:
    """A port for each device of a fleet: `paths` by device name."""

    def __init__(self, config: FleetConfig, *, speed: float = 1.0, clock: Callable[[], int] = monotonic_ms) -> None:
        groups = require_sound(config, "fleet").groups
        self._ports = {
            name: Port(DeviceConsole.of(group, name, config.seed), speed=speed, clock=clock)
            for group in groups
            for name in group.device_names()
        }

    @property
    def paths(self) -> Mapping[str, str]:
        """Where to open each device's console."""
        return {name: port.path for name, port in self._ports.items()}

    def step(self) -> None:
        """Send what the boards have printed up to now; never waits."""
        for port in self._ports.values():
            port.step()

    def close(self) -> None:
        """Unplug them all."""
        for port in self._ports.values():
            port.close()
