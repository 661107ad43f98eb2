"""The file that a consumer of journals owns: its tables, made when missing; damage costs the file, not the process.

What stands in it was made of the journals. So a file that is no database any more is set aside and begun anew, counted
in `damaged_files`, and the journals are read again from their oldest frame.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from telemetry.files import add_counts, connect, disk_fault, make_folder
from telemetry.migration import bring_up
from telemetry.salvage import set_aside

COUNTERS = "CREATE TABLE IF NOT EXISTS counters(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;\n"


def own_files(stores: Sequence[str]) -> dict[str, str]:
    """Every part of a collector with stores of these names, and the file of which it is the one writer."""
    files = {
        "intake": "readings.journal",
        "series": "series.db",
        "judge": "findings.journal",
        "notify": "notify.db",
        "page": "desk.journal",
    }
    return files | {f"store:{name}": f"store-{name}.db" for name in stores}


def open_own(path: Path, tables: str, steps: Sequence[str] = ()) -> sqlite3.Connection:
    """The file with these tables (IF NOT EXISTS) and `counters`, for its one writer.

    `steps` bring the tables of an older file up (`telemetry.migration`): JournalError when the file is of a later
    version, EnvironmentFault when the disk or its rights do not let us.
    """
    make_folder(path.parent)
    try:
        return _open(path, tables, steps)
    except sqlite3.OperationalError as error:  # no permission, locked, disk full
        raise disk_fault(path, error, retry=False) from None
    except sqlite3.DatabaseError:
        set_aside(path)
        db = _open(path, tables, steps)
        add_counts(db, {"damaged_files": 1})
        return db


def _open(path: Path, tables: str, steps: Sequence[str]) -> sqlite3.Connection:
    db = connect(path)
    try:
        bring_up(db, path, COUNTERS + tables, steps)
    except BaseException:
        db.close()
        raise
    return db
