"""The broker of a collector: can it be reached, and does it let us in and hear its agents."""

from __future__ import annotations

import time
import uuid

from collector.config import CollectorConfig
from memfleet.doctor.finding import Found
from telemetry.errors import MemfleetError
from telemetry.mqtt import Link, Message, Session
from telemetry.topics import subscriptions

_PATIENCE_S = 10.0


class _Listener:
    """Sees what agents have to say: retained statuses come at once."""

    def __init__(self) -> None:
        self.up = False
        self.agents: set[str] = set()

    def connected(self) -> None:
        self.up = True

    def received(self, message: Message) -> None:
        self.agents.add(message.topic)

    def published(self, number: int, failure: str) -> None:
        """Nothing is published."""


def check_broker(config: CollectorConfig, patience_s: float = _PATIENCE_S) -> Found:
    """Connect as a guest of the collector's name, and count the agents that the broker knows."""
    listener = _Listener()
    name = f"{config.fleet}-doctor-{uuid.uuid4().hex[:8]}"  # not the collector's own: the broker would end its session
    session = Session(name, tuple(subscriptions(config.fleet, config.shards, "status")))
    url = config.broker.url
    try:
        link = Link(config.broker, session, listener, time.monotonic)
        deadline = time.monotonic() + patience_s
        while not listener.up and time.monotonic() < deadline and not link.trouble:
            link.step(0.1)
        settled = time.monotonic() + 0.5
        while listener.up and time.monotonic() < settled:
            link.step(0.1)
        trouble = link.trouble or "no answer"
        link.close()
    except MemfleetError as error:
        return Found("broker", "wrong", str(error), "see [broker] in the configuration")
    if not listener.up:
        return Found(
            "broker", "wrong", trouble, f"is it running at {url}, and are user, password and certificates its?"
        )
    if not listener.agents:
        advice = "enroll one with memfleet enroll, then start memfleet agent there"
        return Found("broker", "doubtful", f"{url} lets us in; it has no word of any agent", advice)
    return Found("broker", "ok", f"{url} lets us in; {len(listener.agents)} agents have left their status")
