"""A console behind a plain TCP port: `socket://host:port`. pyserial's own loses what came just before the end."""

from __future__ import annotations

import contextlib
import socket
from urllib.parse import urlsplit

from agent.inputs.input import PlainInput

CHUNK = 65_536
CONNECT_S = 5.0


class TcpConsole(PlainInput):
    """A connection. Making one waits for up to `CONNECT_S`, reading never."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        if not address.hostname or address.port is None:
            raise ValueError(f"{url} names no host and port; write socket://host:port")
        self._socket = socket.create_connection((address.hostname, address.port), CONNECT_S)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._socket.setblocking(False)

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self) -> bytes:
        with contextlib.suppress(BlockingIOError):
            if data := self._socket.recv(CHUNK):
                return data
            raise ConnectionResetError("the other side has closed the connection")
        return b""

    def write(self, data: bytes) -> None:
        with contextlib.suppress(BlockingIOError):
            self._socket.send(data)

    def close(self) -> None:
        self._socket.close()
