"""The journal: one SQLite file of numbered frames. An agent's outbox is one, a collector keeps three.

    meta(key, value)                  schema, generation (random, one life of the file), clean (closed in order)
    frames(id, rows, crc, data)       id counts up from 1 and is never used twice; crc32 of data; rows in data
    counters(name, value)             committed together with what they count

One process writes a file; its own state may stand in further tables of it, so that both commit together. Readers open
the file for themselves and keep their cursor, (generation, id), in a file of their own, committed with what they made
of the frames: so each is exactly-once, and one that hangs inside a transaction cannot block the writer.

Every commit is on disk when it returns (WAL, synchronous FULL). The log is folded into the file once a second, since
one flipped bit in it hides all that follows. Damage costs the frames hit and what the log held, and is counted.
"""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from telemetry.claim import Claim
from telemetry.errors import JournalError
from telemetry.files import (
    BUSY_MS,
    add_counts,
    connect,
    disk_fault,
    free_bytes,
    inode_of,
    make_folder,
    open_file,
    open_read_only,
    require_same,
)
from telemetry.migration import bring_up, table_names
from telemetry.salvage import copy_readable, open_damaged, readable_frames, set_aside

SCHEMA = 1

_TABLES = """
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS frames(
    id INTEGER PRIMARY KEY AUTOINCREMENT, rows INTEGER NOT NULL, crc INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS counters(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""

_CURSORS = """
CREATE TABLE IF NOT EXISTS cursors(
    journal TEXT PRIMARY KEY, generation INTEGER NOT NULL, id INTEGER NOT NULL) WITHOUT ROWID;
"""


_SURROUNDINGS = {
    sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
}  # fmt: skip
"""SQLite's errors that are no damage to the file: no folder, no permission, locked, disk full."""

_MAY_MEND = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL}
"""Those of them that waiting may mend."""


class Cursor(NamedTuple):
    """How far a reader has come: everything up to and including `id` of that generation."""

    generation: int
    id: int


START = Cursor(0, 0)


class Frame(NamedTuple):
    """One entry: its number, how many rows it holds, its bytes."""

    id: int
    rows: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Damage:
    """What opening a damaged file saved: frames that could be read, frames known lost, where the old file went."""

    saved: int
    lost: int
    kept_as: Path


