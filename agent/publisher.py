"""The publisher: outbox frames to the broker, in order, at most a window ahead of the collector's ack.

After 5 s without progress it goes back and sends only the oldest frame, ever more slowly; with the next word of the
collector the window opens again. The broker's own acknowledgement covers one hop and frees nothing.
"""

from __future__ import annotations

import logging
import random
import socket
from collections.abc import Callable

from agent.hostclock import HostClock
from agent.outbox import Outbox
from telemetry.clock import monotonic_ms
from telemetry.errors import WireError
from telemetry.journal import Frame
from telemetry.messages import Ack, Command, Status, decode, encode
from telemetry.mqtt import Link, Message, Session
from telemetry.settings import Broker
from telemetry.topics import Topic
from telemetry.wire import CONFIRMED, MONOTONIC, Header, seal

_LOG = logging.getLogger("memfleet.agent")

WINDOW = 32
STALL_MS = 5_000
STALL_MOST_MS = 60_000
REFUSALS = 2
"""A frame that the broker refuses so often is set aside: one poison frame must not hold the others."""
NO_FAULT_OF_A_FRAME = ("Not authorized", "Quota exceeded")
"""Refusals that tell of our rights at the broker: the next frame would fare no better, so all wait until it lets us."""
HANG_UPS = 4
"""A frame on which the broker hangs up so often in a row is set aside, too: before MQTT 5 it has no other answer."""
SURELY_FITS = 4_096
"""Bytes that every broker takes: on such a frame it is the network that fails."""


