"""The agent: sources, framer, outbox, publisher. One thread decides; `agent.ports` has one that reads."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterable
from pathlib import Path

from agent.bridge import Bridge
from agent.config import AgentConfig
from agent.framing import Framer, bodies
from agent.outbox import Outbox
from agent.ports import Ports
from agent.publisher import Publisher
from telemetry.clock import monotonic_ms, wall_ms
from telemetry.readings import About, Reading
from telemetry.wire import Clock

CHECKPOINT_MS = 1_000


class Agent:
    """Takes readings of any source to the collector. What `take` was given is on disk after the next commit.

    `now_ms` is the clock that stamps readings: wall time, or the monotonic clock where the gateway's is not trusted.
    """

    def __init__(self, config: AgentConfig, directory: Path, version: str = "") -> None:
        monotonic = config.clock == "monotonic"
        self.now_ms = monotonic_ms if monotonic else wall_ms
        self.outbox = Outbox(directory / "outbox.journal", config.outbox.max_mb * 2**20)
        self.publisher = Publisher(
            self.outbox, config.broker, (config.fleet, config.name), version=version, monotonic_rows=monotonic
        )
        self._boot_id = secrets.token_hex(8)
        self._framer = Framer(Clock(self._boot_id, None) if monotonic else None)
        self._waiting: list[tuple[bytes, int]] = []
        self._commit_ms = config.outbox.commit_ms
        self._next_commit = self._next_checkpoint = monotonic_ms()

    def take(self, items: Iterable[About | Reading]) -> None:
        """Accept descriptions and readings, in order."""
        self._waiting += bodies(items, self._framer)

    def step(self, timeout_s: float, wake: socket.socket | None = None) -> None:
        """Commit when it is time, publish, listen for acks for up to `timeout_s` or until `wake` is readable."""
        now = monotonic_ms()
        if now >= self._next_commit:
            self._next_commit = now + self._commit_ms
            self.commit()
        if now >= self._next_checkpoint:
            self._next_checkpoint = now + CHECKPOINT_MS
            self.outbox.checkpoint()
        self.publisher.step(timeout_s, wake)

    def commit(self) -> None:
        """Put everything taken so far on disk."""
        if self._framer.clock is not None:
            self._framer.clock = Clock(self._boot_id, self.publisher.anchors.get(self._boot_id))
        if body := self._framer.close():
            self._waiting.append(body)
        if self._waiting:
            self.outbox.add(self._waiting)
            self._waiting = []

    def drain(self, timeout_s: float) -> bool:
        """Commit and publish until the collector has everything; False when time ran out before."""
        deadline = monotonic_ms() + timeout_s * 1000
        self.commit()
        while not self.publisher.idle and monotonic_ms() < deadline:
            self.publisher.step(0.05)
        return self.publisher.idle

    def close(self) -> None:
        """Commit, say good-bye, close the files."""
        self.commit()
        self.publisher.close()
        self.outbox.close()


class SerialAgent:
    """An agent that reads the consoles of its configuration."""

    def __init__(self, config: AgentConfig, directory: Path, version: str = "") -> None:
        self.agent = Agent(config, directory, version)
        self.ports = Ports(config.ports, self.agent.now_ms)
        self.bridges = {
            port.port: Bridge(port.device, self.agent.outbox, None if port.system == "auto" else port.system)
            for port in config.ports
        }
        self.ports.start()

    def step(self, timeout_s: float) -> int:
        """One round; how many readings and descriptions came."""
        count = 0
        for chunk in self.ports.get():
            items = self.bridges[chunk.port].feed(chunk.data, chunk.time_ms)
            self.agent.take(items)
            count += len(items)
        self.agent.step(timeout_s, self.ports.wake)
        return count

    def finish(self) -> None:
        """The sources have ended: take what their last lines still say."""
        for bridge in self.bridges.values():
            self.agent.take(bridge.close(self.agent.now_ms()))

    def close(self) -> None:
        """Stop reading, commit, close."""
        self.ports.close()
        self.finish()
        self.agent.close()
