"""One program a folder: two would each believe the files their own."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from telemetry.errors import EnvironmentFault, UsageError
from telemetry.files import make_folder


@contextlib.contextmanager
def alone_in(directory: Path, program: str, advice: str) -> Iterator[None]:
    """Hold the folder, which is made where it is missing. UsageError while another one of the program holds it,
    EnvironmentFault where it cannot be written."""
    make_folder(directory)
    with contextlib.ExitStack() as files:
        try:
            lock = files.enter_context((directory / "lock").open("w"))
        except OSError as error:
            raise EnvironmentFault(f"{error.filename} cannot be written: {error.strerror}", retry=False) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(f"another `{program}` keeps its data in {directory}; {advice}") from None
        yield
