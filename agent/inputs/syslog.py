"""Console lines that come as syslog datagrams over UDP: `syslog://0.0.0.0:5514`, a UDP port for each device.

RFC 3164   <13>Nov 20 22:14:18 board tag: text
RFC 5424   <13>1 2026-11-20T22:14:18.000Z board app - - - text
"""

from __future__ import annotations

import re
import socket
from urllib.parse import urlsplit

from agent.inputs.input import PlainInput

_DATAGRAM = 65_535
_AT_ONCE = 256
"""Datagrams of one look, so that a flood on one port leaves the others their turn."""

_HEADER = re.compile(
    rb"<\d{1,3}>(?:"
    rb"1 \S+ \S+ \S+ \S+ \S+ (?:-|(?:\[[^\]]*\])+) ?(?:\xef\xbb\xbf)?"
    rb"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ (?:[\w./-]{1,48}(?:\[\d+\])?: )?"
    rb")?"
)


def text_of(datagram: bytes) -> bytes:
    """The device's own lines in a datagram, each with its line feed."""
    return _HEADER.sub(b"", datagram, count=1).rstrip(b"\r\n\0") + b"\n"


class Syslog(PlainInput):
    """A UDP port that one device logs to."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        if address.port is None:
            raise ValueError(f"{url} names no UDP port; write syslog://0.0.0.0:5514")
        host = address.hostname or "0.0.0.0"
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        try:
            self._socket.bind((host, address.port))
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self) -> bytes:
        lines = []
        for _ in range(_AT_ONCE):
            try:
                lines.append(text_of(self._socket.recv(_DATAGRAM)))
            except BlockingIOError:
                break
        return b"".join(lines)

    def close(self) -> None:
        self._socket.close()
