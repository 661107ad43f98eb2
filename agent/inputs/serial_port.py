"""A serial port, a pseudo-terminal, or a port behind RFC 2217: `rfc2217://host:port`."""

from __future__ import annotations

import contextlib
import os
import termios
from urllib.parse import urlsplit

import serial

from agent.config import Port
from agent.inputs.input import PlainInput

CHUNK = 65_536


class SerialPort(PlainInput):
    """An open serial port of this machine, or one behind a network."""

    def __init__(self, port: Port) -> None:
        # RFC 2217 is read by a thread of pyserial's own, so its socket tells nothing.
        self._remote = self.polled = port.port.startswith("rfc2217:")
        if self._remote and (not (address := urlsplit(port.port)).hostname or address.port is None):
            raise ValueError(f"{port.port} names no host and port; write rfc2217://host:port")
        self._serial = serial.serial_for_url(port.port, do_not_open=True, baudrate=port.baud, timeout=0)
        self._serial.dtr = False  # either line resets many boards
        self._serial.rts = False
        if not self._remote:
            self._serial.exclusive = True  # two readers would share the bytes
        try:
            self._serial.open()
        except (
            termios.error,
            OverflowError,
            ValueError,
        ) as error:  # a speed or a setting that its driver does not take
            raise OSError(f"its driver refuses {port.baud} bits a second: {error.args[-1]}") from None
        self._fd: int = -1 if self._remote else self._serial.fileno()

    def fileno(self) -> int:
        return int(self._serial.fileno())

    def read(self) -> bytes:
        try:
            data = self._read()
        except (serial.SerialException, TypeError, ValueError, AttributeError) as error:
            raise OSError(str(error)) from None
        if not data and not self.polled:
            raise OSError("the device is gone")
        return data

    def _read(self) -> bytes:
        if not self._remote:
            with contextlib.suppress(BlockingIOError):
                return os.read(self._fd, CHUNK)
        data: bytes = self._serial.read(CHUNK)
        return data

    def write(self, data: bytes) -> None:
        try:
            if self._remote:
                self._serial.write(data)
            else:
                with contextlib.suppress(BlockingIOError):  # the line is held: a waiting board must not hold the others
                    os.write(self._fd, data)
        except serial.SerialException as error:
            raise OSError(str(error)) from None

    def close(self) -> None:
        self._serial.close()
