"""What a damaged SQLite file of ours still holds."""

from __future__ import annotations

import contextlib
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

_WALK = 1_000_000
"""Most ids that are tried one by one."""
_HEADER_PAGES = 28
"""Where SQLite's header keeps the number of pages; 0 there means: see the file's length."""


def set_aside(path: Path) -> Path:
    """Rename a file with its log, so that a new one can take its place; the name it has now."""
    number = 1
    while (kept_as := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(kept_as.with_name(kept_as.name + suffix))
    return kept_as


def open_damaged(path: Path) -> sqlite3.Connection:
    """For reading what is left. A file that was cut is as long as it is, whatever its header says."""
    with path.open("r+b") as file:
        file.seek(_HEADER_PAGES)
        file.write(bytes(4))
    return sqlite3.connect(path, isolation_level=None)


def readable_frames(old: sqlite3.Connection) -> Iterator[tuple[int, int, bytes] | None]:
    """Frames of a damaged file one by one, as rows, crc and data; None for each that is known to have been there and
    cannot be read."""
    ids: Sequence[int] = sorted(_reachable_ids(old))
    if ids and ids[-1] - ids[0] < _WALK:  # beyond that an id itself has been hit
        ids = range(ids[0], ids[-1] + 1)  # a journal has no gaps, so what the walks did not reach was there
    for id_ in ids:
        try:
            row = old.execute("SELECT id, rows, crc, data FROM frames WHERE id = ?", (id_,)).fetchone()
        except sqlite3.DatabaseError:
            row = None
        whole = row is not None and isinstance(row[3], bytes) and zlib.crc32(row[3]) == row[2]
        yield (row[1], row[2], row[3]) if whole else None


def _reachable_ids(old: sqlite3.Connection) -> set[int]:
    """Ids from both ends inwards until damage stops the walk."""
    seen: set[int] = set()
    for order in ("ASC", "DESC"):
        with contextlib.suppress(sqlite3.DatabaseError):
            rows = old.execute(f"SELECT id FROM frames ORDER BY id {order}")  # noqa: S608 - one of two words of ours
            for (id_,) in rows:
                seen.add(id_)
    with contextlib.suppress(sqlite3.DatabaseError, TypeError):
        (last,) = old.execute("SELECT seq FROM sqlite_sequence WHERE name = 'frames'").fetchone()
        return {id_ for id_ in seen if 0 < id_ <= last}
    return seen


def copy_readable(old: sqlite3.Connection, new: sqlite3.Connection, table: str) -> None:
    """A table's rows, columns by name: the damaged file may be of an earlier version."""
    with contextlib.suppress(sqlite3.DatabaseError):
        held = [row[1] for row in old.execute(f"PRAGMA table_info({table})")]
        known = {row[1] for row in new.execute(f"PRAGMA table_info({table})")}
        columns = ", ".join(name for name in held if name in known)
        rows = old.execute(f"SELECT {columns} FROM {table}").fetchall()  # noqa: S608 - names of ours
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            new.executemany(f"INSERT OR REPLACE INTO {table}({columns}) VALUES({marks})", rows)
