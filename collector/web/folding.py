"""Incidents of several collectors as one list: a fault that devices of several shards share is one incident. Pure.

Each collector judges its own shards, so each calls the fault by the same name with the time of its own first alert.
What has the same name and overlaps in time is folded together: its devices are added up, since no device is in two
shards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from collector.records import whole_story

SEVERITIES = ("critical", "warning", "info")

Incident = Mapping[str, Any]
"""An incident as the API gives it."""


@dataclass(frozen=True, slots=True)
class Part:
    """One collector's share of a fault. `peer` is its address, empty for this one."""

    peer: str
    incident: Incident


@dataclass(frozen=True, slots=True)
class Folded:
    """A fault over all collectors. `worst` is the part of the device that is worst off, in whose words it is told;
    `acknowledged` when every open part is, `silenced_until_ms` (0: not) until when every open part is."""

    parts: tuple[Part, ...]
    worst: Part
    status: str
    severity: str
    since_ms: int
    at_ms: int
    devices: int
    firing: int
    first: Part
    acknowledged: bool
    acknowledged_by: str
    silenced_until_ms: int

    @property
    def key(self) -> str:
        """What it is asked for by: the key of its earliest part."""
        return str(self.first.incident["key"])


def fold(parts: Iterable[Part]) -> list[Folded]:
    """Parts of the same fault at the same time together, the worst open ones first, then the newest."""
    by_fault: dict[str, list[list[Part]]] = {}
    for part in sorted(parts, key=lambda part: (part.incident["since_ms"], part.peer, part.incident["key"])):
        groups = by_fault.setdefault(fault_of(part.incident["key"]), [])
        if groups and _belongs(part, groups[-1]):
            groups[-1].append(part)
        else:
            groups.append([part])
    return sorted((_folded(group) for groups in by_fault.values() for group in groups), key=_rank)


def fault_of(key: str) -> str:
    """What is wrong, without when it began."""
    return key.rpartition("@")[0]


def _belongs(part: Part, group: Sequence[Part]) -> bool:
    """Whether it began before the others were over, on another collector: one collector's own are apart for good."""
    ends = max(float("inf") if _is_open(one) else one.incident["at_ms"] for one in group)
    return bool(part.incident["since_ms"] <= ends) and part.peer not in {one.peer for one in group}


def _is_open(part: Part) -> bool:
    return bool(part.incident["status"] == "firing")


def _folded(group: Sequence[Part]) -> Folded:
    open_ones = [part for part in group if _is_open(part)]
    spoken = open_ones or group
    worst = min(spoken, key=_badness)
    return Folded(
        parts=tuple(group),
        worst=worst,
        status="firing" if open_ones else "resolved",
        severity=worst.incident["severity"],
        since_ms=group[0].incident["since_ms"],
        at_ms=max(part.incident["at_ms"] for part in group),
        devices=sum(part.incident["devices"] for part in group),
        firing=sum(part.incident["firing"] for part in group),
        first=group[0],
        acknowledged=all(part.incident["acknowledged_ms"] for part in spoken),
        acknowledged_by=next((by for part in spoken if (by := part.incident["acknowledged_by"])), ""),
        silenced_until_ms=min(part.incident["silenced_until_ms"] for part in spoken),
    )


def _badness(part: Part) -> tuple[int, float]:
    left = hours_left(part.incident["numbers"])
    return _severity(part.incident["severity"]), float("inf") if left is None else left


def hours_left(numbers: Mapping[str, float]) -> float | None:
    """When memory ends, as the rule forecasts it; None when it does not."""
    return next((value for name, value in numbers.items() if name.endswith("hours_left")), None)


def story_of(incident: Incident) -> str:
    """What is said of it; a peer of another version may not say how it ended."""
    return whole_story(str(incident["reason"]), str(incident.get("ended", "")))


def _severity(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def _rank(one: Folded) -> tuple[bool, int, int, str]:
    is_over = one.status != "firing"
    return is_over, _severity(one.severity), -(one.at_ms if is_over else one.since_ms), one.key
