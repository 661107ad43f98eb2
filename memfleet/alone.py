"""One program a folder: two would each believe the files their own."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Self, TextIO

from telemetry.errors import EnvironmentFault, UsageError
from telemetry.files import inode_of, make_folder


class Alone:
    """A folder that one program has to itself for a block; it is made where it is missing.

    UsageError while another one of the program holds it, EnvironmentFault where it cannot be written.
    """

    def __init__(self, directory: Path, program: str, advice: str) -> None:
        self._directory, self._taken = directory, f"another `{program}` keeps its data in {directory}; {advice}"
        self._lock = self._take()

    def look(self) -> None:
        """Hold the folder again where it was removed, and its lock with it. Raises as if it were the first time."""
        if inode_of(self._directory / "lock") != os.fstat(self._lock.fileno()).st_ino:
            self._lock.close()
            self._lock = self._take()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()

    def _take(self) -> TextIO:
        make_folder(self._directory)
        try:
            lock = (self._directory / "lock").open("w")
        except OSError as error:
            raise EnvironmentFault(f"{error.filename} cannot be written: {error.strerror}", retry=False) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise UsageError(self._taken) from None
        return lock
