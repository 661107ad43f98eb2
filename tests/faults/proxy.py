"""A TCP proxy that behaves badly on demand: it cuts, resets, swallows, crawls and slices."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Literal

from tests.servers import HOST

Mode = Literal["pass", "black_hole", "slow", "slices"]
SLOW_BYTES_A_S = 8_000
SLOW_LATENCY_S = 0.2
_CHUNK = 16_384


class Proxy:
    """Listens at `port` and passes everything to `target`, a port of loopback, as `mode` says.

    black_hole: connections stand and nothing passes. slow: 8 kB/s after a delay. slices: one byte a segment.
    """

    def __init__(self, target: int) -> None:
        self.mode: Mode = "pass"
        self._target = target
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def cut(self) -> None:
        """Close every connection in order (FIN)."""
        self._end_all(reset=False)

    def reset(self) -> None:
        """Break every connection off (RST)."""
        self._end_all(reset=True)

    def close(self) -> None:
        """Stop listening, end everything."""
        self._stopped.set()
        self._listener.close()
        self._end_all(reset=False)
        for thread in self._threads:
            thread.join(5)

    def _end_all(self, *, reset: bool) -> None:
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for sock in (sock for pair in pairs for sock in pair):
            with contextlib.suppress(OSError):
                if reset:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                else:
                    sock.shutdown(socket.SHUT_RDWR)
                sock.close()

    def _accept(self) -> None:
        self._listener.settimeout(0.2)
        while not self._stopped.is_set():
            try:
                near, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(near,), daemon=True)
            self._threads = [one for one in self._threads if one.is_alive()] + [thread]
            thread.start()

    def _serve(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection((HOST, self._target), timeout=5)
        except OSError:
            near.close()
            return
        with self._lock:
            self._pairs.append((near, far))
        for sock in (near, far):
            with contextlib.suppress(OSError):
                sock.settimeout(5)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError, ValueError):  # ValueError: closed under the selector's hands
            self._pass_on(near, far)
        near.close()
        far.close()

    def _pass_on(self, near: socket.socket, far: socket.socket) -> None:
        with selectors.DefaultSelector() as ready:
            ready.register(near, selectors.EVENT_READ, far)
            ready.register(far, selectors.EVENT_READ, near)
            while not self._stopped.is_set() and near.fileno() >= 0 and far.fileno() >= 0:
                if self.mode == "black_hole":
                    time.sleep(0.02)
                    continue
                for key, _ in ready.select(0.1):
                    source = key.fileobj
                    assert isinstance(source, socket.socket)
                    data = source.recv(_CHUNK)
                    if not data:
                        return
                    self._send(key.data, data)

    def _send(self, to: socket.socket, data: bytes) -> None:
        if self.mode == "slices":
            for byte in data:
                to.sendall(bytes([byte]))
        elif self.mode == "slow":
            time.sleep(SLOW_LATENCY_S)
            for start in range(0, len(data), 800):
                to.sendall(data[start : start + 800])
                time.sleep(800 / SLOW_BYTES_A_S if self.mode == "slow" else 0)
        else:
            to.sendall(data)


@contextlib.contextmanager
def proxy(target: int) -> Iterator[Proxy]:
    """A proxy to a port of loopback until the block ends."""
    made = Proxy(target)
    try:
        yield made
    finally:
        made.close()
