"""The agent's control socket: other programs ask for a port and have it for as long as they hold the connection.

client -> agent   release NAME\n          NAME is a port as configured, or its device
agent  -> client  released PORT\n         the port is free until the client closes, however it ends
agent  -> client  unknown PORTS\n         no such port; these are read
"""

from __future__ import annotations

import contextlib
import selectors
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

_REQUEST_CAP = 4096

Release = Callable[[str], None]


class Control:
    """The agent's side. `release` and `take_back` are called with a port; all in the caller's thread."""

    def __init__(
        self,
        path: Path,
        selector: selectors.BaseSelector,
        ports: Mapping[str, str],
        release: Release,
        take_back: Release,
    ) -> None:
        """`ports` leads from every name that a port can be called by to the port."""
        self._path, self._selector, self._ports = path, selector, ports
        self._release, self._take_back = release, take_back
        self._held: dict[socket.socket, str] = {}
        self._asked: dict[socket.socket, bytes] = {}
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        path.chmod(0o600)
        self._listener.listen(8)
        self._listener.setblocking(False)
        selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        client.setblocking(False)
        self._asked[client] = b""
        self._selector.register(client, selectors.EVENT_READ, lambda: self._hear(client))

    def _hear(self, client: socket.socket) -> None:
        try:
            data = client.recv(_REQUEST_CAP)
        except OSError:
            data = b""
        self._asked[client] += data
        if not data or len(self._asked[client]) > _REQUEST_CAP:
            self._leave(client)
        elif b"\n" in self._asked[client] and client not in self._held:
            self._answer(client, self._asked[client].split(b"\n")[0].decode(errors="replace"))

    def _answer(self, client: socket.socket, request: str) -> None:
        verb, _, name = request.partition(" ")
        port = self._ports.get(name)
        if verb != "release" or port is None:
            self._say(client, "unknown " + ", ".join(sorted(set(self._ports.values()))))
            return
        self._held[client] = port
        self._release(port)
        self._say(client, f"released {port}")

    def _say(self, client: socket.socket, text: str) -> None:
        with contextlib.suppress(OSError):  # gone: its end of file follows
            client.send(text.encode() + b"\n")

    def _leave(self, client: socket.socket) -> None:
        port = self._held.pop(client, None)
        del self._asked[client]
        self._selector.unregister(client)
        client.close()
        if port is not None and port not in self._held.values():
            self._take_back(port)

    def close(self) -> None:
        """Stop listening; the ports that others hold stay theirs."""
        for client in list(self._asked):
            self._selector.unregister(client)
            client.close()
        self._selector.unregister(self._listener)
        self._listener.close()
        self._path.unlink(missing_ok=True)
