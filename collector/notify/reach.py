"""Where messages may go: public addresses, and those private networks that the configuration allows.

Judged at the moment of the connection, by the address that is connected to: a name that resolves to another address the
second time, and a server that redirects, come no further than a private address written down. Python tells of every
connection before it is made (the audit event `socket.connect`), whatever library makes it.
"""

from __future__ import annotations

import contextlib
import ipaddress
import sys
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from functools import cache
from typing import Any

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class Reach:
    """The addresses that may be connected to. `refused` is the last one that was not."""

    def __init__(self, private_networks: Sequence[str] = ()) -> None:
        self._allowed: list[Network] = [ipaddress.ip_network(network, strict=False) for network in private_networks]
        self.refused = ""

    def allows(self, host: str) -> bool:
        """Whether that address (no name) may be connected to."""
        try:
            address = _plain(ipaddress.ip_address(host.partition("%")[0]))
        except ValueError:
            return False
        if any(address.version == network.version and address in network for network in self._allowed):
            return True
        return address.is_global and not address.is_multicast


def _plain(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one, where that is what is reached in the end."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address


@contextlib.contextmanager
def limited(reach: Reach) -> Iterator[None]:
    """Within the block, connections of this thread to other addresses fail with PermissionError."""
    _install()
    token = _LIMIT.set(reach)
    try:
        yield
    finally:
        _LIMIT.reset(token)


_LIMIT: ContextVar[Reach | None] = ContextVar("memfleet_reach", default=None)


@cache
def _install() -> None:
    """Once a process: what Python calls before a connection cannot be taken away again, and does nothing outside."""
    sys.addaudithook(_look)


def _look(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in ("socket.connect", "socket.sendto"):
        return
    reach, address = _LIMIT.get(), arguments[1]
    if reach is None or not isinstance(address, tuple):  # a path is a socket of this machine's own services
        return
    host = str(address[0])
    if not reach.allows(host):
        reach.refused = host
        raise PermissionError(f"{host} is no public address, and no network of notify.private_networks")
