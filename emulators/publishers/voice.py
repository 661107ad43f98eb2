"""What one device publishes: as its system does, from the readings of its emulated heaps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from telemetry.readings import About, Reading, Value


@dataclass(frozen=True, slots=True)
class Publication:
    """A message on its way to a broker."""

    topic: str
    payload: bytes
    retain: bool = False
    qos: int = 0


def plain(topic: str, value: object, *, retain: bool = False, qos: int = 0) -> Publication:
    """A message of plain text."""
    return Publication(topic, str(value).encode(), retain, qos)


def packed(topic: str, value: Mapping[str, Any], *, retain: bool = False, qos: int = 0) -> Publication:
    """A message of JSON."""
    return Publication(topic, json.dumps(value, separators=(",", ":")).encode(), retain, qos)


def mac_address(name: str) -> str:
    """A device's MAC, 12 hex digits of a locally administered address: the same for the same name."""
    return "02" + hashlib.blake2b(name.encode(), digest_size=5).hexdigest()


@dataclass(slots=True)
class State:
    """What a device knows of itself: the present boot and its newest heap, bytes."""

    texts: Mapping[str, str] = field(default_factory=dict)
    boot: int = 0
    reset: str = "power_on"
    heap: Mapping[str, Value] = field(default_factory=dict)
    uptime_ms: int = 0
    time_ms: int = 0


class Voice:
    """One device. `take` a reading, `connected` to the broker, `asked` on one of `questions`: each says something.

    A system overrides what it says: `_booted` once a boot, `_measured` at each reading of its heap.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.mac = mac_address(name)
        self.state = State()
        self.connections = 0
        self._told_boot = 0

    @property
    def questions(self) -> tuple[str, ...]:
        """Topics on which it can be asked."""
        return ()

    def connected(self) -> Iterator[Publication]:
        """A connection stands: who it is, and what it says after a boot unless it has said so."""
        self.connections += 1
        if self.state.boot:
            yield from self._hello()
            yield from self._after_boot()

    def take(self, item: About | Reading) -> Iterator[Publication]:
        """Something happened on the device."""
        state = self.state
        if isinstance(item, About):
            state.texts, state.boot, state.heap = item.texts, item.boot, {}
            return
        state.uptime_ms, state.time_ms = item.uptime_ms or 0, item.time_ms
        if item.kind == "event" and item.names == ("boot",):
            if self.connections:
                yield from self._hello()
                yield from self._after_boot()
        elif item.kind == "event" and item.names != ("alloc_failed",):
            state.reset = item.names[0]
        elif item.kind == "heap" and item.names == ("internal",):
            state.heap = item.values
            yield from self._measured()

    def asked(self, topic: str, payload: bytes) -> Iterator[Publication]:
        """Somebody asked."""
        return iter(())

    def _after_boot(self) -> Iterator[Publication]:
        if self._told_boot != self.state.boot:
            self._told_boot = self.state.boot
            yield from self._booted()

    def _hello(self) -> Iterator[Publication]:
        """What it says on every connection."""
        return iter(())

    def _booted(self) -> Iterator[Publication]:
        """What it says once a boot."""
        return iter(())

    def _measured(self) -> Iterator[Publication]:
        """What it says of its heap."""
        return iter(())
