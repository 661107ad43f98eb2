"""The judge's state on disk, in tables of the findings journal: committed with the cursor and the findings."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from collector.judge import archive
from collector.judge.alerts import FIRING, IDLE, AlertState
from collector.judge.archive import Archive
from collector.judge.engine import Judge
from collector.judge.hearing import Agent
from collector.judge.pages import ROWS, Array, packed, pages_of, rows_of, unpack
from collector.judge.series import Table

_TABLES = """
CREATE TABLE IF NOT EXISTS judge_series(
    kind TEXT, number INTEGER, device TEXT NOT NULL, names TEXT NOT NULL, PRIMARY KEY(kind, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS judge_pages(
    kind TEXT, page INTEGER, texts TEXT NOT NULL, heads BLOB NOT NULL, numbers BLOB NOT NULL,
    PRIMARY KEY(kind, page)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS judge_told(
    kind TEXT, page INTEGER, told BLOB NOT NULL, PRIMARY KEY(kind, page)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS judge_alerts(
    rule TEXT, kind TEXT, number INTEGER, status INTEGER NOT NULL, since_ms INTEGER NOT NULL,
    pending_tick INTEGER NOT NULL, clear_tick INTEGER NOT NULL, boot_ms INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY(rule, kind, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS judge_devices(
    number INTEGER PRIMARY KEY, device TEXT NOT NULL, boot INTEGER, newest_ms INTEGER NOT NULL, agent INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS judge_reboots(number INTEGER PRIMARY KEY, state BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS judge_agents(
    agent TEXT PRIMARY KEY, number INTEGER NOT NULL, arrived_ms INTEGER NOT NULL, frontier_ms INTEGER NOT NULL,
    spared_ms INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS judge_time(
    only INTEGER PRIMARY KEY, tick_ms INTEGER NOT NULL, deaf_until_ms INTEGER NOT NULL);
"""
TABLES = _TABLES + archive.TABLES

STEPS = (
    "DROP TABLE IF EXISTS judge_values; DROP TABLE IF EXISTS judge_blocks;",
    "ALTER TABLE judge_alerts ADD COLUMN boot_ms INTEGER NOT NULL DEFAULT 0;"
    " ALTER TABLE incident_members ADD COLUMN ended TEXT NOT NULL DEFAULT '';"
    " ALTER TABLE incident_members ADD COLUMN settle_ms INTEGER NOT NULL DEFAULT 0;",
    archive.TABLES  # noqa: S608 - constants; a file of version 1 has no such tables yet
    + "DELETE FROM judge_histories WHERE kind = 'process'; DELETE FROM judge_samples WHERE kind = 'process';",
    "ALTER TABLE judge_agents ADD COLUMN spared_ms INTEGER NOT NULL DEFAULT 0;",
)
"""What leads from one version of the tables to the next. To 2: values and histories, kept by the row, are learned anew.
To 3: what a restart ended may come back, in alerts and (`incident_state`) in incidents. To 4: samples of processes hold
what the kernel holds for them; their histories are learned anew. To 5: until when devices were spared for the clock of
their agent.
"""


class StateFile:
    """Gives a new judge the state of the last commit, and keeps it from then on."""

    def __init__(self, db: sqlite3.Connection, judge: Judge) -> None:
        self._judge = judge
        self._archive = Archive(judge.board.histories)
        for kind, _, device, names in db.execute("SELECT * FROM judge_series ORDER BY kind, number").fetchall():
            judge.add_series(kind, device, tuple(json.loads(names)))
        for page in db.execute("SELECT * FROM judge_pages").fetchall():
            _restore_page(judge, *page)
        for kind, page, told in db.execute("SELECT * FROM judge_told").fetchall():
            unpack(told, _told(judge.board.tables[kind]), page)
        for table in judge.board.tables.values():
            table.saved = len(table)
        self._archive.restore(db)
        judge.board.unsaved = []
        _restore_hearing(db, judge)
        for number, reboots in db.execute("SELECT * FROM judge_reboots").fetchall():
            judge.reboots.restore(number, reboots)
        _restore_alerts(db, judge)

    def save(self, db: sqlite3.Connection) -> None:
        """Write what differs from the disk, inside the judge's transaction."""
        judge = self._judge
        for kind, table in judge.board.tables.items():
            _save_table(db, kind, table)
        unsaved, judge.board.unsaved = judge.board.unsaved or [], []
        self._archive.save(db, unsaved)
        _save_alerts(db, judge)
        _save_hearing(db, judge)
        reboots = judge.reboots
        _replace(db, "judge_reboots", ((row, reboots.state[row].tobytes()) for row in sorted(reboots.changed)))
        reboots.changed.clear()


def firing_without_rule(db: sqlite3.Connection, judge: Judge) -> list[tuple[str, str, int, int]]:
    """Alerts that fire though their rule is gone, as (rule, kind, row, since_ms); they are forgotten."""
    known = {(name, alerts.rule.kind) for name, alerts in judge.alerts.items()}
    rows = db.execute("SELECT rule, kind, number, since_ms, status FROM judge_alerts ORDER BY rule, kind, number")
    gone = [row for row in rows.fetchall() if (row[0], row[1]) not in known]
    db.executemany("DELETE FROM judge_alerts WHERE rule = ? AND kind = ? AND number = ?", [row[:3] for row in gone])
    return [row[:4] for row in gone if row[4] == FIRING]


def _save_table(db: sqlite3.Connection, kind: str, table: Table) -> None:
    new = range(table.saved, len(table))
    _replace(db, "judge_series", ((kind, row, table.devices[row], json.dumps(table.names[row])) for row in new))
    table.saved = len(table)
    pages = pages_of(table.changed.rows())
    _replace(db, "judge_pages", (_page_of(kind, table, page) for page in pages))
    if table.told_ms is not None:
        _replace(db, "judge_told", ((kind, page, packed(_told(table), page)) for page in pages))
    table.changed.clear()


def _page_of(kind: str, table: Table, page: int) -> tuple[Any, ...]:
    texts = table.texts[page * ROWS : (page + 1) * ROWS]
    said = json.dumps(texts) if any(texts) else "[]"
    return kind, page, said, packed(_heads(table), page), packed([table.values], page)


def _restore_page(judge: Judge, kind: str, page: int, texts: str, heads: bytes, numbers: bytes) -> None:
    """What was written by another version and does not fit is left out: the next readings say it again."""
    table = judge.board.tables[kind]
    for row, said in zip(rows_of(page).tolist(), json.loads(texts), strict=False):
        table.texts[row].update(said)
    unpack(heads, _heads(table), page)
    unpack(numbers, [table.values], page)


def _heads(table: Table) -> Sequence[Array]:
    return table.time_ms, table.heard_ms, table.resolution, table.boot, table.outdated


def _told(table: Table) -> Sequence[Array]:
    return () if table.told_ms is None else (table.told_ms,)


def _restore_alerts(db: sqlite3.Connection, judge: Judge) -> None:
    for rule, kind, number, *state in db.execute("SELECT * FROM judge_alerts").fetchall():
        alerts = judge.alerts.get(rule)
        if alerts is not None and alerts.rule.kind == kind:
            alerts.make_room(judge.board.tables[kind].capacity)
            alerts.restore(number, AlertState(*state))


def _save_alerts(db: sqlite3.Connection, judge: Judge) -> None:
    for name, alerts in judge.alerts.items():
        kind, rows = alerts.rule.kind, sorted(alerts.changed)
        states = [(row, alerts.state(row)) for row in rows]
        idle = [(name, kind, row) for row, state in states if state.status == IDLE]
        db.executemany("DELETE FROM judge_alerts WHERE rule = ? AND kind = ? AND number = ?", idle)
        _replace(db, "judge_alerts", ((name, kind, row, *state) for row, state in states if state.status != IDLE))
        alerts.changed.clear()


def _save_hearing(db: sqlite3.Connection, judge: Judge) -> None:
    hearing, devices = judge.hearing, judge.board.tables["device"].devices
    _replace(
        db,
        "judge_agents",
        (
            (name, agent.number, agent.arrived_ms, agent.frontier_ms, agent.spared_ms)
            for name, agent in ((name, hearing.agents[name]) for name in sorted(hearing.changed))
        ),
    )
    _replace(
        db,
        "judge_devices",
        (
            (row, devices[row], judge.board.boots.get(devices[row]), hearing.newest(row), int(hearing.agent_of[row]))
            for row in sorted(hearing.changed_devices)
        ),
    )
    _replace(db, "judge_time", [(0, hearing.tick_ms, hearing.deaf_until_ms)])
    hearing.changed.clear()
    hearing.changed_devices.clear()


def _restore_hearing(db: sqlite3.Connection, judge: Judge) -> None:
    hearing = judge.hearing
    for name, *numbers in db.execute("SELECT * FROM judge_agents ORDER BY number").fetchall():
        hearing.restore_agent(name, Agent(*numbers))
    for row, device, boot, newest_ms, agent in db.execute("SELECT * FROM judge_devices").fetchall():
        hearing.make_room(row)
        hearing.newest_ms[row], hearing.agent_of[row] = newest_ms, agent
        if boot is not None:
            judge.board.boots[device] = boot
    for _, tick_ms, deaf_until_ms in db.execute("SELECT * FROM judge_time").fetchall():
        hearing.tick_ms, hearing.deaf_until_ms = tick_ms, deaf_until_ms


def _replace(db: sqlite3.Connection, table: str, rows: Iterable[Sequence[Any]]) -> None:
    rows = list(rows)
    if rows:
        marks = ", ".join("?" * len(rows[0]))
        db.executemany(f"INSERT OR REPLACE INTO {table} VALUES({marks})", rows)
