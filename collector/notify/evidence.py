"""What a message shows beside the judge's words: the last log lines, a chart. From series.db, if it is there."""

from __future__ import annotations

import contextlib
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from collector.judge.columns import verdict_of
from collector.notify.chart import draw
from collector.records import Incident
from collector.series import reader
from telemetry.errors import EnvironmentFault, UsageError

_LOG_LINES, _LOOKED_AT = 5, 500
"""So many lines are told, of so many at most: of a restart those before it."""
_LOG_SPAN_MS = 600_000
_CHART_SPAN_MS = 6 * 3_600_000
_CHART_POINTS = 400
_CHARTED = {"heap": ("used", "free"), "process": ("user_mode", "total"), "task": ("current",), "pool": ("used",)}
"""The first of these fields that a kind's readings have is drawn."""


class Evidence:
    """Looks into series.db, to read only; what cannot be read is left out of the message."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None

    def log_lines(self, incident: Incident) -> list[str]:
        """The last lines that the worst device logged before the incident's newest alert: before the restart, where it
        is one, since those of a boot tell nothing of what it came from."""
        with contextlib.suppress(EnvironmentFault, sqlite3.Error):
            span = (incident.at_ms - _LOG_SPAN_MS, incident.at_ms + 1_000)
            rows = reader.logs(self._connection(), incident.worst, *span, _LOOKED_AT)
            device = reader.device(self._connection(), incident.worst, incident.at_ms)
            if device and any(verdict_of(incident.kind, name) == "reboot" for name in incident.numbers):
                rows = [row for row in rows if row.boot < device.boot] or rows
            return [line_of(row.time_ms, row.level, row.module, row.text) for row in rows[-_LOG_LINES:]]
        return []

    def chart(self, incident: Incident) -> bytes:
        """The worst device's memory over six hours as a PNG, with its limit; empty when there is nothing to draw."""
        with contextlib.suppress(EnvironmentFault, UsageError, sqlite3.Error):
            span = (incident.at_ms - _CHART_SPAN_MS, incident.at_ms)
            found = reader.points(
                self._connection(), incident.worst, incident.kind, incident.names, *span, _CHART_POINTS
            )
            for field in _CHARTED.get(incident.kind, ()):
                values = [v if isinstance(v, int) else None for v in found.values.get(field, ())]
                if sum(value is not None for value in values) > 1:
                    title = " / ".join(filter(None, (incident.worst, *incident.names, field.replace("_", " "))))
                    sizes = () if field == "free" else found.values.get("size", ())
                    return draw(title, found.t, values, next((v for v in reversed(sizes) if isinstance(v, int)), None))
        return b""

    def close(self) -> None:
        """Let go of the file."""
        if self._db is not None:
            self._db.close()

    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = reader.open_reader(self._path)
        return self._db


def line_of(time_ms: int, level: str, module: str, text: str) -> str:
    """A log line with its time; level and module as far as the device named them."""
    head = " ".join(part for part in (level, module) if part)
    return f"{_clock(time_ms)} {head}: {text}" if head else f"{_clock(time_ms)} {text}"


def _clock(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%H:%M:%SZ")
