"""One MQTT connection, driven from outside: no thread, no queue of its own, a new client for every connection.

A new client each time, because paho keeps what it had in flight and would send and acknowledge it on the next
connection, whose message numbers mean other messages. What must be sent again is the caller's to know.
Messages that come and their acknowledgements pass paho by, see `telemetry.stream`.
"""

from __future__ import annotations

import contextlib
import random
import select
import socket
import ssl
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import paho.mqtt.client as paho
from paho.mqtt import MQTTException
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from telemetry.errors import ConfigError, EnvironmentFault, WireError
from telemetry.secrets import read_secret
from telemetry.settings import Broker
from telemetry.stream import Packet, Stream, read_publish
from telemetry.tls import client_context, distrust

KEEPALIVE_S = 30
CONNECT_S = 5.0
STEADY_S = 10.0
"""A connection that has stood for so long is a good one: after it the first retry is quick again."""
DATED_S = 30 * 24 * 3600
"""The expiry interval of messages whose receiver is to know how long they lay. No session is kept as long."""
SHORT = 3
"""So many connections in a row that ended before they were steady look as if two of one name took turns."""
RIVAL_S = 120.0
"""Two of one name take the connection from each other more often than that, however long they wait between tries."""
_TAKEN_OVER = 142
_UNSUPPORTED_VERSION = 132
_UNSPECIFIED = 128
_WRONG_LOGIN = (134, 135)
"""Reasons of a broker that knows somebody of that name, but not so, or nobody."""
_TOPICS_AT_ONCE = 100
_LARGEST_PACKET = 268_435_455
_PACKET_HEAD = 16
"""Most bytes of a publish packet besides topic and payload."""


class Message(NamedTuple):
    """A message as received. `number` and `connection` identify it to `Link.acknowledge`."""

    topic: str
    payload: bytes
    retained: bool
    number: int
    connection: int
    properties: bytes = b""

    def lay_ms(self) -> int:
        """How long it lay at the broker, in whole seconds; 0 when it was not published as `dated`, or not by MQTT 5.

        A broker subtracts that from the expiry interval (MQTT 5, section 3.3.2.3.3).
        """
        if len(self.properties) <= 1:
            return 0
        found = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho leaves it untyped
        try:
            found.unpack(self.properties)  # type: ignore[no-untyped-call]  # paho leaves it untyped
        except (MQTTException, LookupError, ValueError, struct.error):
            return 0
        return max(0, DATED_S - getattr(found, "MessageExpiryInterval", DATED_S)) * 1000


class Handler(Protocol):
    """Who uses a link. All three are called from inside `Link.step`."""

    def connected(self) -> None:
        """A connection stands and the subscriptions are sent; what was in flight before is lost."""

    def received(self, message: Message) -> None:
        """A message came; it is acknowledged only by `Link.acknowledge`."""

    def published(self, number: int, failure: str) -> None:
        """The broker answered a publish: `failure` is empty, or why it refused."""


@dataclass(frozen=True, slots=True)
class Session:
    """How to appear at the broker. A session may outlive its connection by `keep_s`: it keeps messages for us."""

    client_id: str
    subscriptions: tuple[str, ...] = ()
    will: tuple[str, bytes] | None = None
    keep_s: int = 0
    receive_maximum: int = 1000


@dataclass(slots=True)
class _Retry:
    """Full jitter over a growing range: many clients of one broker do not come back together."""

    least_s: float = 0.5
    most_s: float = 30.0
    attempts: int = 0
    rng: random.Random = field(default_factory=random.Random)

    def next_s(self) -> float:
        span = min(self.most_s, self.least_s * float(2 ** min(self.attempts, 10)))
        self.attempts += 1
        return self.least_s + self.rng.random() * span


class _Client(paho.Client):
    """paho's client over a `Stream`. It has a seam for that: the one where it wraps its socket for WebSockets."""

    def _create_socket(self) -> Stream:
        return Stream(super()._create_socket())  # type: ignore[arg-type]  # a real one: not over WebSockets


