"""The network between a device and its agent: holds back what is read while a device is offline, and repeats."""

from __future__ import annotations

from emulators.chance import Chance
from emulators.config import Network
from telemetry.readings import About, Reading

HELD_MOST = 10_000
"""What a device keeps of its reports while it is offline; the oldest go first."""


class Link:
    """One device's connection. `lost` counts what was given up while it was offline for too long."""

    __slots__ = ("_chance", "_held", "_network", "_until_ms", "lost")

    def __init__(self, network: Network, chance: Chance) -> None:
        self._network = network
        self._chance = chance
        self._held: list[About | Reading] = []
        self._until_ms = 0
        self.lost = 0

    def carry(self, report: list[About | Reading], now_ms: int) -> list[About | Reading]:
        """What arrives now, of this report and of those held back while the device was offline."""
        network = self._network
        if network.duplicate_percent and self._chance.below(100) < network.duplicate_percent:
            report = report + report
        if not network.offline_percent:
            return report
        if now_ms >= self._until_ms:
            offline = self._chance.below(100) < network.offline_percent
            self._until_ms = now_ms + network.offline_ms if offline else 0
        self._held += report
        if now_ms < self._until_ms:
            excess = len(self._held) - HELD_MOST
            if excess > 0:
                del self._held[:excess]
                self.lost += excess
            return []
        arrived, self._held = self._held, []
        return arrived
