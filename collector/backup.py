"""A copy of a running collector's files that a collector can start from.

Readers come before the journals that they read, and the intake forgets nothing meanwhile (`hold`): so no cursor in the
copy is past its journal's end, and none is before its journal's beginning.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from telemetry.errors import EnvironmentFault, UsageError
from telemetry.files import make_folder, open_read_only

HOLD = "backup.hold"
HOLD_MOST_S = 3600
"""A hold that is older was left by a backup that died."""

_ORDER = ("notify.db", "series.db", "store-*.db", "findings.journal", "desk.journal", "readings.journal")


def held(directory: Path, now_s: float) -> bool:
    """Whether a backup is being taken: then nothing is to be forgotten."""
    try:
        return now_s - (directory / HOLD).stat().st_mtime < HOLD_MOST_S
    except FileNotFoundError:
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
        return {path.name: _copy(path, target / path.name) for path in paths}


@contextlib.contextmanager
def _hold(directory: Path) -> Iterator[None]:
    place = directory / HOLD
    if held(directory, time.time()):
        raise UsageError(f"{place} is there: another backup of this collector is running")
    try:
        place.touch()
    except OSError as error:
        advice = "run this as the user that runs the collector"
        raise EnvironmentFault(f"{place} cannot be written: {error.strerror}; {advice}", retry=False) from None
    try:
        yield
    finally:
        place.unlink(missing_ok=True)


def _copy(source: Path, copy: Path) -> int:
    """SQLite's own copying: whole transactions, while the owner goes on writing."""
    try:
        with (
            contextlib.closing(open_read_only(source, 10)) as old,
            contextlib.closing(sqlite3.connect(copy)) as new,
        ):
            old.backup(new)
    except sqlite3.Error as error:
        raise EnvironmentFault(f"{source} cannot be copied to {copy}: {error}", retry=False) from None
    return copy.stat().st_size
