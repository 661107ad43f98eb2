"""The reading side of `series.db`: functions over a read-only connection. A few queries each, none per device."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from collector.records import RETIRED
from collector.series.points import points
from collector.series.restarts import SINCE_TOLD, before
from collector.series.rows import AlertRow, DeviceRow, EventRow, LogRow, SeriesRow
from telemetry.errors import EnvironmentFault
from telemetry.files import open_read_only
from telemetry.readings import FLAGS, SILENT_AFTER

__all__ = [
    "alerts",
    "counters",
    "device",
    "devices",
    "events",
    "flag_names",
    "logs",
    "open_reader",
    "points",
    "series_of",
    "silences",
]

SILENT_AFTER_MS = 300_000

_json = msgspec.json.decode


def open_reader(path: Path) -> sqlite3.Connection:
    """The file, to read only; EnvironmentFault while the series process has not made it yet.

    Not bound to a thread, but for one thread at a time.
    """
    try:
        db = open_read_only(path, 10, one_thread=False)
        db.execute("SELECT 1 FROM devices LIMIT 1")
    except sqlite3.OperationalError as error:
        raise EnvironmentFault(f"{path}: {error}", retry=True) from None
    return db


def devices(db: sqlite3.Connection, now_ms: int, silent_after_ms: int = SILENT_AFTER_MS) -> list[DeviceRow]:
    """Every device that was ever seen or listed and is not retired, by name; agents are no devices.

    `now_ms` is wall time; a device unheard for longer is silent, if it does not allow itself more.
    """
    rows = _device_rows(db, now_ms, silent_after_ms, None)
    return [row for row in rows if not row.texts or RETIRED not in row.texts]


def device(db: sqlite3.Connection, name: str, now_ms: int, silent_after_ms: int = SILENT_AFTER_MS) -> DeviceRow | None:
    """One device, None when it was never seen."""
    found = _device_rows(db, now_ms, silent_after_ms, name)
    return found[0] if found else None


class _Alerts(NamedTuple):
    """Open alerts of a device: how many, and the severities ("silent" for silence) that still want somebody."""

    number: int
    severities: frozenset[str]


def _device_rows(db: sqlite3.Connection, now_ms: int, silent_after_ms: int, only: str | None) -> list[DeviceRow]:
    one = "" if only is None else "AND device = :device"  # apart, so that SQLite looks one device up by its index
    fills = {
        name: (used, capacity, " ".join([kind, *_json(names)]))
        for name, used, capacity, kind, names, _ in db.execute(_FULLEST.format(one=one), {"device": only})
    }
    alerts = {
        name: _Alerts(number, frozenset(wanting.split(",")) if wanting else frozenset())
        for name, number, wanting in db.execute(_OPEN_ALERTS.format(one=one), {"device": only, "now": now_ms})
    }
    rows = []
    for name, agent, boot, uptime, first_seen, last_seen, texts, limits in db.execute(
        _DEVICES.format(one=one), {"device": only}
    ):
        about: dict[str, str] = _json(texts) if texts else {}
        limits_of: dict[str, int] = _json(limits) if limits else {}
        allowed_ms = max(silent_after_ms, 1000 * limits_of.get(SILENT_AFTER, 0))
        used, limit, used_of = fills.get(name, (None, None, ""))
        open_ones = alerts.get(name, _Alerts(0, frozenset()))
        state = _state(open_ones, silent=now_ms - last_seen > allowed_ms)
        rows.append(
            DeviceRow(
                device=name,
                platform=about.get("platform", "other"),
                board=about.get("board", ""),
                firmware=about.get("firmware", ""),
                os=about.get("os", ""),
                agent=agent,
                state=state,
                used=used,
                limit=limit,
                used_of=used_of,
                alerts=open_ones.number,
                first_seen_ms=first_seen,
                last_seen_ms=last_seen,
                boot=boot,
                uptime_ms=uptime,
                texts=about,
                limits=limits_of,
                note="retired" if RETIRED in about else "muted" if state == "ok" and open_ones.number else "",
            )
        )
    return rows


def _state(open_ones: _Alerts, *, silent: bool) -> str:
    for severity in ("critical", "warning"):
        if severity in open_ones.severities:
            return severity
    return "silent" if silent or "silent" in open_ones.severities else "ok"


# A device that was listed and never spoke has no time of its own (last_t 0): it was never seen.
_DEVICES = """
SELECT device, agent, devices.boot, uptime, first_seen, CASE WHEN last_t > 0 THEN last_seen ELSE 0 END, texts, limits
FROM devices LEFT JOIN abouts USING(device)
WHERE NOT (EXISTS (SELECT 1 FROM series WHERE series.device = devices.device AND kind = 'agent')
           AND NOT EXISTS (SELECT 1 FROM series WHERE series.device = devices.device AND kind != 'agent'))
  {one} ORDER BY device
