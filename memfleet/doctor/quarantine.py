"""What the collector refused within the last day: whoever sends it looks well, and is not heard."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from memfleet.doctor.finding import Found, unreadable
from telemetry.files import open_read_only

_DAY_MS = 86_400_000


def check_quarantine(directory: Path, now_ms: int) -> Iterator[Found]:
    """Each agent of which rows were refused; nothing where there is no collector yet."""
    path = directory / "readings.journal"
    if not path.exists():
        return
    try:
        with closing(open_read_only(path)) as db:
            found = db.execute(_RECENT, (now_ms - _DAY_MS,)).fetchall()
    except sqlite3.Error as error:
        yield unreadable("quarantine", path, error)
        return
    for agent, reasons, rows in found:
        whose = f"of agent {agent}" if agent else "of nobody we know"
        of_agent = f" --agent {agent}" if agent else ""
        why = ", ".join(sorted(reasons.split(",")))
        yield Found(
            "quarantine", "doubtful", f"{rows:,} rows {whose} were refused within 24 hours ({why})",
            f"'memfleet quarantine{of_agent}' says why of each; once mended, 'memfleet quarantine retry' takes them in",
        )  # fmt: skip


_RECENT = """
SELECT agent, group_concat(DISTINCT reason), sum(rows) FROM quarantine WHERE received_ms >= ? GROUP BY agent
"""
