"""What the broker would not take: frames out of the stream, kept in the outbox's file for people to look at."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import NamedTuple

from agent.outbox import REFUSED_CAP
from telemetry.errors import EnvironmentFault, UsageError
from telemetry.files import open_read_only

_ROWS = "SELECT id, reason, rows, length(body), body FROM refused ORDER BY id DESC LIMIT ?"


class Refused(NamedTuple):
    """A frame: why it was refused, how many readings and bytes it holds, and the bytes."""

    id: int
    reason: str
    rows: int
    size: int
    body: bytes


def refused_frames(directory: Path) -> list[Refused]:
    """The frames set aside by the agent of that folder, newest first; it may run meanwhile.

    UsageError where no agent keeps its data, EnvironmentFault where the file cannot be read.
    """
    path = directory / "outbox.journal"
    if not path.is_file():
        raise UsageError(f"{directory} is no agent's folder: it holds no outbox.journal")
    try:
        with contextlib.closing(open_read_only(path)) as db:
            return [Refused(*row) for row in db.execute(_ROWS, (REFUSED_CAP,))]
    except sqlite3.Error as error:
        raise EnvironmentFault(f"{path} cannot be read: {error}", retry=False) from None
