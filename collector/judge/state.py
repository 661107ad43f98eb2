"""The judge's state on disk, in tables of the findings journal: committed with the cursor and the findings."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from collector.judge.alerts import FIRING, IDLE, AlertState
from collector.judge.engine import Judge
from collector.judge.hearing import Agent
from collector.judge.series import Table

TABLES = """
CREATE TABLE IF NOT EXISTS judge_series(
    kind TEXT, number INTEGER, device TEXT NOT NULL, names TEXT NOT NULL, PRIMARY KEY(kind, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS judge_values(
    kind TEXT, number INTEGER, texts TEXT NOT NULL, time_ms INTEGER NOT NULL, heard_ms INTEGER NOT NULL,
    resolution INTEGER NOT NULL, boot INTEGER NOT NULL, outdated INTEGER NOT NULL, numbers BLOB NOT NULL,
    least BLOB, newest BLOB, peaks BLOB, PRIMARY KEY(kind, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS judge_blocks(
    kind TEXT, number INTEGER, blocks BLOB NOT NULL, PRIMARY KEY(kind, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS judge_alerts(
    rule TEXT, kind TEXT, number INTEGER, status INTEGER NOT NULL, since_ms INTEGER NOT NULL,
    pending_tick INTEGER NOT NULL, clear_tick INTEGER NOT NULL, PRIMARY KEY(rule, kind, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS judge_devices(
    number INTEGER PRIMARY KEY, device TEXT NOT NULL, boot INTEGER, newest_ms INTEGER NOT NULL, agent INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS judge_reboots(number INTEGER PRIMARY KEY, state BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS judge_agents(
    agent TEXT PRIMARY KEY, number INTEGER NOT NULL, arrived_ms INTEGER NOT NULL, frontier_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS judge_time(
    only INTEGER PRIMARY KEY, tick_ms INTEGER NOT NULL, deaf_until_ms INTEGER NOT NULL);
"""


def save(db: sqlite3.Connection, judge: Judge) -> None:
    """Write what differs from the disk, inside the judge's transaction."""
    for kind, table in judge.board.tables.items():
        new = range(table.saved, len(table))
        names = ((kind, row, table.devices[row], json.dumps(table.names[row])) for row in new)
        _replace(db, "judge_series", names)
        changed = sorted(table.changed)
        _replace(db, "judge_values", (_values_row(judge, kind, table, row) for row in changed))
        if kind in judge.board.histories:
            held = ((row, judge.board.histories[kind].blocks.saved(row)) for row in changed)
            _replace(db, "judge_blocks", ((kind, row, blocks) for row, blocks in held if blocks is not None))
        table.changed.clear()
        table.saved = len(table)
    _save_alerts(db, judge)
    _save_hearing(db, judge)
    reboots = judge.reboots
    _replace(db, "judge_reboots", ((row, reboots.state[row].tobytes()) for row in sorted(reboots.changed)))
    reboots.changed.clear()


def restore(db: sqlite3.Connection, judge: Judge) -> None:
    """Give a new judge the state of the last commit."""
    for kind, _, device, names in db.execute("SELECT * FROM judge_series ORDER BY kind, number").fetchall():
        judge.add_series(kind, device, tuple(json.loads(names)))
    for row in db.execute("SELECT * FROM judge_values").fetchall():
        _restore_values(judge, *row)
    for kind, row, blocks in db.execute("SELECT * FROM judge_blocks ORDER BY kind, number").fetchall():
        judge.board.histories[kind].blocks.restore(row, blocks)
    for table in judge.board.tables.values():
        table.saved = len(table)
    _restore_hearing(db, judge)
    for number, reboots in db.execute("SELECT * FROM judge_reboots").fetchall():
        judge.reboots.restore(number, reboots)
    for rule, kind, number, *state in db.execute("SELECT * FROM judge_alerts").fetchall():
        alerts = judge.alerts.get(rule)
        if alerts is not None and alerts.rule.kind == kind:
            alerts.make_room(judge.board.tables[kind].capacity)
            alerts.restore(number, AlertState(*state))


def firing_without_rule(db: sqlite3.Connection, judge: Judge) -> list[tuple[str, str, int, int]]:
    """Alerts that fire though their rule is gone, as (rule, kind, row, since_ms); they are forgotten."""
    known = {(name, alerts.rule.kind) for name, alerts in judge.alerts.items()}
    rows = db.execute("SELECT rule, kind, number, since_ms, status FROM judge_alerts ORDER BY rule, kind, number")
    gone = [row for row in rows.fetchall() if (row[0], row[1]) not in known]
    db.executemany("DELETE FROM judge_alerts WHERE rule = ? AND kind = ? AND number = ?", [row[:3] for row in gone])
    return [row[:4] for row in gone if row[4] == FIRING]


def _values_row(judge: Judge, kind: str, table: Table, row: int) -> tuple[Any, ...]:
    history = judge.board.histories.get(kind)
    buckets = (
        (history.least[row].tobytes(), history.newest[row].tobytes(), history.peaks[row].tobytes())
        if history
        else (None, None, None)
    )
    return (
        kind, row, json.dumps(table.texts[row]) if table.texts[row] else "{}",
        int(table.time_ms[row]), int(table.heard_ms[row]), int(table.resolution[row]), int(table.boot[row]),
        int(table.outdated[row]), table.values[row].tobytes(), *buckets,
    )  # fmt: skip


def _restore_values(judge: Judge, kind: str, row: int, texts: str, *columns: Any) -> None:
    time_ms, heard_ms, resolution, boot, outdated, numbers, least, newest, peaks = columns
    table = judge.board.tables[kind]
    table.texts[row] = json.loads(texts)
    table.time_ms[row], table.heard_ms[row], table.resolution[row] = time_ms, heard_ms, resolution
    table.boot[row], table.outdated[row] = boot, outdated
    values = np.frombuffer(numbers)
    if len(values) == len(table.columns):  # else written by another version: the next readings say it again
        table.values[row] = values
    history = judge.board.histories.get(kind)
    if history is None or least is None:
        return
    held = (history.least[row], history.newest[row], history.peaks[row])
    known = zip((least, newest, peaks), held, strict=True)
    if all(len(blob) == array.nbytes for blob, array in known):  # else as above
        history.least[row] = np.frombuffer(least, dtype=np.float32).reshape(history.least.shape[1:])
        history.newest[row] = np.frombuffer(newest, dtype=np.int64)
        history.peaks[row] = np.frombuffer(peaks)


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
            (name, agent.number, agent.arrived_ms, agent.frontier_ms)
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
