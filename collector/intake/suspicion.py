"""Suspicious devices are asked to tell more for a while: to sample faster, and to send their log lines. Pure.

The wish is desired state with an end, retained at the broker: an agent that comes later finds it, one that hears it
twice does nothing twice, and nobody has to take it back.
"""

from __future__ import annotations

from collections.abc import Mapping

from collector.records import Finding
from telemetry.messages import Command

SPAN_MS = 900_000
_MOST_DEVICES = 100
_SEVERITIES = ("warning", "critical")


class Suspicion:
    """Which devices are suspected until when. `take` findings; `commands` gives what changed for each agent.

    `every_s` is how often they shall be read.
    """

    def __init__(self, every_s: float = 10.0) -> None:
        self._every_s = every_s
        self._until_ms: dict[str, int] = {}
        self._changed: set[str] = set()

    def take(self, finding: Finding, now_ms: int) -> None:
        """An alert on a device that speaks makes it suspicious; a silent one cannot tell more."""
        fresh = now_ms - finding.at_ms < SPAN_MS
        if finding.status == "firing" and finding.severity in _SEVERITIES and not finding.agent and fresh:
            self._until_ms[finding.device] = now_ms + SPAN_MS
            self._changed.add(finding.device)

    def commands(self, owners: Mapping[str, str], now_ms: int) -> dict[str, Command]:
        """A command for each agent of which a device is newly suspected; it names all that are, at most a hundred."""
        self._until_ms = {device: until for device, until in self._until_ms.items() if until > now_ms}
        agents = {owners[device] for device in self._changed if device in owners}
        self._changed.clear()
        return {agent: self._command(agent, owners) for agent in sorted(agents)}

    def _command(self, agent: str, owners: Mapping[str, str]) -> Command:
        suspected = [device for device in self._until_ms if owners.get(device) == agent]
        newest = sorted(suspected, key=lambda device: -self._until_ms[device])[:_MOST_DEVICES]
        until_ms = max(self._until_ms[device] for device in newest)
        return Command(until_ms, interval_s=self._every_s, log_devices=sorted(newest))
