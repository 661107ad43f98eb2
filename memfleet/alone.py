"""One program a folder: two would each believe the files their own."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from telemetry.errors import UsageError
from telemetry.journal import make_folder


@contextlib.contextmanager
def alone_in(directory: Path, program: str, advice: str) -> Iterator[None]:
    """Hold the folder, which is made where it is missing. UsageError while another one of the program holds it."""
    make_folder(directory)
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(f"another `{program}` keeps its data in {directory}; {advice}") from None
        yield
