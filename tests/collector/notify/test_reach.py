"""Messages go to public addresses and allowed networks: 0 connections elsewhere, however one is led there."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.config import Notify
from collector.notify.channels import make_channels
from collector.notify.reach import Reach, limited
from telemetry.errors import ConfigError


class Counting(http.server.ThreadingHTTPServer):
    """A server that counts connections and sends everybody on to `onward`, when it has one."""

    def __init__(self, onward: str = "") -> None:
        self.connections = 0
        self.onward = onward
        super().__init__(("127.0.0.1", 0), Redirect)

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        self.connections += 1
        return super().get_request()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class Redirect(http.server.BaseHTTPRequestHandler):
    """Answers, or redirects as the server says."""

    def do_POST(self) -> None:
        assert isinstance(self.server, Counting)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(302 if self.server.onward else 200)
        if self.server.onward:
            self.send_header("Location", self.server.onward)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST  # noqa: N815 - the name that http.server calls

    def log_message(self, *_arguments: object) -> None:
        """Nothing to print."""


@contextlib.contextmanager
def serving(onward: str = "") -> Iterator[Counting]:
    with Counting(onward) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


def send(url: str, *private_networks: str) -> str | None:
    """What a channel of that address says to a message."""
    channel = make_channels(Notify(urls=(url,), private_networks=private_networks), "test")[1]
    return channel.send("title", "body", "warning")


def test_loopback_is_not_reached_unless_it_is_allowed() -> None:
    with serving() as server:
        assert "127.0.0.1 is no public address" in (send(f"json://{server.address}/") or "")
        assert "no public address" in (send(f"json://localhost:{server.server_port}/") or "")
        assert server.connections == 0
        assert send(f"json://{server.address}/?rto=60&cto=60", "127.0.0.0/8") is None
        assert server.connections == 1


@pytest.mark.parametrize(
    "host", ["10.1.2.3", "192.168.0.9", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "[::1]", "[fe80::1]"]
)
def test_private_addresses_are_refused_at_once(host: str) -> None:
    assert "no public address" in (send(f"json://{host}:9/") or "")


def test_a_redirect_leads_no_further() -> None:
    with serving() as inner, serving(onward=f"http://127.0.0.2:{inner.server_port}/") as outer:
        send(f"json://{outer.address}/", "127.0.0.1/32")
        assert outer.connections == 1
        assert inner.connections == 0


def test_a_name_is_judged_by_the_address_it_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first answer is public, the second is not: the one that is connected to counts."""
    answers = iter(["93.184.216.34", "127.0.0.1", "127.0.0.1", "127.0.0.1"])
    real = socket.getaddrinfo

    def rebinding(host: str, port: int, *rest: object, **more: object) -> object:
        return real(next(answers) if host == "rebind.example" else host, port, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    socket.getaddrinfo("rebind.example", 80)  # whoever checked first saw a public address
    with serving() as server:
        assert "no public address" in (send(f"json://rebind.example:{server.server_port}/") or "")
        assert server.connections == 0


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("::ffff:127.0.0.1", False),
        ("2002:7f00:1::", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::5db8:d822", True),
        ("224.0.0.1", False),
        ("fd00::1", False),
        ("fe80::1%eth0", False),
        ("a-name", False),
        ("", False),
    ],
)
def test_addresses_within_addresses(host: str, allowed: bool) -> None:
    assert Reach().allows(host) is allowed


@given(st.ip_addresses(network="10.0.0.0/8"))
def test_an_allowed_network_is_allowed_as_a_whole_and_nothing_more(address: object) -> None:
    assert Reach(["10.0.0.0/8"]).allows(str(address))
    assert not Reach(["11.0.0.0/8"]).allows(str(address))
    assert Reach(["10.0.0.0/8"]).allows(f"::ffff:{address}")


def test_others_connect_as_they_like() -> None:
    """The limit holds for what is sent within the block, and for the thread that sends it."""
    with serving() as server:
        with limited(Reach()):
            thread = threading.Thread(
                target=lambda: socket.create_connection(("127.0.0.1", server.server_port)).close()
            )
            thread.start()
            thread.join()
            with pytest.raises(PermissionError):
                socket.create_connection(("127.0.0.1", server.server_port))
        socket.create_connection(("127.0.0.1", server.server_port)).close()


def test_a_network_that_is_none_is_a_fault_of_the_configuration() -> None:
    with pytest.raises(ConfigError, match="private_networks"):
        make_channels(Notify(private_networks=("home",)), "test")
