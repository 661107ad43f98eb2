"""The intake process: read MQTT, decide, commit, acknowledge; a tick a second; forget what every consumer has."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from collector.config import CollectorConfig
from collector.consumer import Consumer, Stop
from collector.intake.acks import Acks
from collector.intake.admission import Admission
from collector.intake.desk import carry_out
from collector.intake.state import TABLES, IntakeState
from collector.intake.suspicion import Suspicion
from collector.records import UNDECODABLE, Finding, decode_desk, decode_finding, encode_tick
from collector.trimming import forget_read, readers_of
from telemetry.clock import monotonic_ms, wall_ms
from telemetry.errors import EnvironmentFault, WireError
from telemetry.journal import Journal
from telemetry.messages import Ack, Status, decode, encode
from telemetry.mqtt import Link, Message, Session, require_files
from telemetry.topics import Topic, shard_of, subscriptions

_LOG = logging.getLogger("memfleet.intake")

COMMIT_MS = 20
BATCH = 2_000
TICK_MS = 1_000
HOUSE_MS = 1_000
RETRY_S = 2.0
"""How long a full disk is left alone before the journal is tried again."""
CUT_OFF_MS = 30_000
"""For how long the broker may be out of reach before it is said that we do not do our work: a restart of it takes less.
"""
KEEP_SESSION_S = 24 * 3600
BALLAST_BYTES = 4 * 1024 * 1024


class Intake:
    """One collector's intake. `step` does a round; nothing is acknowledged before it is on disk."""

    def __init__(self, config: CollectorConfig, directory: Path, now_ms: Callable[[], int] = wall_ms) -> None:
        self._now_ms = now_ms
        self._config = config
        quota = config.retention.journal_max_mb * 2**20
        path = directory / "readings.journal"
        self.journal = Journal(path, tables=TABLES, quota_bytes=quota, ballast_bytes=BALLAST_BYTES)
        journals = {"desk": directory / "desk.journal", "findings": directory / "findings.journal"}
        self._others = Consumer(self.journal.db, journals)
        self._readers = readers_of("readings", config, directory)
        self._suspicion = Suspicion(float(config.intake.suspected_every_s))
        self._state = IntakeState(self.journal.db, config.intake.series_per_agent)
        self._admission = Admission(self._state, config.fleet)
        self._acks = Acks()
        self._inbox: list[Message] = []
        self._owned = None if config.shards is None else frozenset(config.shards)
        self._next_tick = self._next_house = 0
        self._up_at = monotonic_ms()
        self._let_go()
        filters = (
            *subscriptions(config.fleet, config.shards, "frame"),
            *subscriptions(config.fleet, config.shards, "status"),
        )
        session = Session(f"{config.fleet}-{config.name}", filters, keep_s=KEEP_SESSION_S, receive_maximum=BATCH)
        self.link = Link(config.broker, session, self, time.monotonic)

    def _let_go(self) -> None:
        """Shards may have moved: devices of agents that another collector owns now are not ours to list, or to call
        silent. Should they come back they are here again by speaking."""
        if self._owned is None:
            return
        inventory = self._state.inventory
        for device, agent in self._state.owners.items():
            if shard_of(agent) not in self._owned and device not in inventory.retired:
                self._admission.tell(inventory.retire(device), self._now_ms())

    # -- called by the link --------------------------------------------------------------------------------------------

    def connected(self) -> None:
        """What was received and not yet acknowledged will come again under other numbers."""
        self._inbox.clear()

    def received(self, message: Message) -> None:
        """Keep it for the commit."""
        self._inbox.append(message)

    def published(self, number: int, failure: str) -> None:
        """Acks are QoS 0: nothing to wait for."""

    # -- the round -----------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """Collect messages for up to 20 ms, commit them, acknowledge them."""
        self._collect()
        if not self._inbox and monotonic_ms() < self._next_tick:
            self._send_acks()
            return
        messages, self._inbox = self._inbox, []
        received_ms = self._now_ms()
        for message in messages:
            self._take(message, received_ms)
        self._tick_when_due()
        self._commit()
        for message in messages:
            self.link.acknowledge(message)
        self._send_acks()
        self._keep_house()

    def _collect(self) -> None:
        """Returns when the batch is full, nothing has come, or the commit is due."""
        deadline = monotonic_ms() + COMMIT_MS
        self.link.step(COMMIT_MS / 1000)
        while 0 < len(self._inbox) < BATCH and (left_ms := deadline - monotonic_ms()) > 0:
            self.link.step(left_ms / 1000)

    def _is_ours(self, topic: str) -> bool:
        """Whether we own the topic's shard. The broker's session may still hold subscriptions to shards that have
        moved to another collector: what comes by them is neither journalled nor acknowledged to its agent."""
        return self._owned is None or not self._owned.isdisjoint(topic.split("/")[3:4])

    def _take(self, message: Message, received_ms: int) -> None:
        if not self._is_ours(message.topic):
            self._state.counts["foreign_messages"] += 1
            return
        if message.topic.endswith("/status"):
            self._take_status(message, received_ms)
            return
        sender = self._admission.take(message.topic, message.payload, received_ms, message.lay_ms())
        if sender is not None:
            self._acks.owe(*sender)

    def _take_status(self, message: Message, received_ms: int) -> None:
        try:
            agent = Topic.parse(message.topic).agent
            status = decode(message.payload, Status)
        except WireError:
            self._state.counts["status_refused"] += 1
            return
        self._state.note_agent(agent, status, received_ms)
        if status.online:  # one of us has been away: say how far we are, so that nothing waits for a time-out
            self._acks.owe(agent, status.epoch)

    def _tick_when_due(self) -> None:
        """A tick says the wall time, but when it is due is no matter of the wall clock: somebody may set it back."""
        now = monotonic_ms()
        if now >= self._next_tick:
            self._state.frames.append((encode_tick(self._now_ms()), 0))
            if self.link.up:
                self._up_at = now
            self._state.trouble = self.link.rival or self._cut_off(now)
            self._next_tick = max(self._next_tick + TICK_MS, now)

    def _cut_off(self, now: int) -> str:
        """Why no agent is heard, once the broker has been out of reach for a while; "" before."""
        is_down = self.link.trouble and now - self._up_at >= CUT_OFF_MS
        return f"no agent is heard: {self.link.trouble}" if is_down else ""

    def _commit(self) -> None:
        with self.journal.transaction() as db:
            if self._state.frames:
                self.journal.append(self._state.frames)
                self.journal.evict()
            self._state.write(db)
        self._state.committed()

    def _send_acks(self) -> None:
        for agent, epoch in self._acks.due(monotonic_ms()):
            contig = self._state.contig.get((agent, epoch), 0)
            topic = Topic.of(self._config.fleet, agent, "ack")
            ack = Ack(epoch, contig, self._state.anchors_of(agent), self._state.wants_descriptions(agent))
            self.link.publish(str(topic), encode(ack))

    # -- once a second -------------------------------------------------------------------------------------------------

    def _keep_house(self) -> None:
        now = monotonic_ms()
        if now < self._next_house:
            return
        self._next_house = now + HOUSE_MS
        self._obey_others()
        self._ask_for_more()
        self.journal.checkpoint()
        forget_read(self.journal, "readings", self._readers)

    def _obey_others(self) -> None:
        frames, found = self._others.poll("desk"), self._others.poll("findings")
        if not frames and not found:
            return
        with self._others.transaction() as db:
            for frame in found:
                self._suspect(frame.data)
            for frame in frames:
                carry_out(decode_desk(frame.data), db, self._state, self._admission)
            if self._state.frames:
                self.journal.append(self._state.frames)
            self._state.write(db)
        self._state.committed()

    def _ask_for_more(self) -> None:
        """Tell agents of which devices the judge has its doubts; while the link is down they are kept in mind."""
        if not self.link.up:
            return
        for agent, command in self._suspicion.commands(self._state.owners, self._now_ms()).items():
            topic = Topic.of(self._config.fleet, agent, "command")
            self.link.publish(str(topic), encode(command), 1, retain=True)

    def _suspect(self, data: bytes) -> None:
        """What the judge finds of a device makes us want to know more of it."""
        try:
            finding = decode_finding(data)
        except UNDECODABLE:
            self._state.counts["undecodable_findings"] += 1
            return
        if isinstance(finding, Finding):
            self._suspicion.take(finding, self._now_ms())

    def close(self) -> None:
        """Disconnect and close the journal; a kill instead loses nothing that was acknowledged."""
        self.link.close()
        self.journal.close()


