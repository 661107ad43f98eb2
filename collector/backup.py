"""A copy of a running collector's files that a collector can start from.

Readers come before the journals that they read, and the intake forgets nothing meanwhile (`hold`): so no cursor in the
copy is past its journal's end, and none is before its journal's beginning.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from telemetry.errors import EnvironmentFault, UsageError
from telemetry.files import make_folder, open_read_only

HOLD = "backup.hold"
"""Locked while a backup is taken. One that is there and free was left by a backup that was killed."""
PART = ".part"
"""Ends the names of copies until all are made: a folder that has such files is no backup."""

_ORDER = ("notify.db", "series.db", "store-*.db", "findings.journal", "desk.journal", "readings.journal")


def held(directory: Path) -> bool:
    """Whether a backup is being taken: then nothing is to be forgotten."""
    try:
        hold = os.open(directory / HOLD, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(hold, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(hold)
    return False


def back_up(directory: Path, target: Path) -> dict[str, int]:
    """Copy every file that is there into `target`, which must be empty or missing; the sizes of the copies, bytes."""
    if not (directory / "readings.journal").exists():
        raise UsageError(f"{directory} holds no collector's files: data_dir of its configuration is the folder to give")
    if target.resolve().is_relative_to(directory.resolve()):
        raise UsageError(f"{target} is in {directory}, which is emptied before a copy is put back: give another folder")
    if target.exists() and any(target.iterdir()):
        raise UsageError(f"{target} is not empty: give a folder of its own, nothing is ever overwritten")
    make_folder(target)
    with _hold(directory):
        paths = [path for pattern in _ORDER for path in sorted(directory.glob(pattern))]
        parts = [_copy(path, target / f"{path.name}{PART}") for path in paths]
        copies = [part.rename(part.with_suffix("")) for part in parts]
    return {copy.name: copy.stat().st_size for copy in copies}


@contextlib.contextmanager
def _hold(directory: Path) -> Iterator[None]:
    place = directory / HOLD
    try:
        hold = os.fdopen(os.open(place, os.O_RDONLY | os.O_CREAT, 0o644))
    except OSError as error:
        advice = "run this as the user that runs the collector"
        raise EnvironmentFault(f"{place} cannot be written: {error.strerror}; {advice}", retry=False) from None
    with hold:
        try:
            fcntl.flock(hold, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"another backup of this collector is running: it holds {place}") from None
        try:
            yield
        finally:
            place.unlink(missing_ok=True)


def _copy(source: Path, copy: Path) -> Path:
    """SQLite's own copying: whole transactions, while the owner goes on writing."""
    try:
        with (
            contextlib.closing(open_read_only(source, 10)) as old,
            contextlib.closing(sqlite3.connect(copy)) as new,
        ):
            old.backup(new)
    except sqlite3.Error as error:
        raise EnvironmentFault(f"{source} cannot be copied to {copy}: {error}", retry=False) from None
    return copy
