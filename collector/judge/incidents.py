"""Incidents: alerts of the same fault, on however many devices, are one thing that people hear of once. Pure.

    fault = rule | platform | firmware | kind | names           the same verdict on the same firmware
          | rule | agent                                        silence: whoever brings the readings
    key   = fault @ time of its first alert                     the same whenever the same journal is judged

An alert joins the open incident of its fault. A silence does so only while the others fall silent too: a device that
is lost weeks later is another matter. An incident is over when nothing of it has fired for `settle_ms`, or for as long
as one of its alerts may come back. A fault that came back within half a week of its last incident may do so again: the
next waits for twice that pause, so that teeth that touch a limit each two hours are two incidents and not twelve a day.
So it is with a device that falls silent again within hours: its silence belongs to the incident that waits for it.
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
_OFTEN_MS = 21_600_000
"""The longest pause after which a device's silence is said to have come back: a rack that is switched off each night is
no fault that goes on, and a device of it that is lost one morning is to be told."""

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
    """All open incidents. `calm`: since when (tick) faults are calm whose incidents are over, and, by the key of its
    finding, each device that was silent; for half a week.

    What differs from the disk: `changed`, keys of members (incident, finding); `closed`, incidents to be forgotten
    there; `calmed`, keys of `calm`, which may be gone."""

    def __init__(self, settle_ms: int) -> None:
        self._settle_ms = settle_ms
        self.open: dict[str, Open] = {}
        self.calm: dict[str, int] = {}
        self.changed: set[tuple[str, str]] = set()
        self.closed: set[str] = set()
        self.calmed: set[str] = set()
        self._of_fault: dict[str, str] = {}
        self._of_member: dict[str, str] = {}
        """The incident in which each finding, by its key, fires or last fired."""

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
            other = self.open.get(self._of_member.get(key, ""))
            if other is None or other.members[key].finding.since_ms <= member.finding.since_ms:
                self._of_member[key] = incident.key

    def _join(self, finding: Finding, tick_ms: int) -> str:
        fault = fault_of(finding)
        known = self._silence_of(finding, fault, tick_ms) if finding.agent else self._newest_of(fault)
        if known is None:
            known = Open(f"{fault}@{finding.since_ms}", fault, finding.since_ms, tick_ms)
            known = self.open.setdefault(known.key, known)
        self._of_fault[fault] = known.key
        known.joined_ms, known.calm_ms = tick_ms, 0
        settle_ms = 0
        if finding.key in known.members:
            settle_ms = known.members[finding.key].settle_ms
        elif finding.agent:
            settle_ms = self._again_within_ms(finding.key, tick_ms, _OFTEN_MS)
        elif not known.members:
            settle_ms = self._again_within_ms(fault, tick_ms, _SELDOM_MS)
        known.put(Member(finding, True, settle_ms=settle_ms))
        self._of_member[finding.key] = known.key
        self.changed.add((known.key, finding.key))
        return known.key

    def _newest_of(self, fault: str) -> Open | None:
        return self.open.get(self._of_fault.get(fault, ""))

    def _silence_of(self, finding: Finding, fault: str, tick_ms: int) -> Open | None:
        """The incident that waits for just this device to fall silent again, or that of others which fall silent now.
        Who falls silent later may be another device behind that agent."""
        own, newest = self.open.get(self._of_member.get(finding.key, "")), self._newest_of(fault)
        if own is not None and own.fault == fault:
            waits_ms = max(self._settle_ms, own.members[finding.key].settle_ms)
            if tick_ms - self.calm.get(finding.key, 0) <= waits_ms:
                return own
        return newest if newest is not None and tick_ms - newest.joined_ms <= self._settle_ms else None

    def _again_within_ms(self, calm: str, tick_ms: int, seldom_ms: int) -> int:
        """For how long what was calm until now may be back once more; 0 for what has not come back."""
        pause_ms = tick_ms - self.calm.get(calm, 0)
        return 2 * pause_ms if _SOON_MS <= pause_ms <= seldom_ms else 0

    def _leave(self, finding: Finding, tick_ms: int) -> str:
        key = self._of_member.get(finding.key, "")
        incident = self.open.get(key)
        if incident is None or not incident.members[finding.key].firing:
            return ""
        member = incident.members[finding.key]
        if member.finding.agent:
            self._calm(finding.key, tick_ms)
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
            for key in incident.members:
                if self._of_member.get(key) == incident.key:
                    del self._of_member[key]
            self.closed.add(incident.key)
            self._calm(incident.fault, incident.calm_ms)
        if over:
            for old in [key for key, calm_ms in self.calm.items() if tick_ms - calm_ms > _SELDOM_MS]:
                del self.calm[old]
                self.calmed.add(old)
        return [self._over(incident, tick_ms) for incident in over]

    def _calm(self, key: str, since_ms: int) -> None:
        self.calm[key] = since_ms
        self.calmed.add(key)

    def _over(self, incident: Open, tick_ms: int) -> Incident:
        found = incident_of(incident, "resolved", incident.calm_ms)
        if incident.settle_ms <= self._settle_ms:
            return found
        calm = f"It has not happened again for {span((tick_ms - incident.calm_ms) / 1000)}."
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
