"""What people read: one message on all incidents that there is news of. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from collector.judge.columns import FORECAST_COLUMNS, form_of
from collector.judge.reasons import span, written
from collector.notify.ledger import Known
from collector.notify.routes import SEVERITIES
from collector.records import Finding, Incident, whole_story
from telemetry.clock import stamp

_LISTED = 10
_NAMED_DEVICES = 5
_FRESH_MS = 60_000
_UNITS = ("hours", "minutes", "s")
_PREFIXES = {"began": "", "over": "resolved: ", "worse": "worse: ", "grown": "grown: ", "still": "still: "}


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `key` is the same however often it is sent: receivers may use it to tell repeats."""

    key: str
    title: str
    body: str
    level: str
    rule: str
    made_ms: int
    picture: bytes = b""


@dataclass(frozen=True, slots=True)
class Notice:
    """News of one incident: what people knew, its alerts, the last log lines of its worst device, a chart (PNG)."""

    known: Known
    members: Sequence[Finding]
    log_lines: Sequence[str] = ()
    chart: bytes = b""


_UNJUDGED = {"no_data": "no data for ", "error": "cannot judge "}


def compose(notices: Sequence[Notice], fleet: str, page: str, made_ms: int) -> Message:
    """One message on all of these: the most severe first, what is over last. Title, level and chart are the first's."""
    notices = sorted(notices, key=_rank)
    first = notices[0].known.incident
    told = sorted(f"{n.known.incident.key}:{n.known.news}:{n.known.tells}" for n in notices)
    key = hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]
    title = _headline(notices[0])
    if len(notices) > 1:
        title = f"{len(notices)} incidents: {title}, ..."
    blocks = [_block(notice, page, made_ms) for notice in notices[:_LISTED]]
    if len(notices) > _LISTED:
        blocks.append(f"... and {len(notices) - _LISTED} more incidents")
    blocks += [f"written {stamp(made_ms)}", f"[{key}]"]  # it may be read much later, from a receiver that was down
    level = "resolved" if notices[0].known.news == "over" else first.severity
    return Message(key, f"{title} ({fleet})", "\n".join(blocks), level, first.rule, made_ms, notices[0].chart)


def _rank(notice: Notice) -> tuple[bool, int]:
    return notice.known.news == "over", -SEVERITIES.index(notice.known.incident.severity)


def _headline(notice: Notice) -> str:
    incident, news = notice.known.incident, notice.known.news
    who = incident.first if incident.devices == 1 else f"{incident.devices} devices"
    lasted = f", after {span((incident.at_ms - incident.since_ms) / 1000)}" if news == "over" else ""
    state = incident.key.partition("|")[0].partition(":")[2]
    return f"{_PREFIXES[news]}{_UNJUDGED.get(state, '')}{incident.rule.replace('-', ' ')} on {who}{lasted}"


def _block(notice: Notice, page: str, made_ms: int) -> str:
    incident, news = notice.known.incident, notice.known.news
    lines = [f"{_PREFIXES[news]}{_subject(notice)}: {_story(notice, made_ms)}"]
    if incident.devices > 1:
        lines.append(_devices(notice))
    if news == "grown":
        lines.append(f"It was {notice.known.told_devices} when last told.")
    if news not in ("over", "still") and (numbers := _numbers(incident)):
        lines.append(f"numbers: {numbers}")
    lines += [f"  {line}" for line in notice.log_lines]
    if page:
        lines.append(f"{page}/incident?key={quote(incident.key, safe='')}")
    return "\n".join(lines)


def _story(notice: Notice, made_ms: int) -> str:
    """What is said of it. To people who know of it also since when it is open, and how old the words are: their numbers
    are those of the alert."""
    incident = notice.known.incident
    story = whole_story(incident.reason, incident.ended)
    if notice.known.news in ("began", "over"):
        return story
    worst = (one.at_ms for one in notice.members if (one.device, one.reason) == (incident.worst, incident.reason))
    age_ms = made_ms - next(worst, incident.at_ms)
    said = f"Said {span(age_ms / 1000)} ago: " if age_ms >= _FRESH_MS else ""
    return f"Open for {span((made_ms - incident.since_ms) / 1000)}. {said}{story}"


def _numbers(incident: Incident) -> str:
    """The numbers that the reason does not hold itself, as `leak left 14 s`; "" where it holds all of them."""
    said = ((_spoken(name), written(number, form_of(name))) for name, number in incident.numbers.items())
    return ", ".join(f"{name} {number}" for name, number in said if name and not _holds(incident.reason, number))


def _spoken(name: str) -> str:
    """A column as people say it, without the unit that its number is not written in; "" for the ends of a forecast."""
    if name in FORECAST_COLUMNS[1:]:
        return ""
    return " ".join(word for word in name.split("_") if word not in _UNITS)


def _holds(reason: str, number: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(number)}(?!\w)", reason) is not None


def _subject(notice: Notice) -> str:
    incident = notice.known.incident
    named = f" {' / '.join(incident.names)}" if incident.names else ""
    firmware = f" (firmware {incident.firmware})" if incident.firmware else ""
    return f"{incident.worst}{named}{firmware}"


def _devices(notice: Notice) -> str:
    names = list(dict.fromkeys(finding.device for finding in notice.members))
    more = f" and {len(names) - _NAMED_DEVICES} more" if len(names) > _NAMED_DEVICES else ""
    first = notice.known.incident.first
    return f"devices: {', '.join(names[:_NAMED_DEVICES])}{more}; first {first}, {notice.known.incident.devices} in all"
