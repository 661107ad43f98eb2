"""Telling systemd how a service is: READY=1 when it works, WATCHDOG=1 only while it gets on.

The protocol is a datagram to the socket that NOTIFY_SOCKET names: sd_notify(3). Without that variable nothing is sent.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Mapping


class Service:
    """A service that systemd may be watching. `works` is asked now and then: is it doing what it is there for?

    `now_s` is monotonic. While `works` says no, the watchdog is not fed, and systemd starts the service again after
    WatchdogSec.
    """

    def __init__(self, environment: Mapping[str, str], works: Callable[[], bool], now_s: Callable[[], float]) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        watchdog_us = int(environment.get("WATCHDOG_USEC") or 0)
        self._pause_s = watchdog_us / 4e6 if watchdog_us else 1.0
        self._works = works
        self._now_s = now_s
        self._next_s = now_s()
        self._ready = False

    def look(self) -> None:
        """Call it often; it asks `works` a few times in each WatchdogSec."""
        if not self._address or self._now_s() < self._next_s:
            return
        self._next_s = self._now_s() + self._pause_s
        if self._works():
            self._send("WATCHDOG=1" if self._ready else "READY=1\nWATCHDOG=1")
            self._ready = True

    def stopping(self) -> None:
        """Say that the end is meant."""
        if self._address:
            self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(text.encode(), address)