"""

# SQLite takes the other columns from the row that holds the max(). CROSS: in the order of series, already by device.
# A stack keeps the level of its deepest call: it speaks for a device only where no heap or process does.
_FULLEST = """
SELECT device, used, capacity, kind, names, max(CAST(used AS REAL) / capacity - 1000 * (kind = 'stack'))
FROM series CROSS JOIN last ON last.series = series.id
WHERE capacity > 0 {one} GROUP BY device
"""

# A warning of nothing but silence is told by the state "silent".
_OPEN_ALERTS = """
SELECT device, count(*), group_concat(DISTINCT CASE
    WHEN acknowledged_ms != 0 OR silenced > :now THEN NULL
    WHEN severity = 'warning' AND json_extract(numbers, '$.silent_s') IS NOT NULL THEN 'silent'
    ELSE severity END)
FROM alerts WHERE status = 'firing' {one} GROUP BY device
"""


def series_of(db: sqlite3.Connection, device: str) -> list[SeriesRow]:
    """The things of a device that have values, by kind and name."""
    found = db.execute(
        "SELECT id, kind, names, t, boot, uptime, flags, body, used, capacity FROM series "
        "JOIN last ON last.series = series.id WHERE device = ? ORDER BY kind, names",
        (device,),
    )
    return [
        SeriesRow(id_, kind, tuple(_json(names)), t, boot, uptime, flag_names(flags), _json(body), used, capacity)
        for id_, kind, names, t, boot, uptime, flags, body, used, capacity in found
    ]


def alerts(
    db: sqlite3.Connection, active_only: bool = True, device: str | None = None, limit: int = 1000
) -> list[AlertRow]:
    """Alerts, the worst of the firing first, then the newest; `active_only` leaves out what is resolved."""
    status = "firing" if active_only else None
    found = db.execute(_ALERTS, {"status": status, "device": device, "limit": limit})
    names = [column[0] for column in found.description]
    return [_alert(dict(zip(names, row, strict=True))) for row in found]


_ALERTS = f"""
SELECT key, episode, status, rule, severity, device, platform, firmware, kind, names, since_ms, at_ms, reason, numbers,
       acknowledged_ms, acknowledged_by, silenced AS silenced_until_ms,
       {SINCE_TOLD} AS restarts
FROM alerts LEFT JOIN devices USING(device)
WHERE (:status IS NULL OR status = :status) AND (:device IS NULL OR device = :device)
ORDER BY status, CASE severity WHEN 'critical' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END, at_ms DESC LIMIT :limit
"""  # noqa: S608 - a column of ours


def _alert(row: dict[str, Any]) -> AlertRow:
    row["names"], row["numbers"] = tuple(_json(row["names"])), _json(row["numbers"])
    row["reason"] = before(row["restarts"]) + row["reason"]
    return AlertRow(**row)


def silences(db: sqlite3.Connection, now_ms: int) -> list[tuple[str, int, str]]:
    """Silences in force: pattern, until when (wall ms), by whom."""
    return db.execute(
        "SELECT pattern, until_ms, by FROM silences WHERE until_ms > ? ORDER BY pattern", (now_ms,)
    ).fetchall()


def logs(db: sqlite3.Connection, device: str, start_ms: int, end_ms: int, limit: int = 1000) -> list[LogRow]:
    """What a device logged from start to end, the newest `limit` lines, oldest first."""
    return [
        LogRow(t, boot, uptime, body.get("level", ""), body.get("module", ""), body.get("text", ""))
        for t, boot, uptime, _, body in _bodies(db, "log", device, (start_ms, end_ms), limit)
    ]


def events(db: sqlite3.Connection, device: str, start_ms: int, end_ms: int, limit: int = 1000) -> list[EventRow]:
    """What happened on a device from start to end, the newest `limit` events, oldest first."""
    return [
        EventRow(t, boot, uptime, names[0], body)
        for t, boot, uptime, names, body in _bodies(db, "event", device, (start_ms, end_ms), limit)
    ]


def _bodies(
    db: sqlite3.Connection, kind: str, device: str, span_ms: tuple[int, int], limit: int
) -> list[tuple[int, int, int | None, list[str], dict[str, Any]]]:
    found = db.execute(
        f"SELECT t, boot, uptime, names, body FROM series JOIN {kind} ON {kind}.series = series.id "  # noqa: S608 - a name of ours
        "WHERE device = ? AND kind = ? AND t BETWEEN ? AND ? ORDER BY t DESC LIMIT ?",
        (device, kind, *span_ms, limit),
    ).fetchall()
    return [(t, boot, uptime, _json(names), _json(body)) for t, boot, uptime, names, body in reversed(found)]


def counters(db: sqlite3.Connection) -> dict[str, int]:
    """Everything the series process counted."""
    return dict(db.execute("SELECT name, value FROM counters"))


def flag_names(bits: int) -> tuple[str, ...]:
    """The flags that these bits stand for."""
    return tuple(name for bit, name in enumerate(FLAGS) if bits >> bit & 1)
