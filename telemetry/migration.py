"""Tables of our files have a version (SQLite's `user_version`, from 1 on); older files are brought up on opening."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from telemetry.errors import JournalError


def bring_up(db: sqlite3.Connection, path: Path, tables: str, steps: Sequence[str] = ()) -> None:
    """Make the tables (IF NOT EXISTS) at version `len(steps) + 1`; steps[n - 1] is the SQL that leads from n to n + 1.

    All of it commits at once. A file with tables but without a version is of version 1. JournalError when the file is
    of a later version than this program's.
    """
    newest = len(steps) + 1
    version = db.execute("PRAGMA user_version").fetchone()[0] or _unmarked(db, tables, newest)
    if version > newest:
        raise JournalError(f"{path}: written by a newer memfleet (schema {version}, this one reads {newest})")
    db.execute("BEGIN IMMEDIATE")
    try:
        _carry_out(db, path, steps[version - 1 :])
        for statement in statements(tables):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {newest:d}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _carry_out(db: sqlite3.Connection, path: Path, steps: Sequence[str]) -> None:
    try:
        for statement in (one for step in steps for one in statements(step)):
            db.execute(statement)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
            raise
        raise JournalError(f"{path}: cannot be brought up to this version: {error}") from None


def _unmarked(db: sqlite3.Connection, tables: str, newest: int) -> int:
    """A file from before versions were marked, or one that is just being made."""
    names = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return 1 if names & set(table_names(tables)) else newest


def statements(sql: str) -> Iterator[str]:
    """A script's statements one by one: run so, they stay inside the caller's transaction."""
    statement = ""
    for part in sql.split(";"):
        statement += part + ";"
        if sqlite3.complete_statement(statement):
            if statement.strip(" \n;"):
                yield statement
            statement = ""


def table_names(sql: str) -> list[str]:
    """The tables that a script creates."""
    words = sql.replace("(", " ").split()
    return [
        words[i + 5] for i, word in enumerate(words[:-5]) if word.upper() == "CREATE" and words[i + 2].upper() == "IF"
    ]
