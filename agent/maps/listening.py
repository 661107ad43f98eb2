"""Listening to a broker for a while, for commands that look around."""

from __future__ import annotations

from collections.abc import Callable

from telemetry.clock import monotonic_ms
from telemetry.errors import EnvironmentFault
from telemetry.mqtt import Link, Message, Session
from telemetry.settings import Broker

EVERYTHING = ("#", "$SYS/#")
CONNECT_MS = 15_000


class Listener:
    """Hands every message of a broker to `take`."""

    def __init__(self, broker: Broker, client: str, take: Callable[[Message], None]) -> None:
        self._take = take
        self._broker = broker
        self.link = Link(broker, Session(client, EVERYTHING), self, lambda: monotonic_ms() / 1000)

    def connected(self) -> None:
        """Nothing to say."""

    def published(self, number: int, failure: str) -> None:
        """Nothing is published."""

    def received(self, message: Message) -> None:
        """Pass it on; it is settled with that."""
        self.link.acknowledge(message)
        self._take(message)

    def listen(self, span_s: float, stopped: Callable[[], bool]) -> None:
        """Listen so long, or until stopped. EnvironmentFault when the broker cannot be reached."""
        begin = monotonic_ms()
        while monotonic_ms() - begin < span_s * 1000 and not stopped():
            self.link.step(0.2)
            if not self.link.connections and monotonic_ms() - begin > min(CONNECT_MS, span_s * 1000):
                break
        trouble, connections = self.link.trouble, self.link.connections
        self.link.close()
        if not connections and not stopped():
            raise EnvironmentFault(trouble or f"broker {self._broker.url} does not answer", retry=True)
