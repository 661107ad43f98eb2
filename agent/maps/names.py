"""Which device a report is of. Topics can be edited, so a MAC counts more; what was decided is remembered."""

from __future__ import annotations

from collections.abc import Container
from typing import Protocol

from agent.maps.identity import name_of
from agent.maps.report import Report

DEVICES_MOST = 100_000
ALIASES_MOST = 2 * DEVICES_MOST


class Memory(Protocol):
    """Where a few texts are kept across restarts (`agent.outbox.Outbox` is one)."""

    def recall(self, prefix: str) -> dict[str, str]:
        """All texts whose key begins so, by the rest of the key."""

    def remember(self, key: str, text: str) -> None:
        """Keep a text."""

    def boot_of(self, device: str) -> int:
        """Boots seen so far, 0 for a device not seen before."""

    def set_boot(self, device: str, boot: int) -> None:
        """Remember the count."""


class Names:
    """Aliases and MACs of devices. A device keeps the name that it had first."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._by_alias = memory.recall("alias/")
        self._by_mac = memory.recall("mac/")
        self._devices = set(self._by_alias.values())

    def __len__(self) -> int:
        return len(self._devices)

    def knows(self, report: Report) -> bool:
        """Whether the device has a name already."""
        return _place(report) in self._by_alias or report.mac in self._by_mac

    def aliases_of(self, devices: Container[str]) -> list[tuple[str, str]]:
        """Family and alias of every place where one of these devices publishes."""
        found = [key.partition("/") for key, device in self._by_alias.items() if device in devices]
        return [(family, alias) for family, _, alias in found]

    def known(self, report: Report) -> str:
        """The device's name when nothing in the report asks for another one, else empty."""
        device = self._by_alias.get(_place(report), "")
        return "" if report.mac and self._by_mac.get(report.mac) != device else device

    def device_of(self, report: Report) -> str:
        """The device's name, a new one if it has none; empty when there are too many devices already."""
        key = _place(report)
        return self.known(report) or self._decide(key, report, self._by_alias.get(key))

    def _decide(self, key: str, report: Report, known: str | None) -> str:
        device = self._by_mac.get(report.mac) if report.mac else None
        device = device or known or self._new(report)
        if not device:
            return ""
        self._devices.add(device)
        if known != device and len(self._by_alias) < ALIASES_MOST:
            self._by_alias[key] = device
            self._memory.remember(f"alias/{key}", device)
        if report.mac and report.mac not in self._by_mac:
            self._by_mac[report.mac] = device
            self._memory.remember(f"mac/{report.mac}", device)
        return device

    def _new(self, report: Report) -> str:
        if len(self._devices) >= DEVICES_MOST or len(self._by_alias) >= ALIASES_MOST:
            return ""
        wished = _wished(report)
        choices = (wished, name_of(report.alias.replace("/", "-")), name_of(f"{wished[:51]}-{report.mac}"))
        for name in choices:
            if name and name not in self._devices:
                return name
        number = 2
        while (name := f"{wished[:56]}-{number}") in self._devices:
            number += 1
        return name


def _place(report: Report) -> str:
    """Where a device publishes. Where only the MAC tells devices apart, that: they share a topic."""
    return f"{report.family}/{report.alias or report.mac}"


def _wished(report: Report) -> str:
    """The announced name or the last level of the alias; else the MAC, else the system."""
    texts = (report.texts.get("name", ""), report.alias.rstrip("/").split("/")[-1], report.mac)
    return next((name for text in texts if (name := name_of(text))), report.system)
