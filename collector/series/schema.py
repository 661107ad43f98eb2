"""The tables of `series.db`, made from the kinds of readings.

    series(id, device, kind, names)                 one row a thing; `names` as JSON
    <kind>(series, t, boot, uptime, flags, resolution, <fields...>)     every reading; `event` and `log`: fields in body
    <kind>_hourly(series, t, readings, last_t, boot, <field>_least, <field>_most, <field>_last ...)   old hours
    last(series, t, received, boot, uptime, flags, body, used, capacity)     newest values of each thing, as JSON
    devices, alerts, silences, acknowledgements     what the fleet table shows
    holes(device, from_ms, to_ms, cause, frames)    stretches without readings; `to_ms` NULL: not over yet
    incidents, incident_episodes                    how each incident stands, and the alerts that belong to it
    abouts, cursors, counters                       descriptions, how far we have read, what was counted

Times are wall ms; sizes bytes. One process writes the file, any number read it.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from collector.ownfile import open_own
from collector.series import holes
from telemetry.readings import KINDS, Kind

STEPS = ("ALTER TABLE alerts ADD COLUMN boot INTEGER NOT NULL DEFAULT 0;",)
"""What brings the fixed tables of an older file up; columns that kinds have gained are added without a step. To 2:
alerts know the boot in which they began."""
SCHEMA = len(STEPS) + 1
BASE = ("series", "t", "boot", "uptime", "flags", "resolution")
BODY_KINDS = ("event", "log")
"""Kinds whose fields vary or are text alone: they stand in one JSON column, `body`."""

COLUMN_KINDS = tuple(name for name in KINDS if name not in BODY_KINDS)

_FIXED = """
CREATE TABLE IF NOT EXISTS series(
    id INTEGER PRIMARY KEY, device TEXT NOT NULL, kind TEXT NOT NULL, names TEXT NOT NULL, UNIQUE(device, kind, names));
CREATE TABLE IF NOT EXISTS last(
    series INTEGER PRIMARY KEY, t INTEGER NOT NULL, received INTEGER NOT NULL, boot INTEGER NOT NULL, uptime INTEGER,
    flags INTEGER NOT NULL, body TEXT NOT NULL, used INTEGER, capacity INTEGER);
CREATE TABLE IF NOT EXISTS devices(
    device TEXT PRIMARY KEY, agent TEXT NOT NULL, boot INTEGER NOT NULL, uptime INTEGER, first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL, last_t INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alerts(
    episode TEXT PRIMARY KEY, key TEXT NOT NULL, status TEXT NOT NULL, rule TEXT NOT NULL, severity TEXT NOT NULL,
    device TEXT NOT NULL, platform TEXT NOT NULL, firmware TEXT NOT NULL, kind TEXT NOT NULL, names TEXT NOT NULL,
    since_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL, reason TEXT NOT NULL, numbers TEXT NOT NULL,
    acknowledged_ms INTEGER NOT NULL DEFAULT 0, acknowledged_by TEXT NOT NULL DEFAULT '',
    silenced INTEGER NOT NULL DEFAULT 0, boot INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS alerts_firing ON alerts(device) WHERE status = 'firing';
CREATE INDEX IF NOT EXISTS alerts_key ON alerts(key);
CREATE INDEX IF NOT EXISTS alerts_device ON alerts(device, at_ms);
CREATE INDEX IF NOT EXISTS alerts_at ON alerts(at_ms);
CREATE TABLE IF NOT EXISTS incidents(
    key TEXT PRIMARY KEY, status TEXT NOT NULL, severity TEXT NOT NULL, since_ms INTEGER NOT NULL,
    at_ms INTEGER NOT NULL, body TEXT NOT NULL, acknowledged_ms INTEGER NOT NULL DEFAULT 0,
    acknowledged_by TEXT NOT NULL DEFAULT '', silenced INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS incidents_at ON incidents(status, at_ms);
CREATE TABLE IF NOT EXISTS incident_episodes(
    episode TEXT PRIMARY KEY, incident TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS incident_episodes_of ON incident_episodes(incident);
CREATE TABLE IF NOT EXISTS silences(
    pattern TEXT PRIMARY KEY, until_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL, by TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS acknowledgements(
    key TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, by TEXT NOT NULL) WITHOUT ROWID;
"""


def fields(kind: Kind) -> tuple[str, ...]:
    """The columns of a kind's own fields; one that equals a base column (a device's uptime) shares it."""
    if kind.name in BODY_KINDS:
        return ("body",)
    return tuple(name for name in (*kind.numbers, *kind.texts) if name not in BASE)


def numbers(kind: Kind) -> tuple[str, ...]:
    """Those of a kind's fields that are numbers and have a column of their own."""
    return tuple(name for name in kind.numbers if name not in BASE)


def hourly(kind: str) -> str:
    """The name of the table of a kind's old hours."""
    return f"{kind}_hourly"


def tables() -> str:
    """The SQL that makes every table but `counters`."""
    return _FIXED + holes.TABLES + "".join(_kind_tables(kind) for kind in KINDS.values())


def _kind_tables(kind: Kind) -> str:
    base = (
        "series INTEGER NOT NULL, t INTEGER NOT NULL, boot INTEGER NOT NULL, uptime INTEGER, "
        "flags INTEGER NOT NULL, resolution INTEGER NOT NULL"
    )
    own = [f"{name} {'INTEGER' if name in kind.numbers else 'TEXT'}" for name in fields(kind)]
    made = _table(kind.name, base, own)
    if kind.name in BODY_KINDS:
        return made
    hours = "series INTEGER NOT NULL, t INTEGER NOT NULL, readings INTEGER NOT NULL, last_t INTEGER NOT NULL, "
    columns = [f"{name}_{which} INTEGER" for name in numbers(kind) for which in ("least", "most", "last")]
    return made + _table(hourly(kind.name), hours + "boot INTEGER NOT NULL", columns)


def _table(name: str, base: str, own: list[str]) -> str:
    columns = ", ".join([base, *own])
    return f"CREATE TABLE IF NOT EXISTS {name}({columns}, PRIMARY KEY(series, t)) WITHOUT ROWID;\n"


def _add_columns(db: sqlite3.Connection) -> None:
    """Columns of fields that a kind has gained since the file was made."""
    for kind in KINDS.values():
        held = {row[1] for row in db.execute(f"PRAGMA table_info({kind.name})")}
        for name in fields(kind):
            if name not in held:
                type_ = "INTEGER" if name in kind.numbers else "TEXT"
                db.execute(f"ALTER TABLE {kind.name} ADD COLUMN {name} {type_}")
        if kind.name not in BODY_KINDS:
            _add_hourly_columns(db, kind)


def _add_hourly_columns(db: sqlite3.Connection, kind: Kind) -> None:
    held = {row[1] for row in db.execute(f"PRAGMA table_info({hourly(kind.name)})")}
    for name in numbers(kind):
        for which in ("least", "most", "last"):
            if f"{name}_{which}" not in held:
                db.execute(f"ALTER TABLE {hourly(kind.name)} ADD COLUMN {name}_{which} INTEGER")


def open_writer(path: Path) -> sqlite3.Connection:
    """The file for its one writer, made when missing."""
    db = open_own(path, tables(), STEPS)
    _add_columns(db)
    # A batch touches a page of each series: fewer, larger checkpoints write each of them once, not once a batch.
    db.execute("PRAGMA wal_autocheckpoint = 8192")
    db.execute("PRAGMA cache_size = -65536")
    return db
