"""The agent: sources, framer, outbox, publisher. One thread decides; `agent.ports` has one that reads."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from agent.bridge import Bridge
from agent.config import AgentConfig
from agent.framing import Framer, bodies
from agent.hostclock import host_boot_id
from agent.maps.source import MapSource
from agent.outbox import Outbox
from agent.ports import Ports
from agent.publisher import Publisher
from agent.report import PERIOD_MS, Report, system_clock_state, untrusted_clock_state
from agent.stations import Stations
from telemetry.clock import monotonic_ms, wall_ms
from telemetry.errors import DiskFull, UsageError
from telemetry.readings import NEVER_SILENT_S, SILENT_AFTER, About, Reading
from telemetry.wire import Clock

CHECKPOINT_MS = 1_000
DESCRIBE_MS = 60_000
"""How often a collector may ask for all descriptions: it asks with each ack until it has them."""
SOURCES_S = 0.1
"""How long a round waits for brokers: acks of the collector wait meanwhile."""
HELD_MOST_BYTES = 16 * 2**20
"""Readings that wait in memory while the disk is full: those of days, where boards speak each ten seconds."""
UNSETTLED_MOST = 500
"""Messages of a broker that wait for the next commit; half of what it may have on its way to us."""


_LOG = logging.getLogger("memfleet.agent")

_OWNER = "owner"
"""Remembered in the outbox: whose it is, fleet/agent."""


class Agent:
    """Takes readings of any source to the collector. What `take` was given is on disk after the next commit, which
    `commits` counts. While the disk is full it waits in memory; past `HELD_MOST_BYTES` of it DiskFull is raised.

    `now_ms` is the clock that stamps readings: wall time, or the monotonic clock where the gateway's is not trusted.
    Every half minute it adds a reading of itself; `tell_of_consoles` gives the fields that tell of these.
    """

    def __init__(self, config: AgentConfig, directory: Path, version: str = "") -> None:
        monotonic = config.clock == "monotonic"
        self.now_ms = monotonic_ms if monotonic else wall_ms
        self.outbox = Outbox(directory / "outbox.journal", config.outbox.max_mb * 2**20)
        _take_over(self.outbox, f"{config.fleet}/{config.name}", directory)
        self._boot_id = host_boot_id()
        self.publisher = Publisher(
            self.outbox, config.broker, (config.fleet, config.name), version=version, boot_id=self._boot_id
        )
        self._framer = Framer(Clock(self._boot_id, None) if monotonic else None)
        self._waiting: list[tuple[bytes, int]] = []
        self._is_full = False
        self.commits = 0
        self.tell_of_consoles: Callable[[], Mapping[str, int]] = dict
        clock_state = untrusted_clock_state if monotonic else system_clock_state
        self._report = Report(config.name, version, self.outbox, clock_state)
        self._directory = directory
        self._commit_ms = config.outbox.commit_ms
        self._abouts: dict[str, About] = {}
        self._next_commit = self._next_checkpoint = self._next_report = self._next_describe = monotonic_ms()

    def take(self, items: Sequence[About | Reading]) -> None:
        """Accept descriptions and readings, in order."""
        for item in items:
            if isinstance(item, About):
                self._abouts[item.device] = item
        self._waiting += bodies(items, self._framer)

    def take_leave(self) -> None:
        """Nothing more is to come, of the agent itself as little as of its devices: their silence is none."""
        self.take([never_silent(about) for about in self._abouts.values()])

    def step(self, timeout_s: float, wake: socket.socket | None = None) -> None:
        """Commit when it is time, publish, listen for acks for up to `timeout_s` or until `wake` is readable."""
        now = monotonic_ms()
        if now >= self._next_report:
            self._next_report = now + PERIOD_MS
            about = self._report.about()
            if about.device not in self._abouts:
                self.take([about])
            self.take([self._report.reading(self.now_ms(), self._directory, self.tell_of_consoles())])
        if self.publisher.describe and now >= self._next_describe:
            self._next_describe = now + DESCRIBE_MS
            self.publisher.describe = False
            self.take(list(self._abouts.values()))
        if now >= self._next_commit:
            self._next_commit = now + self._commit_ms
            self.commit()
        if now >= self._next_checkpoint:
            self._next_checkpoint = now + CHECKPOINT_MS
            with self._room_or_patience():
                self.outbox.checkpoint()
        self.publisher.step(timeout_s, wake)

    def commit(self) -> None:
        """Put everything taken so far on disk, or keep it for the next time while that is full."""
        with self._room_or_patience():
            self._put()

    def _put(self) -> None:
        if self._framer.clock is not None:
            self._framer.clock = Clock(self._boot_id, self.publisher.anchors.get(self._boot_id))
        if body := self._framer.close():
            self._waiting.append(body)
        if self._waiting:
            clock = (self._boot_id, monotonic_ms()) if self._framer.clock is not None else None
            self.outbox.add(self._waiting, clock)
            self._waiting = []
            if self._is_full:
                self._is_full = False
                _LOG.warning("there is room on the disk again, and no reading was lost")
        self.commits += 1

    @contextlib.contextmanager
    def _room_or_patience(self) -> Iterator[None]:
        """A full disk stops no reading: a serial port would go on talking to nobody."""
        try:
            yield
        except DiskFull as fault:
            if sum(len(body) for body, _ in self._waiting) > HELD_MOST_BYTES:
                raise
            if not self._is_full:
                self._is_full = True
                _LOG.error("%s; readings wait in memory until there is room", fault)

    def drain(self, timeout_s: float) -> bool:
        """Commit and publish until the collector has everything; False when time ran out before."""
        deadline = monotonic_ms() + timeout_s * 1000
        self._put()
        while not self.publisher.idle and monotonic_ms() < deadline:
            self.publisher.step(0.05)
        return self.publisher.idle

    def close(self, *, asked: bool = False) -> None:
        """Commit, say good-bye, close the files; `asked`: somebody wants it to end."""
        if asked:
            self._report.end()
        self._put()
        self.publisher.close()
        self.outbox.close()


def never_silent(about: About) -> About:
    """A description by which nobody waits for another word of the device."""
    return replace(about, limits={**about.limits, SILENT_AFTER: NEVER_SILENT_S})


def _take_over(outbox: Outbox, name: str, directory: Path) -> None:
    """An outbox is one agent's: under another name its frames would tell of devices that are not that one's, and its
    numbers would not begin at 1. UsageError while it holds frames of another."""
    known = outbox.recall(_OWNER).get("", name)
    if known != name:
        if outbox.depth:
            frames = outbox.depth
            outbox.close()
            raise UsageError(
                f"{directory} holds {frames} frames of agent {known} its collector does not have: start it once more "
                f"by that name, until they are delivered, or give {name} a folder of its own"
            )
        outbox.begin_epoch()
    outbox.remember(_OWNER, name)


class Gateway:
    """An agent that reads the consoles and the brokers of its configuration."""

    def __init__(self, config: AgentConfig, directory: Path, version: str = "") -> None:
        self.agent = Agent(config, directory, version)
        outbox, now_ms = self.agent.outbox, self.agent.now_ms
        self.stations = Stations(config, directory, outbox, now_ms)
        self.agent.tell_of_consoles = self.stations.told
        self.sources = [
            MapSource(source, f"{config.name}-{number}", outbox, now_ms)
            for number, source in enumerate(config.sources, start=1)
        ]
        self._commits = 0

    @property
    def ports(self) -> Ports:
        """The consoles' ports."""
        return self.stations.ports

    @property
    def bridges(self) -> dict[str, Bridge]:
        """The bridge of each port."""
        return self.stations.bridges

    @property
    def ended(self) -> bool:
        """Whether every source has come to an end; ports and brokers never do, standard input does."""
        return not self.sources and self.ports.ended

    def step(self, timeout_s: float) -> int:
        """One round; how many readings and descriptions came."""
        self.stations.obey(self.agent.publisher.command)
        items = self.stations.step()
        self.agent.take(items)
        count = len(items)
        if not self.sources:
            self.agent.step(timeout_s, self.ports.wake)
            return count
        for source in self.sources:
            source.obey(self.agent.publisher.command)
            items = source.step(min(timeout_s, SOURCES_S) / len(self.sources), self.ports.wake)
            self.agent.take(items)
            count += len(items)
        self.agent.step(0)
        self._settle()
        return count

    def _settle(self) -> None:
        """Let brokers forget what is on disk now."""
        if any(source.unsettled >= UNSETTLED_MOST for source in self.sources):
            self.agent.commit()
        if self._commits != self.agent.commits:
            self._commits = self.agent.commits
            for source in self.sources:
                source.settled()

    def finish(self) -> None:
        """The sources have ended: take what their last lines still say."""
        self.agent.take(self.stations.finish())

    def close(self, *, asked: bool = False) -> None:
        """Stop reading, commit, close; `asked`: somebody wants it to end."""
        self.agent.take(self.stations.close())
        for source in self.sources:
            self.agent.take(source.close())
        self.agent.close(asked=asked)
