"""A real broker on the shipped configuration, with everybody enrolled by `memfleet enroll`, and clients to try it."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.subscribeoptions import SubscribeOptions

from tests.memfleet.running import run
from tests.servers import Server, _require, _running
from tests.waiting import LIMIT_S, wait_until

DEPLOY = Path(__file__).parents[3] / "deploy" / "mosquitto"


@dataclass(frozen=True)
class House:
    """The broker's files and the secrets of everybody; `certificates`: logins are certificates, not passwords."""

    folder: Path
    certificates: bool

    @property
    def acl(self) -> Path:
        return self.folder / "acl"

    @property
    def passwords(self) -> Path:
        return self.folder / "passwords"

    @property
    def authority(self) -> Path:
        return self.folder / "authority"

    def files(self) -> list[object]:
        """The options that name what enroll and revoke change."""
        login = ["--authority", self.authority] if self.certificates else ["--passwords", self.passwords]
        return ["--acl", self.acl, *login]

    def enroll(self, name: str, fleet: str, role: str = "agent") -> None:
        """By the command."""
        done = run("enroll", name, "--fleet", fleet, "--role", role, "--out", self.folder, *self.files())
        assert done.returncode == 0, done.stderr

    def configuration(self, port: int) -> str:
        """The shipped configuration with paths and port of this test; with certificates the lines that it comments."""
        text = (DEPLOY / "mosquitto.conf").read_text()
        if self.certificates:
            text = text.replace("password_file /mosquitto/secrets/passwords\n", "")
            passwords, heading, certificates = text.partition("# Certificates instead of passwords")
            text = passwords + heading + certificates.replace("\n# ", "\n")
            text = text.replace("/mosquitto/secrets/ca", f"{self.authority}/ca")
        text = text.replace("listener 8883", f"listener {port} 127.0.0.1").replace("/server.", "/localhost.")
        text = text.replace("/mosquitto/secrets/", f"{self.folder}/").replace("/mosquitto/config/", f"{self.folder}/")
        return text.replace("/mosquitto/data/", f"{self.folder}/data/") + "log_type information\nuser root\n"


@contextlib.contextmanager
def broker(house: House) -> Iterator[Server]:
    """Mosquitto in that house."""
    program = _require("mosquitto", "mosquitto")
    (house.folder / "data").mkdir()

    def command(port: int) -> list[str]:
        file = house.folder / "mosquitto.conf"
        file.write_text(house.configuration(port))
        return [program, "-c", str(file)]

    yield from _running(Server(house.folder / "log", command, {}))


def reload(server: Server) -> None:
    """What the commands ask for: kill -HUP. The broker says in its log when it has done so."""
    said = server.log.read_text().count("Reloading config")
    os.kill(server.pid, signal.SIGHUP)
    wait_until(lambda: server.log.read_text().count("Reloading config") > said, "the broker reloads its files")


class Client:
    """One MQTT 5 client with the login of `name` (empty: none); `heard` is what it was sent, `session` how it calls
    itself: as nobody else, unless a test wants that."""

    _numbers = itertools.count()

    def __init__(
        self, house: House, port: int, name: str, *, will: str = "", password: str = "", session: str = ""
    ) -> None:
        self.session = session or f"client-{next(self._numbers)}"
        self.reason = ""
        self.heard: list[tuple[str, bytes]] = []
        self._granted = 0
        self._client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            protocol=mqtt.MQTTv5,
            client_id=self.session,
            reconnect_on_failure=False,
        )
        self._client.tls_set_context(tls(house, name if house.certificates else ""))
        if name and not house.certificates:
            self._client.username_pw_set(name, password or (house.folder / f"{name}.password").read_text().strip())
        if will:
            self._client.will_set(will, f"{name} by will".encode(), 1)
        self._client.on_connect = self._connected
        self._client.on_message = lambda _c, _u, message: self.heard.append((message.topic, message.payload))
        self._client.on_subscribe = self._subscribed
        self._client.on_disconnect = self._gone
        self._client.on_socket_open = lambda _c, _u, sock: sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.gone = False
        try:
            self._client.connect("localhost", port)
        except (OSError, ssl.SSLError) as error:
            self.reason = type(error).__name__
            return
        self._client.loop_start()
        wait_until(lambda: self.reason, "the broker answers a login")

    def _connected(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self.reason = self.reason or str(reason)

    def _subscribed(self, *_arguments: Any) -> None:
        self._granted += 1

    def _gone(self, *_arguments: Any) -> None:
        self.gone = True
        self.reason = self.reason or "closed"

    def subscribe(self, *filters: str) -> None:
        """All of them, and wait until each is answered."""
        wanted = self._granted + len(filters)
        for each in filters:
            self._client.subscribe(each, options=SubscribeOptions(qos=1))
        wait_until(lambda: self._granted >= wanted, "subscriptions are answered")

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """With QoS 1; returns when the broker has answered, be it with a refusal."""
        self._client.publish(topic, payload, 1, retain).wait_for_publish(LIMIT_S)

    def vanish(self) -> None:
        """As by a power cut: the broker publishes the will."""
        sock = self._client.socket()
        assert sock is not None
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        self._client.loop_stop()

    def close(self) -> None:
        """Say good-bye."""
        self._client.disconnect()
        self._client.loop_stop()


def tls(house: House, name: str) -> ssl.SSLContext:
    """Trust in the house's authority, and the certificate of `name` if any."""
    context = ssl.create_default_context(cafile=str(house.authority / "ca.crt"))
    if name:
        context.load_cert_chain(house.folder / f"{name}.crt", house.folder / f"{name}.key")
    return context