class Link:
    """A connection that is kept up while `step` is called. One thread. `monotonic_s` is the clock of its time-outs."""

    def __init__(self, broker: Broker, session: Session, handler: Handler, monotonic_s: Callable[[], float]) -> None:
        self.up = False
        self.trouble = ""
        self.connections = 0
        self._largest_packet = _LARGEST_PACKET
        self._broker = broker
        self._session = session
        self._subscriptions = list(session.subscriptions)
        self._handler = handler
        self._now = monotonic_s
        self._protocol = paho.MQTTv311 if broker.protocol == "3.1.1" else paho.MQTTv5
        self._dated = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho leaves it untyped
        self._dated.MessageExpiryInterval = DATED_S
        self._client: paho.Client | None = None
        self._retry = _Retry()
        self._next_try = self._now()
        self._next_misc = 0.0
        self._steady_at = 0.0
        self._short = 0
        self._rival_until = 0.0

    # -- driving -------------------------------------------------------------------------------------------------------

    def step(self, timeout_s: float, wake: socket.socket | None = None) -> None:
        """Connect when it is time, then read and write for up to `timeout_s`; returns early once something came.

        `wake` is a further socket whose readability ends the wait.
        """
        stream = self._stream()
        if stream is None:
            self._connect_when_due()
            self._wait(timeout_s, wake)
            return
        self._write(stream)
        readers: list[Any] = [stream] if wake is None else [stream, wake]
        writers = [stream] if stream.unsent else []
        at_once = stream.pending or stream.ended
        readable, writable, _ = select.select(readers, writers, [], 0 if at_once else timeout_s)
        if at_once or stream in readable:
            self.read_more()
        if writable:
            stream.flush()
        self._keep_alive()

    def _write(self, stream: Stream) -> None:
        """What paho was asked for inside one of its callbacks still waits in it; acknowledgements in the stream."""
        if self._client is not None and self._client.want_write():
            self._client.loop_write()
        stream.flush()

    def _stream(self) -> Stream | None:
        stream: Any = self._client.socket() if self._client else None
        return stream if isinstance(stream, Stream) else None

    def _keep_alive(self) -> None:
        now = self._now()
        if self._client is not None and now >= self._next_misc:
            self._next_misc = now + 1.0
            if self.up and now >= self._steady_at:
                self._retry.attempts = 0
            self._client.loop_misc()

    def _wait(self, timeout_s: float, wake: socket.socket | None) -> None:
        if self._client is None:
            until_try = max(0.0, self._next_try - self._now())
            select.select([wake] if wake else [], [], [], min(timeout_s, until_try))

    def read_more(self) -> None:
        """Read what has come, without waiting; for callers that drain a backlog."""
        client, stream = self._client, self._stream()
        if client is None or stream is None:
            return
        stream.read()
        try:
            for packet in stream.packets():
                self._take(client, stream, packet)
                if self._client is not client:
                    return  # what was behind it is not for the next connection
        except WireError as error:
            self.drop(f"broker {self._broker.url} does not speak MQTT: {error.detail}")
            return
        if stream.ended:
            client.loop_read()

    def _take(self, client: paho.Client, stream: Stream, packet: Packet) -> None:
        published = read_publish(packet, mqtt5=self._protocol == paho.MQTTv5)
        if published is None:
            stream.hand(packet)
            client.loop_read()
        else:
            self._handler.received(Message(*published[:4], self.connections, published.properties))

    def publish(
        self, topic: str, payload: bytes, qos: int = 0, *, retain: bool = False, dated: bool = False
    ) -> int | None:
        """Send; the number under which `Handler.published` will answer, None while the link is down.

        Of a `dated` message its receiver learns how long it lay at the broker (`Message.lay_ms`).
        """
        if self._client is None or not self.up:
            return None
        properties = self._dated if dated and self._protocol == paho.MQTTv5 else None
        info = self._client.publish(topic, payload, qos, retain, properties)
        return info.mid if info.rc == paho.MQTT_ERR_SUCCESS else None

    def subscribe(self, topics: Iterable[str]) -> None:
        """Subscribe to more, on this connection and on all later ones."""
        more = [topic for topic in topics if topic not in self._subscriptions]
        self._subscriptions += more
        if self._client is not None and self.up:
            self._subscribe(self._client, more)

    @property
    def rival(self) -> str:
        """Who takes the connection from us, as a sentence; "" when nobody does. Before MQTT 5 it is a guess."""
        if self._now() >= self._rival_until:
            return ""
        name, login = self._session.client_id, self._broker.username
        other = f"; or another login than {login}, if the broker takes logins for names" if login else ""
        return (
            "another program takes the connection to the broker from us: "
            f"it is {name}, too, and needs another name{other}"
        )

    @property
    def tells_limits(self) -> bool:
        """Whether the broker says what it takes: MQTT 5 does, a broker of 3.1.1 hangs up on more."""
        return self._protocol == paho.MQTTv5

    def fits(self, topic: str, payload: bytes) -> bool:
        """Whether the broker takes a message so large, as far as it says (`tells_limits`)."""
        return len(topic) + len(payload) + _PACKET_HEAD <= self._largest_packet

    def acknowledge(self, message: Message) -> None:
        """Tell the broker that the message is safe with us. Of an earlier connection: nothing, it will come again."""
        wanted = message.number != 0  # QoS 0 has no number, and acknowledging it is a protocol error
        if wanted and message.connection == self.connections and (stream := self._stream()) is not None:
            stream.acknowledge(message.number)

    def drop(self, reason: str) -> None:
        """Let the connection go at once (the broker will publish the will) and come back later."""
        client, self._client = self._client, None
        self.up = False
        self.trouble = reason
        self._next_try = self._now() + self._retry.next_s()
        sock = client.socket() if client else None
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.close()

    def close(self) -> None:
        """Say good-bye (the will is not published)."""
        client, self._client = self._client, None
        self.up = False
        if client is not None:
            client.disconnect()
            with contextlib.suppress(OSError, ValueError):
                client.loop_write()

    # -- connecting ----------------------------------------------------------------------------------------------------

    def _connect_when_due(self) -> None:
        if self._now() < self._next_try:
            return
        try:
            client = self._new_client()
        except EnvironmentFault as error:
            if not self._retry.attempts and not self.connections:
                raise
            self.drop(str(error))  # a file is being changed; what waits must not depend on it
            return
        parts = urlsplit(self._broker.url)
        port = parts.port or (8883 if parts.scheme == "mqtts" else 1883)
        kwargs: dict[str, Any] = {}
        if self._protocol == paho.MQTTv5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves it untyped
            properties.SessionExpiryInterval = self._session.keep_s
            properties.ReceiveMaximum = self._session.receive_maximum
            kwargs = {"clean_start": self._session.keep_s == 0, "properties": properties}
        try:
            client.connect(parts.hostname or "127.0.0.1", port, KEEPALIVE_S, **kwargs)
        except (OSError, ValueError) as error:
            self.drop(_connect_trouble(self._broker, error))
            return
        self._client = client
        self._next_try = self._now() + CONNECT_S

    def _new_client(self) -> paho.Client:
        clean = self._session.keep_s == 0 if self._protocol == paho.MQTTv311 else None
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._session.client_id,
            clean_session=clean,
            protocol=self._protocol,
        )
        client.connect_timeout = CONNECT_S
        client.max_inflight_messages_set(10_000)  # windows are the caller's
        if self._broker.username:
            client.username_pw_set(self._broker.username, _password(self._broker))
        if urlsplit(self._broker.url).scheme == "mqtts":
            client.tls_set_context(client_context(self._broker))
        if self._session.will is not None:
            client.will_set(*self._session.will, qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        return client

    def _on_connect(self, client: paho.Client, _userdata: Any, _flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            if reason.value == _UNSUPPORTED_VERSION and self._protocol == paho.MQTTv5:
                self._protocol = paho.MQTTv311
            self.drop(f"broker {self._broker.url} refused the connection: {reason}{self._what_it_may_want(reason)}")
            return
        self.up, self.trouble = True, ""
        self.connections += 1
        self._steady_at = self._now() + STEADY_S
        self._largest_packet = getattr(properties, "MaximumPacketSize", _LARGEST_PACKET)
        self._subscribe(client, self._subscriptions)
        self._handler.connected()

    def _subscribe(self, client: paho.Client, topics: Sequence[str]) -> None:
        wanted: Any = SubscribeOptions(qos=1, retainHandling=0) if self._protocol == paho.MQTTv5 else 1
        for start in range(0, len(topics), _TOPICS_AT_ONCE):
            client.subscribe([(topic, wanted) for topic in topics[start : start + _TOPICS_AT_ONCE]])

    def _on_disconnect(self, client: paho.Client, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if client is not self._client:
            return
        self._short = self._short + 1 if self._now() < self._steady_at else 0
        why, guess = "" if reason.value == _UNSPECIFIED else f": {reason}", ""
        if not self.up:
            why, guess = " before it let us in", self._why_not_let_in()
        elif self._short >= SHORT or reason.value == _TAKEN_OVER:
            self._rival_until = self._now() + RIVAL_S
            guess = f"; is another program connected as {self._session.client_id}?"
        self.drop(f"broker {self._broker.url} closed the connection{why}{guess}")

    def _what_it_may_want(self, reason: Any) -> str:
        if reason.value not in _WRONG_LOGIN:
            return ""
        if self._broker.username:
            return "; does it know this username, and is the password that of password_file?"
        return "" if self._broker.cert_file else "; give it a username and a password_file"

    def _why_not_let_in(self) -> str:
        if not self._broker.url.startswith("mqtts:"):
            return "; is this its port for TLS (mqtts://)?"
        if self._broker.cert_file:
            return f"; does it trust the certificate in {self._broker.cert_file}?"
        return "; if it asks for a certificate, give it cert_file and key_file"

    def _on_publish(self, _client: paho.Client, _userdata: Any, mid: int, reason: Any, _properties: Any) -> None:
        self._handler.published(mid, str(reason) if reason.is_failure else "")


def require_files(broker: Broker) -> None:
    """ConfigError when a file that a broker's settings name, of its password or of TLS, cannot be used as it is."""
    try:
        _password(broker)
        client_context(broker)
    except EnvironmentFault as fault:
        raise ConfigError("settings", [str(fault)]) from None


def _password(broker: Broker) -> str | None:
    try:
        return read_secret(broker.password_file) if broker.password_file else None
    except EnvironmentFault as fault:
        raise EnvironmentFault(f"broker.password_file: {fault}", retry=False) from None


def _connect_trouble(broker: Broker, error: Exception) -> str:
    url = broker.url
    if isinstance(error, socket.gaierror):
        return f"broker {url}: no such host"
    if isinstance(error, TimeoutError):
        return f"broker {url}: no answer"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"broker {url}: its certificate is refused: {distrust(error, broker.ca_file)}"
    if isinstance(error, ssl.SSLError):
        return f"broker {url}: TLS failed: {error.reason}"
    if isinstance(error, ConnectionResetError) and url.startswith("mqtts:"):
        return f"broker {url}: it hung up as TLS began; is this its port for TLS?"
    if isinstance(error, ConnectionRefusedError):
        return f"broker {url}: connection refused; is it running?"
    return f"broker {url}: {error}"
