"""A source: somebody's broker, read by maps. One thread, driven from outside.

Devices publish most of this with QoS 0: what is lost before it arrives here is lost. What has arrived goes through the
outbox like everything else; a message of QoS 1 is acknowledged to the broker once it is on our disk.
"""

from __future__ import annotations

import logging
import socket
from collections import Counter
from collections.abc import Callable

from agent.config import Source
from agent.haste import wished
from agent.maps.devices import Devices
from agent.maps.maps import Maps
from agent.maps.names import Memory
from agent.maps.polls import Poller
from agent.maps.shipping import load_maps
from telemetry.clock import monotonic_ms, wall_ms
from telemetry.messages import Command
from telemetry.mqtt import Link, Message, Session
from telemetry.readings import About, Reading

_LOG = logging.getLogger("memfleet.agent")

BATCH = 500
ROUND_MS = 200
"""How often joins, questions and learned topics are looked at."""
REPEATED_MS = 50
"""A broker may send a message once for each subscription that it matches: the same again within this span is that."""


class MapSource:
    """Reads one broker. `step` gives what came; call `settled` after a commit. `counts`: what became of messages."""

    def __init__(
        self, source: Source, agent: str, memory: Memory, now_ms: Callable[[], int], maps: Maps | None = None
    ) -> None:
        self.maps = maps or load_maps(source.maps)
        self.devices = Devices(memory)
        self.counts: Counter[str] = Counter()
        self._now_ms = now_ms
        self._poller = Poller(self.maps.polls, f"memfleet-{agent}", source.poll_s)
        self._items: list[About | Reading] = []
        self._unsettled: list[Message] = []
        self._came = 0
        self._last: tuple[str, bytes] = ("", b"")
        self._last_ms = 0
        self._said = ""
        self._said_nameless = False
        self._command: Command | None = None
        self._next_round = 0
        self._learned = self.maps.learned
        session = Session(f"memfleet-{agent}-maps", tuple(self.maps.subscriptions))
        self.link = Link(source.broker, session, self, lambda: monotonic_ms() / 1000)

    # -- called by the link --------------------------------------------------------------------------------------------

    def connected(self) -> None:
        """What was not acknowledged will come again."""
        self._unsettled.clear()
        _LOG.info("reading devices that publish by themselves; what they send with QoS 0 has no promise of delivery")

    def received(self, message: Message) -> None:
        """Read one message."""
        self._came += 1
        now = self._now_ms()
        if message.number:
            self._unsettled.append(message)
            self.counts["messages_qos1"] += 1
        else:
            self.counts["messages_qos0"] += 1
        same = (message.topic, message.payload)
        if same == self._last and now - self._last_ms <= REPEATED_MS:
            self.counts["repeated"] += 1
            return
        self._last, self._last_ms = same, now
        for report in self.maps.apply(message.topic, message.payload, message.retained, now):
            if report.poll or report.online is False:
                self._poller.heard(report)
            self._items += self.devices.take(report)

    def published(self, number: int, failure: str) -> None:
        """Questions are sent with QoS 0: nothing to wait for."""

    # -- driving -------------------------------------------------------------------------------------------------------

    def step(self, timeout_s: float, wake: socket.socket | None = None) -> list[About | Reading]:
        """What came within `timeout_s`; returns early when something did, or when `wake` is readable."""
        self._came = 0
        self.link.step(timeout_s, wake)
        before = -1
        while before < self._came < BATCH and self._came:
            before = self._came
            self.link.read_more()
        now = monotonic_ms()
        if now >= self._next_round:
            self._next_round = now + ROUND_MS
            self._look_around()
        items, self._items = self._items, []
        return items

    def _look_around(self) -> None:
        now = self._now_ms()
        if self.link.trouble != self._said:
            self._said = self.link.trouble
            if self._said:
                _LOG.warning("no message of devices comes: %s", self._said)
        if self.maps.nameless_on and not self._said_nameless:
            self._said_nameless = True
            _LOG.warning(
                "messages on %r do not say which device they are of and are left out: look at `device` in their map",
                self.maps.nameless_on,
            )
        self._items += self.devices.due(now)
        if self.maps.learned != self._learned:
            self._learned = self.maps.learned
            self.link.subscribe(self.maps.subscriptions)
        for topic, payload in self._poller.due(now) if self.link.up else []:
            self.link.publish(topic, payload)

    def obey(self, command: Command | None) -> None:
        """The collector's wish: to ask some devices more often. Those that speak by themselves keep their own time."""
        if command is None or command == self._command:
            return
        self._command = command
        now = self._now_ms()
        haste = wished(command, wall_ms(), now)
        self._poller.hurry(self.devices.names.aliases_of(haste.devices), haste.every_ms, haste.until_ms)

    @property
    def unsettled(self) -> int:
        """Messages that the broker keeps until they are settled."""
        return len(self._unsettled)

    def settled(self) -> None:
        """All that `step` has given is on disk."""
        for message in self._unsettled:
            self.link.acknowledge(message)
        self._unsettled.clear()

    def close(self) -> list[About | Reading]:
        """Say good-bye to the broker; what was still being joined."""
        self.link.close()
        counts = sorted((self.counts + self.maps.counts + Counter(too_many_devices=self.devices.unnamed)).items())
        _LOG.info("of devices that publish by themselves: %s", ", ".join(f"{name} {count}" for name, count in counts))
        return self.devices.close()
