"""What people read: one message for all that began or ended together by the same rule. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from collector.records import Finding

_LISTED = 10


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `key` is the same however often it is sent: receivers may use it to tell repeats."""

    key: str
    title: str
    body: str
    level: str
    rule: str
    made_ms: int


def compose(findings: Sequence[Finding], fleet: str, page: str, made_ms: int) -> Message:
    """One message on findings of one rule and one status; the worst severity counts."""
    first = findings[0]
    key = hashlib.sha256("\n".join(sorted(f"{f.episode}:{f.status}" for f in findings)).encode()).hexdigest()[:16]
    resolved = first.status == "resolved"
    devices = list(dict.fromkeys(finding.device for finding in findings))
    what = first.rule.replace("-", " ")
    who = devices[0] if len(devices) == 1 else f"{len(devices)} devices"
    title = f"{'resolved: ' if resolved else ''}{what} on {who} ({fleet})"
    lines = [_line(finding) for finding in findings[:_LISTED]]
    if len(findings) > _LISTED:
        lines.append(f"... and {len(findings) - _LISTED} more")
    if page:
        lines.append(f"{page}/device/{devices[0]}" if len(devices) == 1 else page)
    lines.append(f"[{key}]")
    return Message(key, title, "\n".join(lines), "resolved" if resolved else _worst(findings), first.rule, made_ms)


def _line(finding: Finding) -> str:
    named = f" {' / '.join(finding.names)}" if finding.names else ""
    firmware = f" (firmware {finding.firmware})" if finding.firmware else ""
    return f"{finding.device}{named}{firmware}: {finding.reason}"


def _worst(findings: Sequence[Finding]) -> str:
    order = ("info", "warning", "critical")
    return max((finding.severity for finding in findings), key=order.index)
