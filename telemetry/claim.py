"""One process writes a file of ours: a claim on it, held until the process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from telemetry.errors import EnvironmentFault


class Claim:
    """A lock on `<file>.lock`. It is the process' own: a second claim of the same process is granted.

    EnvironmentFault when another process holds it: two writers would each go on from numbers that the other has used.
    """

    def __init__(self, path: Path) -> None:
        place = path.with_name(path.name + ".lock")
        try:
            self._file = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise EnvironmentFault(f"{place}: {error.strerror}", retry=False) from None
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise EnvironmentFault(
                f"{path} is written by another process: end that one, or give this one a folder of its own", retry=True
            ) from None

    def close(self) -> None:
        """Give it up."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