class Journal:
    """The writing side; one process, one thread.

    `tables` is SQL that creates the owner's own tables in the same file (IF NOT EXISTS), `steps` bring those of older
    files up (`telemetry.migration`); `quota_bytes` bounds the data,
    the oldest frames go first and are counted in `evicted_frames` and `evicted_rows`.
    """

    def __init__(
        self,
        path: Path,
        *,
        tables: str = "",
        steps: Sequence[str] = (),
        quota_bytes: int = 2**40,
        ballast_bytes: int = 0,
    ) -> None:
        self.path = path
        self.quota_bytes = quota_bytes
        self.damage: Damage | None = None
        self._tables = tables
        self._steps = steps
        self._ballast = path.with_name(path.name + ".ballast")
        self._ballast_bytes = ballast_bytes
        make_folder(path.parent)
        self._claim = Claim(path)
        try:
            self.db = self._open_or_salvage()
        except BaseException:
            self._claim.close()
            raise
        self._inode = inode_of(path)
        self.generation = self._meta("generation")
        self._bytes: int = self.db.execute("SELECT coalesce(sum(length(data)), 0) FROM frames").fetchone()[0]
        self._lay_ballast()

    # -- opening -------------------------------------------------------------------------------------------------------

    def _open_or_salvage(self) -> sqlite3.Connection:
        try:
            return self._open()
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
            if code in _SURROUNDINGS:
                self._drop_ballast()
                raise disk_fault(self.path, error, retry=code in _MAY_MEND) from None
            return self._salvage()

    def _open(self) -> sqlite3.Connection:
        db = connect(self.path)
        try:
            clean = self._existing_meta(db, "clean")
            if clean == 0:  # the last life ended without close(): look before trusting the file
                verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
                if verdict != "ok":
                    raise sqlite3.DatabaseError(verdict)
            schema = self._existing_meta(db, "schema")
            if schema is not None and schema > SCHEMA:
                raise JournalError(
                    f"{self.path}: written by a newer memfleet (schema {schema}, this one reads {SCHEMA})"
                )
            bring_up(db, self.path, _TABLES + _CURSORS + self._tables, self._steps)
            db.execute(_NEXT, (0, 0))  # a table whose columns have been hit says so here
            db.execute("BEGIN IMMEDIATE")
            known = [("schema", SCHEMA), ("generation", _new_generation())]
            db.executemany("INSERT OR IGNORE INTO meta VALUES(?, ?)", known)
            db.execute("INSERT OR REPLACE INTO meta VALUES('clean', 0)")
            db.execute("COMMIT")
        except BaseException:
            db.close()
            raise
        return db

    @staticmethod
    def _existing_meta(db: sqlite3.Connection, key: str) -> int | None:
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
            return None
        row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def _salvage(self) -> sqlite3.Connection:
        """Set the damaged file aside; a new generation takes every frame and counter that can still be read.

        Frames are numbered anew: to those who count, a new generation begins at 1 and has no holes.
        """
        kept_as = set_aside(self.path)
        db = self._open()
        saved = lost = 0
        with contextlib.closing(open_damaged(kept_as)) as old:
            db.execute("BEGIN")
            for frame in readable_frames(old):
                if frame is None:
                    lost += 1
                else:
                    db.execute("INSERT INTO frames(rows, crc, data) VALUES(?, ?, ?)", frame)
                    saved += 1
            for table in ("counters", *table_names(self._tables)):
                copy_readable(old, db, table)
            add_counts(db, {"damaged_files": 1, "damaged_frames": lost})
            db.execute("COMMIT")
        self.damage = Damage(saved, lost, kept_as)
        return db

    def _meta(self, key: str) -> int:
        value: int = self.db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()[0]
        return value

    # -- writing -------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything inside is on disk when the block ends, or nothing of it. A full disk raises EnvironmentFault, and
        so does a file that somebody has taken away."""
        require_same(self.path, self._inode)
        before = self._bytes
        try:
            self.db.execute("BEGIN IMMEDIATE")
            yield self.db
            self.db.execute("COMMIT")
        except BaseException as error:
            if self.db.in_transaction:  # a full disk may have rolled back by itself
                self.db.execute("ROLLBACK")
            self._bytes = before
            if not isinstance(error, sqlite3.OperationalError):
                raise
            self._drop_ballast()
            raise disk_fault(self.path, error, retry=True) from None

    def append(self, frames: Sequence[tuple[bytes, int]]) -> int:
        """Add (data, rows) pairs inside a transaction; the id of the last one."""
        self.db.executemany(
            "INSERT INTO frames(rows, crc, data) VALUES(?, ?, ?)",
            [(rows, zlib.crc32(data), data) for data, rows in frames],
        )
        self._bytes += sum(len(data) for data, _ in frames)
        return self.last_id()

    def count(self, counts: Mapping[str, int]) -> None:
        """Add to counters, inside the transaction of what they count."""
        add_counts(self.db, counts)

    def counters(self) -> dict[str, int]:
        """All counters."""
        return dict(self.db.execute("SELECT name, value FROM counters"))

    def trim(self, upto: int) -> None:
        """Forget the frames up to and including this id: every reader has them."""
        gone = self.db.execute("SELECT coalesce(sum(length(data)), 0) FROM frames WHERE id <= ?", (upto,)).fetchone()
        self.db.execute("DELETE FROM frames WHERE id <= ?", (upto,))
        self._bytes -= gone[0]

    def renew(self) -> None:
        """Begin a new generation with the frames that are held, numbered anew from 1. Inside a transaction."""
        gone = self.first_id() - 1
        self.db.execute("UPDATE frames SET id = id - ?", (gone,))
        self.db.execute("UPDATE sqlite_sequence SET seq = seq - ? WHERE name = 'frames'", (gone,))
        self.db.execute("UPDATE meta SET value = ? WHERE key = 'generation'", (_new_generation(),))
        self.generation = self._meta("generation")

    def evict(self) -> int:
        """Keep to the quota: drop the oldest frames, counted. Inside a transaction; how many frames went."""
        gone = rows = 0
        while self._bytes > self.quota_bytes:
            oldest = self.db.execute("SELECT id, rows, length(data) FROM frames ORDER BY id LIMIT 256").fetchall()
            if not oldest:
                break
            for id_, frame_rows, size in oldest:
                if self._bytes <= self.quota_bytes:
                    break
                self.db.execute("DELETE FROM frames WHERE id = ?", (id_,))
                self._bytes -= size
                gone, rows = gone + 1, rows + frame_rows
        if gone:
            self.count({"evicted_frames": gone, "evicted_rows": rows})
        return gone

    # -- looking -------------------------------------------------------------------------------------------------------

    def last_id(self) -> int:
        """The highest id ever given out in this generation, 0 before the first."""
        row = self.db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'frames'").fetchone()
        return row[0] if row else 0

    def first_id(self) -> int:
        """The oldest id still held; one past the last when nothing is."""
        row = self.db.execute("SELECT min(id) FROM frames").fetchone()
        return self.last_id() + 1 if row[0] is None else row[0]

    @property
    def size_bytes(self) -> int:
        """Bytes of data held."""
        return self._bytes

    def after(self, id_: int, limit: int) -> list[Frame]:
        """The next frames of our own file after that id (an outbox reads itself). A damaged one has no data left: it
        keeps its number, since a number that is never sent would hold up those behind it."""
        found = self.db.execute(_NEXT, (id_, limit)).fetchall()
        return [Frame(id_, rows, data if zlib.crc32(data) == crc else b"") for id_, rows, crc, data in found]

    # -- keeping -------------------------------------------------------------------------------------------------------

    def checkpoint(self) -> None:
        """Fold the log into the file; call it about once a second. With a reader in the middle, or on a full disk, the
        next call does."""
        self.db.execute("PRAGMA busy_timeout = 0")
        try:
            with contextlib.suppress(sqlite3.OperationalError):
                self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self.db.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        self._lay_ballast()

    def close(self) -> None:
        """Close in order. Killing the process instead loses nothing that was committed."""
        with contextlib.suppress(sqlite3.OperationalError):
            self.db.execute("INSERT OR REPLACE INTO meta VALUES('clean', 1)")
            self.checkpoint()
        self.db.close()
        self._claim.close()

    def _lay_ballast(self) -> None:
        """Only where there is plenty of room: laid on a disk that is nearly full it would fill it."""
        size = self._ballast_bytes
        with contextlib.suppress(OSError):
            if size and not self._ballast.exists() and free_bytes(self.path.parent) > 4 * size:
                self._ballast.write_bytes(bytes(size))

    def _drop_ballast(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._ballast.unlink()


class JournalReader:
    """The reading side of another process' journal. It never writes to the file and never waits for its writer."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.restarts = 0
        self.damaged = 0
        self._inode = 0
        self._db: sqlite3.Connection | None = None

    def read(self, cursor: Cursor, limit: int = 1000) -> tuple[list[Frame], Cursor]:
        """The next frames after the cursor, and the cursor behind them.

        A cursor of another generation, or one past the end, starts at the oldest frame and counts in `restarts`;
        frames whose bytes fail their crc are left out and count in `damaged`. Nothing yet: an empty list.
        """
        try:
            db = self._connection()
            if db is None:
                return [], cursor
            row = db.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()
            if row is None:
                return [], cursor
            last = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'frames'").fetchone()
            if cursor.generation != row[0] or cursor.id > (last[0] if last else 0):
                self.restarts += cursor != START
                cursor = Cursor(row[0], 0)
            found = db.execute(_NEXT, (cursor.id, limit)).fetchall()
        except sqlite3.DatabaseError:  # its writer is setting the file aside, or will at its next start
            self.close()
            return [], cursor
        frames, damaged = _checked(found)
        self.damaged += damaged
        return frames, Cursor(cursor.generation, found[-1][0]) if found else cursor

    def close(self) -> None:
        """Let go of the file."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _connection(self) -> sqlite3.Connection | None:
        inode = inode_of(self.path)
        if not inode:
            self.close()
            return None
        if self._db is None or self._inode != inode:  # set aside after damage: the path is another file now
            self.close()
            self._db, self._inode = open_file(self.path), inode
            self._db.execute("PRAGMA query_only = ON")
        return self._db


def _new_generation() -> int:
    return secrets.randbits(62) + 1


_NEXT = "SELECT id, rows, crc, data FROM frames WHERE id > ? ORDER BY id LIMIT ?"


def load_cursor(db: sqlite3.Connection, journal: str) -> Cursor:
    """A consumer's cursor on a journal, from the consumer's own file (the table is made when missing)."""
    db.executescript(_CURSORS)
    row = db.execute("SELECT generation, id FROM cursors WHERE journal = ?", (journal,)).fetchone()
    return Cursor(*row) if row else START


def peek_cursor(path: Path, journal: str) -> Cursor:
    """Another consumer's cursor on a journal, read from its file without writing to it; START when it has none yet."""
    if not path.exists():
        return START
    try:
        with contextlib.closing(open_read_only(path, 1)) as db:
            row = db.execute("SELECT generation, id FROM cursors WHERE journal = ?", (journal,)).fetchone()
    except sqlite3.DatabaseError:  # not made yet, being made, or not to be opened: its owner says so
        return START
    return Cursor(*row) if row else START


def save_cursor(db: sqlite3.Connection, journal: str, cursor: Cursor) -> None:
    """Move a consumer's cursor, inside the transaction of what it made of the frames."""
    db.execute("INSERT OR REPLACE INTO cursors VALUES(?, ?, ?)", (journal, *cursor))


def _checked(found: list[tuple[int, int, int, bytes]]) -> tuple[list[Frame], int]:
    frames = [Frame(id_, rows, data) for id_, rows, crc, data in found if zlib.crc32(data) == crc]
    return frames, len(found) - len(frames)
