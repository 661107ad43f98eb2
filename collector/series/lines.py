"""What devices said and what happened to them, as one list: log lines and events of any number of devices, filtered."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from telemetry.readings import Value

LEVELS = ("error", "warning", "info", "debug")
"""Worst first. Consoles print them as words or by their first letter."""

_LEVEL_OF = {level[0]: level for level in LEVELS} | {"f": "error", "c": "error", "v": "debug", "t": "debug"}


@dataclass(frozen=True, slots=True)
class LineRow:
    """A log line or an event. `level` is one of LEVELS, `event`, or empty where the line told none; `module` is an
    event's type."""

    time_ms: int
    device: str
    boot: int
    level: str
    module: str
    text: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked for: from start to end (wall ms), of one device or (None) of all, lines that hold every word of
    `text` and are at least as bad as `level`, and events, which have no level."""

    start_ms: int
    end_ms: int
    device: str | None = None
    level: str = ""
    text: str = ""
    limit: int = 500


def lines(db: sqlite3.Connection, asked: Asked) -> list[LineRow]:
    """The newest lines and events that were asked for, oldest first."""
    words = asked.text.lower().split()
    letters = _letters(asked.level)
    query: dict[str, Any] = {"start": asked.start_ms, "end": asked.end_ms, "limit": asked.limit}
    query |= {f"word{i}": word for i, word in enumerate(words)} | {f"letter{i}": one for i, one in enumerate(letters)}
    query |= {"device": asked.device} if asked.device is not None else {}
    one = "AND device = :device" if asked.device is not None else ""  # apart, so that SQLite finds it by its index
    statement = _LINES.format(
        one=one,
        log_words="".join(f" AND instr({_LOG_TEXT}, :word{i})" for i in range(len(words))),
        event_words="".join(f" AND instr({_EVENT_TEXT}, :word{i})" for i in range(len(words))),
        level=f"AND {_LETTER} IN ({', '.join(f':letter{i}' for i in range(len(letters)))})" if letters else "",
    )
    return [_row(*row) for row in reversed(db.execute(statement, query).fetchall())]


def lines_around(
    db: sqlite3.Connection, moments: Sequence[tuple[str, int]], reach_ms: int, asked: Asked
) -> list[LineRow]:
    """Lines of each device from `reach_ms` before its moment (wall ms) to as long after, in the order of time.

    Of `asked` counts all but the times and the device; `limit` is shared by the devices, some for each.
    """
    share = max(1, asked.limit // max(1, len(moments)))
    found: list[LineRow] = []
    for device, at_ms in moments:
        found += lines(
            db, replace(asked, device=device, start_ms=at_ms - reach_ms, end_ms=at_ms + reach_ms, limit=share)
        )
    return sorted(found, key=lambda line: line.time_ms)


def level_of(printed: str) -> str:
    """A level as printed (E, W, "warn", "error") as one of LEVELS; empty where it is none."""
    return _LEVEL_OF.get(printed[:1].lower(), "")


def _letters(level: str) -> list[str]:
    """First letters of levels at least as bad as this one."""
    if level not in LEVELS:
        return []
    bad = LEVELS[: LEVELS.index(level) + 1]
    return [letter for letter, of in _LEVEL_OF.items() if of in bad]


def _row(time_ms: int, device: str, boot: int, kind: str, names: str, body: str) -> LineRow:
    values: dict[str, Any] = msgspec.json.decode(body)
    if kind == "event":
        return LineRow(time_ms, device, boot, "event", msgspec.json.decode(names)[0], values_text(values))
    return LineRow(
        time_ms, device, boot, level_of(values.get("level", "")), values.get("module", ""), values.get("text", "")
    )


def values_text(values: Mapping[str, Value]) -> str:
    """The values of an event as people read them."""
    return ", ".join(f"{name} {value}" for name, value in values.items())


_LETTER = "lower(substr(coalesce(json_extract(body, '$.level'), ''), 1, 1))"
_LOG_TEXT = (
    "lower(device || ' ' || coalesce(json_extract(body, '$.module'), '') || ' '"
    " || coalesce(json_extract(body, '$.text'), ''))"
)
_EVENT_TEXT = "lower(device || ' event ' || names || ' ' || body)"

_LINES = """
SELECT * FROM (
    SELECT t, device, boot, kind, names, body FROM series JOIN log ON log.series = series.id
    WHERE kind = 'log' {one} AND t BETWEEN :start AND :end {log_words} {level} ORDER BY t DESC LIMIT :limit
) UNION ALL SELECT * FROM (
    SELECT t, device, boot, kind, names, body FROM series JOIN event ON event.series = series.id
    WHERE kind = 'event' {one} AND t BETWEEN :start AND :end {event_words} ORDER BY t DESC LIMIT :limit
) ORDER BY t DESC LIMIT :limit
"""
