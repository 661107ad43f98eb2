"""The stores of a collector: do they answer, do they let it write."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from collector.config import StoreConfig
from collector.stores.delivery import Answer
from collector.stores.http import Connection
from collector.stores.process import open_store
from collector.stores.report import gone, refused, report
from memfleet.doctor.finding import Found, unreadable
from telemetry.errors import MemfleetError

_TIMEOUT_MS = (3_000, 10_000)
_LATELY_MS = 24 * 3600 * 1000
_LOOKED_AT = 10_000


def check_store(store: StoreConfig) -> Found:
    """Whether the server answers and knows the collector. Nothing is written."""
    what = f"store {store.name}"
    try:
        with contextlib.closing(Connection(store, _TIMEOUT_MS)) as connection:
            answer = _asked(store, connection)
        with contextlib.closing(open_store(store)) as opened:
            warning = opened.warning() if answer.status else ""
    except MemfleetError as error:
        return Found(what, "wrong", str(error), "see [[stores]] in the configuration")
    if answer.status == 0:
        return Found(
            what, "wrong", answer.text, "is it running? what it lacks waits in the journal, until that is full"
        )
    if answer.status in (401, 403):
        return Found(what, "wrong", f"{store.url} refuses us: {answer.text}", "give it a token or user that may write")
    if answer.status not in (200, 204, 400):  # 400: API 2 and 3 have nothing against us but the empty body
        return Found(what, "wrong", f"{store.url} answers {answer.status}: {answer.text}", _advice(store))
    if warning:
        return Found(what, "doubtful", f"{store.url} answers: {warning}", "see docs/grafana.md")
    return Found(what, "ok", f"{store.url} answers and lets the collector in")


def check_refused(directory: Path, store: StoreConfig, now_ms: int) -> Found | None:
    """What that server would not take within the last day, though it is up; None where there is nothing to say."""
    path = directory / f"store-{store.name}.db"
    if not path.exists():
        return None
    what = f"store {store.name}, rows"
    try:
        lately = [one for one in refused(path, _LOOKED_AT) if one[0] > now_ms - _LATELY_MS]
    except sqlite3.Error as error:
        return unreadable(what, path, error)
    if not lately:
        return None
    many = f"{len(lately)} or more" if len(lately) == _LOOKED_AT else str(len(lately))
    sentence = f"refused within a day: {many}; the newest, {lately[0][1][:120]!r}: {lately[0][2][:300]}"
    return Found(
        what, "doubtful", sentence, "they are not in this store; a database or prefix of its own has no conflicts"
    )


def check_waiting(directory: Path, store: StoreConfig) -> Found | None:
    """Whether the journal's quota has taken what waits for the store; None while nothing was ever lost so."""
    path = directory / f"store-{store.name}.db"
    what = f"store {store.name}, journal"
    try:
        told = report(path) if path.exists() else None
        lost = gone(path) if told else 0
    except sqlite3.Error as error:
        return unreadable(what, path, error)
    if told is None:
        return None
    if lost > 0:
        sentence = f"of {told.pending:,} rows that wait for it {lost:,} are gone: the journal is full"
        return Found(what, "wrong", sentence, "let it take them soon, or raise retention.journal_max_mb")
    evicted = told.counters.get("evicted_rows", 0)
    return Found(what, "ok", f"{evicted:,} rows were gone before it took them, since it began") if evicted else None


def _asked(store: StoreConfig, connection: Connection) -> Answer:
    """The cheapest request that a login is needed for: an empty write, where it cannot make a database."""
    if store.kind == "victoriametrics":
        return connection.get("/health")
    if store.api == 1:
        return connection.post_form("/query", q="SHOW DATABASES")
    if store.api == 2:
        return connection.post_bucket(b"")
    return connection.post_lines("/api/v3/write_lp", [("db", store.database), ("precision", "millisecond")], b"")


def _advice(store: StoreConfig) -> str:
    wanted = f"bucket {store.bucket} of org {store.org}" if store.api == 2 else f"database {store.database}"
    return f"is kind = {store.kind!r} with api = {store.api} what runs there, and is there a {wanted}?"
