"""Our SQLite files: how they are opened for writing, what is in their way, and their counters."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from telemetry.errors import DiskFull, EnvironmentFault

BUSY_MS = 10_000
"""How long a connection waits for another that writes."""
_PRIMARY = 0xFF
NO_ROOM = 256 * 1024
"""A disk with less is full, bytes: SQLite grows its log and its index by less."""


def make_folder(path: Path) -> None:
    """Make a folder for files of ours, if it is not there. EnvironmentFault when that cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise EnvironmentFault(f"{path} is a file, where a folder belongs: move it away", retry=False) from None
    except OSError as error:
        raise EnvironmentFault(f"folder {path} cannot be made: {error.strerror}", retry=False) from None


def connect(path: Path) -> sqlite3.Connection:
    """A connection for the one who writes a file: WAL, on disk at commit, transactions begun by hand.

    Of two who switch a new file to WAL, the second fails at once, whatever its patience: so who reads never does.
    """
    db = open_file(path)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
    except sqlite3.DatabaseError:
        db.close()
        raise
    return db


def open_file(path: Path) -> sqlite3.Connection:
    """A connection, transactions begun by hand. EnvironmentFault where the file cannot be opened."""
    try:
        return sqlite3.connect(path, isolation_level=None, timeout=BUSY_MS / 1000)
    except sqlite3.OperationalError as error:
        raise disk_fault(path, error, retry=False) from None


def open_read_only(path: Path, timeout_s: float = 5.0, *, one_thread: bool = True) -> sqlite3.Connection:
    """A connection that cannot write; the file has to exist. Its name may hold what means something in an address.

    `one_thread`: whether SQLite is to see to it that only the thread that opened it uses it.
    """
    address = f"{path.absolute().as_uri()}?mode=ro"
    return sqlite3.connect(address, uri=True, isolation_level=None, timeout=timeout_s, check_same_thread=one_thread)


def write_whole(path: Path, data: bytes) -> None:
    """Write a small file: who reads it finds the old one or the new one, never half of it. EnvironmentFault."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(data)
        draft.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        if error.errno == errno.ENOSPC:
            raise DiskFull(path, retry=True) from None
        raise EnvironmentFault(f"{path} cannot be written: {error.strerror}", retry=False) from None


def require_same(path: Path, inode: int) -> None:
    """EnvironmentFault when an open file of ours was taken away: what is written to it nobody would ever find."""
    if inode_of(path) != inode:
        raise EnvironmentFault(f"{path} was removed or replaced while it was in use", retry=True)


def disk_fault(path: Path, error: sqlite3.Error, *, retry: bool) -> EnvironmentFault:
    """What SQLite could not do with a file of ours. Where there is no room for its log it says "disk I/O error"."""
    if path.is_dir():
        return EnvironmentFault(f"{path} is a folder, where a file belongs: move it away", retry=False)
    code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
    full = code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and free_bytes(path.parent) < NO_ROOM)
    return DiskFull(path, retry=retry) if full else EnvironmentFault(f"{path}: {error}", retry=retry)


def inode_of(path: Path) -> int:
    """Which file stands there; 0 where there is none."""
    try:
        return path.stat().st_ino
    except (FileNotFoundError, NotADirectoryError):
        return 0


def free_bytes(folder: Path) -> int:
    """Room on the disk of a folder, for who is not root."""
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize


def add_counts(db: sqlite3.Connection, counts: Mapping[str, int]) -> None:
    """Add to the counters table of a file of ours, inside the caller's transaction."""
    db.executemany(
        "INSERT INTO counters VALUES(?, ?) ON CONFLICT(name) DO UPDATE SET value = value + excluded.value",
        [(name, number) for name, number in counts.items() if number],
    )
