"""Consoles at serial ports, files and standard input. One thread moves bytes; what they mean is decided elsewhere.

A port that is missing, taken, unplugged or refuses is said once and tried again; nothing here ends the agent.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import select
import socket
import stat
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import serial

from agent.config import Port
from telemetry.clock import wall_ms

_LOG = logging.getLogger("memfleet.agent")

CHUNK = 65_536
QUEUE = 4_096
RETRY_S = 1.0
FOLLOW_S = 0.2
"""How often a file that has been read to its end is looked at again."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes of one port, with the wall time at which they were read."""

    port: str
    data: bytes
    time_ms: int


class _Source(Protocol):
    def fileno(self) -> int: ...
    def read(self) -> bytes: ...
    def close(self) -> None: ...


class _SerialSource:
    def __init__(self, port: Port) -> None:
        self._serial = serial.serial_for_url(
            port.port, do_not_open=True, baudrate=port.baud, timeout=0, write_timeout=1
        )
        self._serial.dtr = False  # either line resets many boards
        self._serial.rts = False
        if not port.port.startswith(("socket:", "rfc2217:")):
            self._serial.exclusive = True  # two readers would share the bytes
        self._serial.open()

    def fileno(self) -> int:
        return int(self._serial.fileno())

    def read(self) -> bytes:
        data: bytes = self._serial.read(max(1, min(CHUNK, self._serial.in_waiting)))
        if not data:
            raise OSError("the device is gone")
        return data

    def close(self) -> None:
        self._serial.close()


class _FileSource:
    """A file is read to its end and then followed, as it may still be written."""

    def __init__(self, path: str) -> None:
        self._fd = os.dup(0) if path == "-" else os.open(path, os.O_RDONLY)
        self.follows = stat.S_ISREG(os.fstat(self._fd).st_mode)
        self.ended = False

    def fileno(self) -> int:
        return self._fd

    def read(self) -> bytes:
        data = os.read(self._fd, CHUNK)
        self.ended = not data and not self.follows
        return data

    def close(self) -> None:
        os.close(self._fd)


class Ports:
    """Reads all ports in one thread of its own. `get` gives what came; `wake` becomes readable when something did."""

    def __init__(self, ports: Sequence[Port], now_ms: Callable[[], int] = wall_ms) -> None:
        self._ports = {port.port: port for port in ports}
        self._now_ms = now_ms
        self._queue: queue.Queue[Chunk] = queue.Queue(QUEUE)
        self.wake, self._waker = socket.socketpair()
        self.wake.setblocking(False)
        self._waker.setblocking(False)
        self._sources: dict[str, _Source] = {}
        self._said: dict[str, str] = {}  # the last trouble of each port, empty: it is open
        self._ended: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ports", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def get(self) -> list[Chunk]:
        """Everything that has come since the last call, in order."""
        try:
            while self.wake.recv(4096):
                pass
        except BlockingIOError:
            pass
        chunks = []
        while True:
            try:
                chunks.append(self._queue.get_nowait())
            except queue.Empty:
                return chunks

    @property
    def trouble(self) -> dict[str, str]:
        """Ports that cannot be read now, with the reason."""
        return {name: trouble for name, trouble in dict(self._said).items() if trouble}

    @property
    def opened(self) -> set[str]:
        """Ports that are being read. What a board prints before its port is opened is lost, as with any terminal."""
        return set(self._sources)

    @property
    def ended(self) -> bool:
        """Whether every source has come to an end (standard input closed); serial ports and files never do."""
        return len(self._ended) == len(self._ports)

    def close(self) -> None:
        """Stop reading and let go of the ports."""
        self._stop.set()
        self._thread.join(timeout=2)

    # -- the thread ----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        next_try = 0.0
        while not self._stop.is_set():
            if time.monotonic() >= next_try:
                next_try = time.monotonic() + RETRY_S
                self._open_missing()
            quiet = self._read_ready()
            if quiet:
                self._stop.wait(FOLLOW_S)
        for source in self._sources.values():
            source.close()

    def _open_missing(self) -> None:
        for name, port in self._ports.items():
            if name in self._sources or name in self._ended:
                continue
            try:
                self._sources[name] = _open(port)
            except (serial.SerialException, OSError, ValueError) as error:
                self._say(name, _open_trouble(name, error))
            else:
                self._say(name, "")

    def _read_ready(self) -> bool:
        """Read what is there; True when nothing came, so that a file at its end is not asked again at once."""
        if not self._sources:
            return True
        ready, _, _ = select.select(list(self._sources.values()), [], [], 0.2)
        quiet = bool(ready)
        for name, source in list(self._sources.items()):
            if source in ready:
                quiet = not self._read(name, source) and quiet
        return quiet

    def _read(self, name: str, source: _Source) -> bool:
        try:
            data = source.read()
        except (serial.SerialException, OSError, TypeError, ValueError) as error:
            self._drop(name, source)
            self._say(name, f"{name}: lost ({error}); waiting for it to come back")
            return False
        if data:
            self._queue.put(Chunk(name, data, self._now_ms()))
            with contextlib.suppress(BlockingIOError):  # it is awake already
                self._waker.send(b"\0")
        elif isinstance(source, _FileSource) and source.ended:
            self._drop(name, source)
            self._ended.add(name)
        return bool(data)

    def _drop(self, name: str, source: _Source) -> None:
        del self._sources[name]
        with contextlib.suppress(OSError, serial.SerialException):  # it was gone before
            source.close()

    def _say(self, name: str, trouble: str) -> None:
        if self._said.get(name) != trouble:
            _LOG.log(logging.WARNING if trouble else logging.INFO, trouble or f"{name}: open")
            self._said[name] = trouble


def _open(port: Port) -> _Source:
    if port.port == "-" or (os.path.exists(port.port) and not stat.S_ISCHR(os.stat(port.port).st_mode)):
        return _FileSource(port.port)
    return _SerialSource(port)


def _open_trouble(name: str, error: Exception) -> str:
    text = str(error)
    if isinstance(error, FileNotFoundError) or "No such file" in text:
        return f"{name}: no such port; waiting for it"
    if isinstance(error, PermissionError) or "Permission denied" in text:
        return f"{name}: permission denied; add your user to the group that owns it (often dialout)"
    if "Could not exclusively lock" in text or "busy" in text:
        return f"{name}: another program has it; close that, or give memfleet another port"
    return f"{name}: cannot be opened: {text}"
