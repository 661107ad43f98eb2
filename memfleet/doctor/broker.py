"""The broker of a collector: can it be reached, and does it let us in and hear its agents."""

from __future__ import annotations

import time
import uuid
from contextlib import closing
from pathlib import Path

from collector.config import CollectorConfig
from collector.web.status import is_live, statuses
from memfleet.doctor.finding import Found
from telemetry.clock import wall_ms
from telemetry.errors import MemfleetError
from telemetry.files import open_read_only
from telemetry.mqtt import Link, Message, Session
from telemetry.topics import subscriptions

_PATIENCE_S = 10.0
_IS_IT_RIGHT = "is it running at {}, and are user, password and certificates its?"


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
    """Whether the collector's own intake is connected, while it runs; else connect, and count the agents that it
    knows. A broker that knows programs by their logins would end the session of an intake that runs."""
    return _of_intake(config) or _as_guest(config, patience_s)


def _of_intake(config: CollectorConfig) -> Found | None:
    folder, now_ms = Path(config.data_dir), wall_ms()
    intake = next(one for one in statuses(folder, (), now_ms) if one.process == "intake")
    if not is_live(intake, now_ms):
        return None
    if intake.broker:
        return Found("broker", "wrong", intake.broker, _IS_IT_RIGHT.format(config.broker.url))
    with closing(open_read_only(folder / intake.file)) as db:
        (agents,) = db.execute("SELECT count(*) FROM agents").fetchone()
    return _let_in(f"the collector is connected to {config.broker.url}", agents)


def _as_guest(config: CollectorConfig, patience_s: float) -> Found:
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
        return Found("broker", "wrong", trouble, _IS_IT_RIGHT.format(url))
    return _let_in(f"{url} lets us in", len(listener.agents))


def _let_in(sentence: str, agents: int) -> Found:
    if not agents:
        advice = "enroll one with memfleet enroll, then start memfleet agent there"
        return Found("broker", "doubtful", f"{sentence}; it has no word of any agent", advice)
    has_left = "agent has left its" if agents == 1 else "agents have left their"
    return Found("broker", "ok", f"{sentence}; {agents} {has_left} status")
