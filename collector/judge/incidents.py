"""Incidents: alerts of the same fault, on however many devices, are one thing that people hear of once. Pure.

    fault = rule | platform | firmware | kind | names           the same verdict on the same firmware
          | rule | agent                                        silence: whoever brings the readings
    key   = fault @ time of its first alert                     the same whenever the same journal is judged

An alert joins the open incident of its fault. A silence does so only while the others fall silent too: a device that
is lost weeks later is another matter. An incident is over when nothing of it has fired for `settle_ms`, or for as long
as one of its alerts may come back. A fault that came back within half a week of its last incident may do so again: the
next waits for twice that pause, so that teeth that touch a limit each two hours are two incidents and not twelve a day.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from collector.judge.reasons import span
from collector.records import Finding, Incident

_SEVERITIES = ("info", "warning", "critical")
_SOON_MS, _SELDOM_MS = 600_000, 302_400_000
"""Pauses after which a fault is said to have come back. Whoever has shorter ones settled wants to hear of each."""

_REGRADED = "It goes on as {}, as its rule says now."


class Member(NamedTuple):
    """One thing of an incident: what the judge last said when it fired and, where it does no more, when it ended.

    `settle_ms`: for how long it ever might have come back.
    """

    finding: Finding
    firing: bool
    ended: str = ""
    settle_ms: int = 0


@dataclass(slots=True)
class Open:
    """An incident that is not over. `joined_ms`: tick of the newest member; `calm_ms`: tick since which nothing fires,
    0 while something does. `members` are by key of finding, in the order in which they joined; `firing` of them do,
    and one may come back for `settle_ms` after its end."""

    key: str
    fault: str
    since_ms: int
    joined_ms: int
    calm_ms: int = 0
    members: dict[str, Member] = field(default_factory=dict)
    firing: int = 0
    settle_ms: int = 0

    def put(self, member: Member) -> None:
        """Take in a member, or how it stands now."""
        key = member.finding.key
        self.firing += member.firing - (key in self.members and self.members[key].firing)
        self.members[key] = member
        self.settle_ms = max(self.settle_ms, member.settle_ms)


class Incidents:
    """All open incidents, and since when (tick) faults are calm whose incidents are over, for half a week: `calm`.

    `changed` are the keys of members (incident, finding) that differ from what is on disk, and `closed` the incidents
    to be forgotten there."""

    def __init__(self, settle_ms: int) -> None:
        self._settle_ms = settle_ms
        self.open: dict[str, Open] = {}
        self.calm: dict[str, int] = {}
        self.changed: set[tuple[str, str]] = set()
        self.closed: set[str] = set()
        self._of_fault: dict[str, str] = {}
        self._of_member: dict[str, str] = {}

    def take(self, findings: Iterable[Finding], tick_ms: int) -> tuple[list[Finding], list[Incident]]:
        """The findings of a tick with their incidents named, and how the incidents stand that they changed."""
        news: dict[str, None] = {}
        named = []
        for finding in findings:
            key = self._join(finding, tick_ms) if finding.status == "firing" else self._leave(finding, tick_ms)
            if key:  # it ends as what it began as, though its rule has changed or is gone
                news[key] = None
                severity = self.open[key].members[finding.key].finding.severity
                finding = msgspec.structs.replace(finding, incident=key, severity=severity)
            named.append(finding)
        told = [incident_of(self.open[key], "firing", tick_ms) for key in news]
        return named, told + self._close(tick_ms)

    def regrade(self, severities: Mapping[str, str], tick_ms: int) -> tuple[list[Finding], list[Incident]]:
        """The severities of rules, by name, are these now: what fires as another ends as that, and fires as this."""
        found, news = list[Finding](), dict[str, None]()
        for key, incident in self.open.items():
            for name, member in incident.members.items():
                was = member.finding
                severity = severities.get(was.rule, was.severity)
                if severity == was.severity:
                    continue
                now = msgspec.structs.replace(was, severity=severity)
                incident.members[name] = member._replace(finding=now)
                self.changed.add((key, name))
                news[key] = None
                if member.firing:
                    said = {"incident": key, "at_ms": tick_ms}
                    ended = _REGRADED.format(severity)
                    found.append(msgspec.structs.replace(was, status="resolved", reason=ended, **said))
                    found.append(msgspec.structs.replace(now, **said))
        return found, [incident_of(self.open[key], "firing", tick_ms) for key in news]

    def restore(self, incident: Open) -> None:
        """Put back an incident that the state on disk holds."""
        self.open[incident.key] = incident
        newest = self.open.get(self._of_fault.get(incident.fault, ""))
        if newest is None or newest.joined_ms <= incident.joined_ms:
            self._of_fault[incident.fault] = incident.key
        for key, member in incident.members.items():
            if member.firing:
                self._of_member[key] = incident.key

    def _join(self, finding: Finding, tick_ms: int) -> str:
        fault = fault_of(finding)
        incident = self.open.get(self._of_fault.get(fault, ""))
        if incident is None or (finding.agent and tick_ms - incident.joined_ms > self._settle_ms):
            incident = Open(f"{fault}@{finding.since_ms}", fault, finding.since_ms, tick_ms)
            incident = self.open.setdefault(incident.key, incident)
            self._of_fault[fault] = incident.key
        incident.joined_ms, incident.calm_ms = tick_ms, 0
        before = incident.members.get(finding.key)
        settle_ms = before.settle_ms if before else 0
        if not incident.members and not finding.agent:  # who falls silent next may be another device behind that agent
            settle_ms = self._again_within_ms(fault, tick_ms)
        incident.put(Member(finding, True, settle_ms=settle_ms))
        self._of_member[finding.key] = incident.key
        self.changed.add((incident.key, finding.key))
        return incident.key

    def _again_within_ms(self, fault: str, tick_ms: int) -> int:
        """For how long a fault may be back once more, which was calm until now; 0 for one that has not come back."""
        pause_ms = tick_ms - self.calm.get(fault, 0)
        return 2 * pause_ms if _SOON_MS <= pause_ms <= _SELDOM_MS else 0

    def _leave(self, finding: Finding, tick_ms: int) -> str:
        key = self._of_member.pop(finding.key, "")
        incident = self.open.get(key)
        if incident is None:
            return ""
        member = incident.members[finding.key]
        settle_ms = max(member.settle_ms, finding.settle_ms)
        incident.put(Member(member.finding, False, finding.reason, settle_ms))
        if not incident.firing:
            incident.calm_ms = tick_ms
        self.changed.add((key, finding.key))
        return key

    def _close(self, tick_ms: int) -> list[Incident]:
        calm = [one for one in self.open.values() if one.calm_ms]
        over = [one for one in calm if tick_ms - one.calm_ms >= max(self._settle_ms, one.settle_ms)]
        over.sort(key=lambda incident: incident.key)
        for incident in over:
            del self.open[incident.key]
            if self._of_fault.get(incident.fault) == incident.key:
                del self._of_fault[incident.fault]
            self.closed.add(incident.key)
            self.calm[incident.fault] = incident.calm_ms
        if over:
            self.calm = {fault: calm_ms for fault, calm_ms in self.calm.items() if tick_ms - calm_ms <= _SELDOM_MS}
        return [self._over(incident, tick_ms) for incident in over]

    def _over(self, incident: Open, tick_ms: int) -> Incident:
        found = incident_of(incident, "resolved", incident.calm_ms)
        if incident.settle_ms <= self._settle_ms:
            return found
        calm = f"It has not come back for {span((tick_ms - incident.calm_ms) / 1000)}."
        return msgspec.structs.replace(found, ended=f"{found.ended} {calm}")


def fault_of(finding: Finding) -> str:
    """What is wrong, whichever device it is wrong on."""
    if finding.agent:
        return f"{finding.rule}|{finding.agent}"
    rule = finding.rule if finding.state == "breach" else f"{finding.rule}:{finding.state}"
    return "|".join((rule, finding.platform, finding.firmware, finding.kind, *finding.names))


def incident_of(incident: Open, status: str, at_ms: int) -> Incident:
    """How it stands: its worst member speaks for it, among those that fire where any does."""
    firing = [member.finding for member in incident.members.values() if member.firing]
    everyone = [member.finding for member in incident.members.values()]
    worst = min(firing or everyone, key=_urgency)
    ended = "" if firing else incident.members[worst.key].ended
    return Incident(
        incident.key, status, worst.rule, _worst_severity(everyone), incident.since_ms, at_ms,
        len({finding.device for finding in everyone}), incident.firing, everyone[0].device, worst.device, worst.reason,
        worst.kind, worst.names, worst.platform, worst.firmware, worst.numbers, ended,
    )  # fmt: skip


def _urgency(finding: Finding) -> tuple[int, float, float, float, int]:
    """Least for the worst: by severity, by hours left, by how full it is, by the bytes left, then who was first."""
    told = finding.numbers
    hours_left, bytes_left = told.get("leak_hours_left", math.inf), _bytes_left(told)
    return -_SEVERITIES.index(finding.severity), hours_left, -_fill(told), bytes_left, finding.since_ms


def _fill(told: Mapping[str, float]) -> float:
    """How full it is by what its alert reports, 0 where that does not say."""
    limit, bytes_left = told.get("limit", told.get("size", 0.0)), _bytes_left(told)
    if "fill" in told or not limit:
        return told.get("fill", 0.0)
    return told.get("used", 0.0) / limit if math.isinf(bytes_left) else 1 - bytes_left / limit


def _bytes_left(told: Mapping[str, float]) -> float:
    return told.get("min_free", told.get("free", math.inf))


def _worst_severity(findings: Sequence[Finding]) -> str:
    return max((finding.severity for finding in findings), key=_SEVERITIES.index)
