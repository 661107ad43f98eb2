"""From what a console printed to readings of a device: adds who (device, boot) and when."""

from __future__ import annotations

from typing import Protocol

from agent.consoles import Console, Fact
from telemetry.readings import MT3620_LIMIT, About, Reading

SAME_BOOT_MS = 10_000
"""A boot ROM's line, a loader's and an application's banner within this span, with no reading between, are one boot."""

_IDENTITY = ("firmware", "board", "os")


class Boots(Protocol):
    """Where boot counts are remembered across our own restarts (`agent.outbox.Outbox` is one)."""

    def boot_of(self, device: str) -> int:
        """Boots seen so far, 0 for a device not seen before."""

    def set_boot(self, device: str, boot: int) -> None:
        """Remember the count."""


class Bridge:
    """One device's console. `feed` takes bytes as they come and gives descriptions and readings in order."""

    def __init__(self, device: str, boots: Boots, system: str | None = None) -> None:
        self.device = device
        self.console = Console(system)
        self._boots = boots
        self._boot = boots.boot_of(device)
        self._unread_since_ms: int | None = None if self._boot else 0  # a boot began then and has no reading yet
        self._texts: dict[str, str] = {}
        self._described: About | None = None

    def feed(self, data: bytes, time_ms: int) -> list[About | Reading]:
        """What these bytes say, stamped with the time at which they came."""
        return self._readings(self.console.feed(data), time_ms)

    def close(self, time_ms: int) -> list[About | Reading]:
        """What the end of the stream still says."""
        return self._readings(self.console.close(), time_ms)

    def _readings(self, facts: list[Fact], time_ms: int) -> list[About | Reading]:
        items: list[About | Reading] = []
        for fact in facts:
            if fact.begins_boot:
                self._begin_boot(time_ms)
            elif fact.kind not in ("device", "log", "event"):
                self._unread_since_ms = None
            self._learn(fact)
            about = self._about()
            if about != self._described:
                items.append(about)
                self._described = about
            items.append(self._reading(fact, time_ms))
        return items

    def _begin_boot(self, time_ms: int) -> None:
        unread = self._unread_since_ms
        if unread is not None and (unread == 0 or time_ms - unread <= SAME_BOOT_MS):
            self._unread_since_ms = unread or time_ms
        else:
            self._boot += 1
            self._boots.set_boot(self.device, self._boot)
            self._unread_since_ms = time_ms

    def _learn(self, fact: Fact) -> None:
        self._texts["platform"] = fact.system
        if fact.kind == "device":
            for name in _IDENTITY:
                if name in fact.values:
                    self._texts[name] = str(fact.values[name])

    def _about(self) -> About:
        if self._boot == 0:
            self._boot = 1
            self._boots.set_boot(self.device, 1)
        limits = {"user_mode": MT3620_LIMIT} if self._texts["platform"] == "mt3620" else {}
        return About(self.device, self._boot, dict(self._texts), limits)

    def _reading(self, fact: Fact, time_ms: int) -> Reading:
        return Reading(
            self.device, fact.kind, fact.names, time_ms, fact.values, self._boot, fact.uptime_ms, fact.flags,
            fact.resolution,
        )  # fmt: skip