def run(config: CollectorConfig, directory: Path, stop: Stop) -> None:
    """Take in frames until stopped. While the disk is full nothing is acknowledged; it goes on once there is room.

    ConfigError when a file of the broker's settings cannot be used.
    """
    require_files(config.broker)
    failed = False
    while not stop.is_set():
        try:
            _serve(config, directory, stop, again=failed)
        except EnvironmentFault as fault:
            if not fault.retry:
                raise
            _LOG.error("%s; nothing is acknowledged until it can be written again", fault)
            failed = True
            stop.wait(RETRY_S)


def _serve(config: CollectorConfig, directory: Path, stop: Stop, *, again: bool) -> None:
    """What is in memory is ahead of the file when a commit fails, so each try begins from the file. `again`: it is one
    after such a failure."""
    intake = Intake(config, directory)
    said = ""
    failed_at = intake.journal.last_id() if again else None
    try:
        while not stop.is_set():
            intake.step()
            if failed_at is not None and intake.journal.last_id() > failed_at:
                failed_at = None
                _LOG.info("%s is written again", intake.journal.path)
            if intake.link.trouble != said:
                said = intake.link.trouble
                if said:
                    _LOG.warning("%s; trying again", said)
    except EnvironmentFault:
        intake.link.drop("the journal cannot be written")
        raise
    finally:
        intake.close()
