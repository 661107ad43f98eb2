"""What one check found."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from telemetry.errors import DiskFull
from telemetry.files import disk_fault

State = Literal["ok", "doubtful", "wrong"]


@dataclass(frozen=True, slots=True)
class Found:
    """`what` was looked at, in which `state` it is, a sentence that says so, and `advice`: what to do about it."""

    what: str
    state: State
    sentence: str
    advice: str = ""


def unreadable(what: str, path: Path, error: sqlite3.Error) -> Found:
    """What is said of a file of the collector's that cannot be looked into."""
    fault = disk_fault(path, error, retry=False)
    if isinstance(fault, DiskFull):
        advice = "make room: to read it, a little of the disk is needed, too"
    elif os.access(path, os.R_OK | os.W_OK):
        advice = "the collector's own log says why"
    else:
        advice = "run this as the user that runs the collector"
    return Found(what, "doubtful", str(fault), advice)
