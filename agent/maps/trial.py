"""Maps tried on messages: what is understood, what would be stored, what looks like memory and is not mapped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from agent.maps.devices import Devices
from agent.maps.maps import Maps
from agent.maps.report import Measure, Report
from agent.maps.unmapped import suspects
from telemetry.readings import About, Reading

HINTS_MOST = 200
IDENTITY = ("platform", "board", "firmware", "os", "hostname", "chip", "app")


@dataclass(slots=True)
class Forgetful:
    """A memory that ends with the trial."""

    texts: dict[str, str] = field(default_factory=dict)
    boots: dict[str, int] = field(default_factory=dict)

    def recall(self, prefix: str) -> dict[str, str]:
        """Texts by the rest of their key."""
        return {key[len(prefix) :]: text for key, text in self.texts.items() if key.startswith(prefix)}

    def remember(self, key: str, text: str) -> None:
        """Keep a text."""
        self.texts[key] = text

    def boot_of(self, device: str) -> int:
        """Boots of a device."""
        return self.boots.get(device, 0)

    def set_boot(self, device: str, boot: int) -> None:
        """Keep the boots of a device."""
        self.boots[device] = boot


@dataclass(slots=True)
class Seen:
    """One device as far as the messages told: `maps` are those that knew it."""

    maps: set[str] = field(default_factory=set)
    texts: dict[str, str] = field(default_factory=dict)
    mac: str = ""
    memory: bool = False

    @property
    def system(self) -> str:
        """What it runs: the firmware's own name where it is known."""
        return self.texts.get("os") or min(self.maps)


class Trial:
    """Feed it messages. `seen`: devices; `stored`: the newest readings by device, kind, name; `hints`: topics and paths
    that look like memory, with a value."""

    def __init__(self, maps: Maps) -> None:
        self.maps = maps
        self.messages = 0
        self.seen: dict[str, Seen] = {}
        self.stored: dict[tuple[str, str, str], Reading] = {}
        self.counts: Counter[str] = Counter()
        self.hints: dict[tuple[str, str], int | float] = {}
        self.memory = Forgetful()
        self._devices = Devices(self.memory, name_all=True)

    def take(self, topic: str, payload: bytes, retained: bool, now_ms: int) -> list[dict[str, Any]]:
        """Take a message; what is understood of it, an object for each thing, sizes in bytes."""
        self.messages += 1
        reports = self.maps.apply(topic, payload, retained, now_ms)
        if not reports and not self._is_known_trap(topic):
            for path, value in suspects(topic, payload) if len(self.hints) < HINTS_MOST else ():
                self.hints.setdefault((topic, path), value)
        understood = []
        for report in reports:
            self._store(self._devices.take(report))
            understood += list(self._objects(report))
        self._store(self._devices.due(now_ms))
        return understood

    def _is_known_trap(self, topic: str) -> bool:
        """Whether a map leaves out messages of that topic on purpose."""
        return any(rule.topic.unless for rule, _ in self.maps.matches(topic))

    def finish(self) -> None:
        """No more messages: what waited for its join is stored too."""
        self._store(self._devices.close())

    def _store(self, items: list[About | Reading]) -> None:
        for item in items:
            if isinstance(item, Reading):
                self.counts["readings"] += 1
                self.stored[item.device, item.kind, "/".join(item.names)] = item

    def _objects(self, report: Report) -> Iterator[dict[str, Any]]:
        device = self._devices.names.device_of(report)
        self._see(device, report)
        head = {"system": report.system, "device": device, "boot": self._devices.boot_of(device)}
        tail = _tail(report)
        for measure in report.measures:
            yield head | _measured(measure) | tail
        if not report.measures and tail:
            yield head | {"kind": "device", "name": ""} | tail

    def _see(self, device: str, report: Report) -> None:
        seen = self.seen.setdefault(device, Seen())
        seen.maps.add(report.system)
        seen.texts |= report.texts
        seen.mac = seen.mac or report.mac
        seen.memory = seen.memory or bool(report.measures)


def _measured(measure: Measure) -> dict[str, Any]:
    coarse = {"resolution": measure.resolution} if measure.resolution != 1 else {}
    return {"kind": measure.kind, "name": "/".join(measure.names), **measure.values, **coarse}


def _tail(report: Report) -> dict[str, Any]:
    """What else the message says: identity, uptime, boot, connection; only what is there."""
    said: dict[str, Any] = {"mac": report.mac, **{key: report.texts.get(key) for key in IDENTITY}}
    said |= {"uptime_ms": report.uptime_ms, "boots": report.boots, "online": report.online}
    said |= {"booted": report.booted or None, "reset_reason": report.reset_reason, "reset_class": report.reset_class}
    return {key: value for key, value in said.items() if value is not None and value != ""}