class Publisher:
    """Keeps the link up and the outbox moving. `step` does a round; one thread.

    `boot_id` names this boot of the host (`agent.hostclock`); it matters for frames with monotonic times alone.
    """

    def __init__(
        self,
        outbox: Outbox,
        broker: Broker,
        topics: tuple[str, str],
        *,
        version: str = "",
        boot_id: str = "",
        clock_ms: Callable[[], int] = monotonic_ms,
    ) -> None:
        fleet, agent = topics
        self._outbox = outbox
        self._clock_ms = clock_ms
        self._host_clock = HostClock(boot_id, outbox.clocks())
        self._frame_topic = str(Topic.of(fleet, agent, "frame"))
        self._status_topic = str(Topic.of(fleet, agent, "status"))
        self._ack_topic = str(Topic.of(fleet, agent, "ack"))
        self._command_topic = str(Topic.of(fleet, agent, "command"))
        self._version = version
        self.anchors: dict[str, int] = {}
        self.command: Command | None = None
        self.describe = False
        self._sent = self._sent_most = outbox.base - 1
        self._heard = outbox.found == 0  # else the next word of the collector tells whether the outbox is an old copy
        self._window = WINDOW
        self._stall_ms = STALL_MS
        self._progress_ms = clock_ms()
        self._in_flight: dict[int, int] = {}
        self._refusals = self._hang_ups = 0
        self._shut_out = ""
        self._careful = False
        will = (self._status_topic, encode(Status(False, outbox.epoch, version)))
        session = Session(f"{fleet}-{agent}", (self._ack_topic, self._command_topic), will)
        self.link = Link(broker, session, self, lambda: clock_ms() / 1000)

    # -- called by the link --------------------------------------------------------------------------------------------

    def connected(self) -> None:
        """Say who is here; nobody knows what became of the frames in flight, so begin at the oldest."""
        self._careful = bool(self._in_flight) and not self.link.tells_limits
        if self._careful:
            self._suspect_the_oldest()
        self._say_here()
        self._go_back(WINDOW if self._heard and not self._careful else 1)

    def _say_here(self) -> None:
        self.link.publish(self._status_topic, encode(Status(True, self._outbox.epoch, self._version)), 1, retain=True)

    def _suspect_the_oldest(self) -> None:
        """The last connection ended before all frames were answered. A broker that is too narrow for one hangs up on
        it, and so early that no ack comes through: the oldest goes alone then, and if it never gets by it is set aside.
        """
        frame = next(iter(self._outbox.after(self._outbox.base - 1, 1)), None)
        if frame is None or frame.id not in self._in_flight.values() or len(frame.data) < SURELY_FITS:
            self._hang_ups = 0
            return
        self._hang_ups += 1
        if self._hang_ups > HANG_UPS:
            self._set_aside(frame, f"hung up on {HANG_UPS} times; {len(frame.data)} bytes may be more than it takes")
            self._hang_ups = 0

    def received(self, message: Message) -> None:
        """An ack or a command."""
        self.link.acknowledge(message)
        try:
            if message.topic == self._ack_topic:
                self._take_ack(decode(message.payload, Ack))
            elif message.topic == self._command_topic and message.payload:
                self.command = decode(message.payload, Command)
        except WireError as error:
            _LOG.warning("message on %s is not understood: %s", message.topic, error)

    def published(self, number: int, failure: str) -> None:
        """The broker has a frame, or refuses it."""
        seq = self._in_flight.pop(number, None)
        if not failure or seq is None or seq != self._outbox.base:
            return
        if failure in NO_FAULT_OF_A_FRAME:
            self._wait_for_rights(failure)
            return
        self._refusals += 1
        if self._refusals >= REFUSALS:
            self._set_aside(self._outbox.after(seq - 1, 1)[0], failure)
            self._refusals = 0
        self._go_back(WINDOW)

    def _wait_for_rights(self, reason: str) -> None:
        """Nothing is sent again before the next stall; said once, until an ack shows that it is over."""
        if reason != self._shut_out:
            _LOG.error(
                "the broker refuses what we publish on %s (%s): give this agent the rights of its fleet and name; "
                "until then all waits in the outbox",
                self._frame_topic,
                reason,
            )
            self._shut_out = reason

    def _set_aside(self, frame: Frame, reason: str) -> None:
        _LOG.error("the broker refuses frame %d (%s): set aside, %d readings", frame.id, reason, frame.rows)
        self._outbox.set_aside(frame, reason)

    def _take_ack(self, ack: Ack) -> None:
        self.anchors.update(ack.anchors)
        self.describe |= ack.describe
        if ack.epoch != self._outbox.epoch:
            return
        if ack.contig > max(self._outbox.found, self._sent_most):
            self._begin_epoch(ack.contig)
            return
        self._heard = True
        if ack.contig < self._outbox.base:
            self._heard_without_progress()
            return
        self._outbox.acknowledged(min(ack.contig, self._outbox.last))
        self._sent = max(self._sent, ack.contig)
        self._window, self._stall_ms = WINDOW, STALL_MS
        self._refusals = self._hang_ups = 0
        if self._shut_out:  # that we are here was refused, too
            self._shut_out = ""
            self._say_here()
        self._careful = False
        self._progress_ms = self._clock_ms()

    def _begin_epoch(self, contig: int) -> None:
        """The collector has had numbers that we never gave out: our folder was put back from a copy. Whatever we sent
        under them now it would take for what it has."""
        _LOG.warning(
            "the collector has had frames up to %d of this outbox, which knows of %d: it is an older copy of itself, "
            "and goes on under a new epoch",
            contig,
            self._outbox.last,
        )
        self._outbox.begin_epoch()
        self._heard, self._sent_most = True, 0
        self._say_here()
        self._go_back(WINDOW)

    def _heard_without_progress(self) -> None:
        """The collector is back and lacks what we sent while it was away. Once a stall: its acks of what is still on
        the way look the same."""
        if self._window < WINDOW and not self._careful:
            self._stall_ms = STALL_MS
            self._go_back(WINDOW)

    # -- the round -----------------------------------------------------------------------------------------------------

    def step(self, timeout_s: float, wake: socket.socket | None = None) -> None:
        """Send what the window allows, then wait up to `timeout_s` for the broker, or for `wake`."""
        if self.link.up:
            self._resend_when_stalled()
            self._send()
        self.link.step(timeout_s, wake)

    def close(self) -> None:
        """Say good-bye: the agent has gone in order."""
        self.link.publish(self._status_topic, encode(Status(False, self._outbox.epoch, self._version)), 1, retain=True)
        self.link.close()

    @property
    def idle(self) -> bool:
        """Whether the collector has everything."""
        return self._outbox.depth == 0

    def _send(self) -> None:
        room = self._outbox.base - 1 + self._window - self._sent
        if room <= 0 or self._sent >= self._outbox.last:
            return
        if self._outbox.base > self._sent:
            self._sent = max(self._sent, self._outbox.base - 1)
        for frame in self._outbox.after(self._sent, room):
            flags, now_ms = self._host_clock.stamp(frame.data, self._clock_ms())
            flags |= CONFIRMED if self._outbox.confirmed else 0
            header = Header(self._outbox.epoch, frame.id, self._outbox.base, now_ms, flags)
            sealed = seal(header, frame.data)
            if not self.link.fits(self._frame_topic, sealed):
                if frame.id == self._outbox.base:
                    self._set_aside(frame, f"larger than the broker takes: {len(sealed)} bytes")
                return  # what is before it goes first
            number = self.link.publish(self._frame_topic, sealed, 1, dated=bool(flags & MONOTONIC))
            if number is None:
                return
            self._in_flight[number] = frame.id
            self._sent = frame.id
            self._sent_most = max(self._sent_most, frame.id)

    def _resend_when_stalled(self) -> None:
        now = self._clock_ms()
        if self.idle or self._sent < self._outbox.base:
            self._progress_ms = now
        elif now - self._progress_ms >= self._stall_ms:
            self._stall_ms = min(STALL_MOST_MS, int(self._stall_ms * (1.5 + random.random())))  # noqa: S311 - jitter
            self._go_back(1)

    def _go_back(self, window: int) -> None:
        self._sent = self._outbox.base - 1
        self._window = window
        self._progress_ms = self._clock_ms()
        self._in_flight.clear()
