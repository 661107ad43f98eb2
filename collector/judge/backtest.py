"""What the judge would have said: recorded readings in, verdicts, alerts and incidents out. Pure but for the reading.

It is the very judge of a collector, driven by ticks of event time instead of a clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from collector.judge.batches import Batch
from collector.judge.engine import Judge
from collector.judge.explaining_device import Explained, explain_device
from collector.judge.incidents import Incidents
from collector.judge.rules import BREACH, Rule
from collector.records import Finding, Incident
from telemetry.readings import About

_SETTLE_MS = 600_000


class Shelf:
    """Descriptions of devices, in memory."""

    def __init__(self) -> None:
        self._abouts: dict[str, About] = {}

    def learn(self, about: About) -> None:
        """The newest boot's is kept."""
        known = self._abouts.get(about.device)
        if known is None or known.boot <= about.boot:
            self._abouts[about.device] = about

    def about(self, device: str) -> About:
        """The description, empty for a device that has not been described."""
        return self._abouts.get(device) or About(device, 0)


class Backtest:
    """One run over one recording."""

    def __init__(self, rules: Sequence[Rule], silent_after_s: float, step_ms: int, settle_ms: int = _SETTLE_MS) -> None:
        self._judge = Judge(rules, Shelf(), silent_after_s, step_ms=step_ms)
        self._incidents = Incidents(settle_ms)
        self._verdicts = {rule.name: rule.verdict for rule in rules}
        self._newest: dict[str, tuple[Incident, int]] = {}

    def run(self, recorded: Iterable[Batch]) -> Iterator[dict[str, Any]]:
        """Findings as they are made, each incident when it is over; at the end those that are still open."""
        for batch in recorded:
            findings, incidents = self._incidents.take(self._judge.batch(*batch), batch.tick_ms)
            for finding in findings:
                yield finding_line(
                    finding, batch.tick_ms, self._verdicts[finding.rule] if finding.state == BREACH else ""
                )
            for incident in incidents:
                detected_ms = self._newest.get(incident.key, (incident, batch.tick_ms))[1]
                self._newest[incident.key] = (incident, detected_ms)
                if incident.status == "resolved":
                    yield self._line(*self._newest.pop(incident.key))
        for incident, detected_ms in self._newest.values():
            yield self._line(incident, detected_ms)

    def explain(self, device: str) -> Iterator[Explained]:
        """How each series of the device looks now, and why."""
        return explain_device(self._judge, device)

    def _line(self, incident: Incident, detected_ms: int) -> dict[str, Any]:
        return incident_line(incident, detected_ms, self._verdicts[incident.rule])


def finding_line(finding: Finding, detected_ms: int, verdict: str) -> dict[str, Any]:
    """A finding as a backtest prints it; times in seconds since 1970. `verdict` is what its rule tells, if it does."""
    return {
        "type": "verdict" if verdict else "alert",
        "verdict": verdict,
        "status": finding.status,
        "rule": finding.rule,
        "severity": finding.severity,
        "device": finding.device,
        "kind": finding.kind,
        "name": _name(finding.names),
        "reason": finding.reason,
        "since": finding.since_ms / 1000,
        "detected_at": detected_ms / 1000,
        "numbers": finding.numbers,
        "suspect": finding.suspect,
        "incident": finding.incident,
    }


def incident_line(incident: Incident, detected_ms: int, verdict: str) -> dict[str, Any]:
    """An incident as a backtest prints it: `device` is the one that is worst off; `over_at` null while it is open."""
    over = incident.status == "resolved"
    return {
        "type": "incident",
        "verdict": verdict,
        "status": incident.status,
        "rule": incident.rule,
        "severity": incident.severity,
        "device": incident.worst,
        "kind": incident.kind,
        "name": _name(incident.names),
        "reason": incident.reason,
        "ended": incident.ended,
        "since": incident.since_ms / 1000,
        "detected_at": detected_ms / 1000,
        "over_at": incident.at_ms / 1000 if over else None,
        "numbers": {**incident.numbers, "devices": incident.devices, "firing": incident.firing},
        "incident": incident.key,
        "first": incident.first,
        "platform": incident.platform,
        "firmware": incident.firmware,
    }


def _name(names: Sequence[str]) -> str | list[str]:
    return "" if not names else names[0] if len(names) == 1 else list(names)
