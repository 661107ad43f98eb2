"""Which channels are told of an incident. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from collector.config import Route
from collector.patterns import carries
from collector.records import Finding

SEVERITIES = ("info", "warning", "critical")


def wants(route: Route | None, severity: str, findings: Iterable[Finding]) -> bool:
    """Whether a route (None: the one for everything) leads an incident of that severity, with these alerts, on."""
    if route is None:
        return True
    return SEVERITIES.index(severity) >= SEVERITIES.index(route.severity) and any(
        _matches(route, finding) for finding in findings
    )


def _matches(route: Route, finding: Finding) -> bool:
    return (
        fnmatchcase(finding.rule, route.rule)
        and fnmatchcase(finding.platform, route.platform)
        and fnmatchcase(finding.firmware, route.firmware)
        and fnmatchcase(finding.device, route.device)
        and all(carries(finding.labels, label) for label in route.labels)
    )
