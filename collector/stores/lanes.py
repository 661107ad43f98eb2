"""One journal as a store sees it: how far it is read, how many rows wait, what was evicted before it could be read.

Ids of a journal have no gaps and the oldest frames go first. So rows are counted when they first come in sight, up to
the `horizon`; a jump in the ids read then says how many of them went unread. What came and went while the process was
down was never in sight: such frames are counted, their rows are not known.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from telemetry.journal import Cursor, Frame, JournalReader


@dataclass(slots=True)
class Sight:
    """What is known of a journal: its generation, the last id in sight, the rows up to there that are not read."""

    generation: int = 0
    horizon: int = 0
    pending: int = 0


@dataclass(frozen=True, slots=True)
class Loss:
    """Frames, and the rows in them, that went before they could be read."""

    frames: int = 0
    rows: int = 0


class _CountingReader(JournalReader):
    """A reader that can also count the rows ahead of it. None, or 0, while the file cannot be read."""

    def beyond(self, sight: Sight) -> tuple[int, ...] | None:
        """Generation, last id and rows of what lies beyond the horizon; of everything when the file is another."""
        return self._first(_BEYOND, (sight.generation, sight.horizon))

    def rows_between(self, after: int, upto: int) -> int:
        """Rows of the frames with after < id <= upto."""
        found = self._first(_BETWEEN, (after, upto))
        return found[0] if found else 0

    def _first(self, query: str, parameters: tuple[int, int]) -> tuple[int, ...] | None:
        db = self._connection()
        if db is None:
            return None
        try:
            row: tuple[int, ...] | None = db.execute(query, parameters).fetchone()
        except sqlite3.DatabaseError:  # its writer is setting the file aside, or will at its next start
            return None
        return row if row and row[0] is not None else None


class Lane:
    """Reads one journal in order."""

    def __init__(self, path: Path, position: Cursor, sight: Sight) -> None:
        self.position = position
        self.sight = sight
        self.came_in_sight = 0
        """Rows seen for the first time since this was last set to 0."""
        self.restarts = 0
        """How often the journal turned out to be another than before, and is read from its oldest frame, likewise."""
        self._reader = _CountingReader(path)

    def look(self) -> None:
        """Bring the horizon up to the end of the journal."""
        found = self._reader.beyond(self.sight)
        if found is None:
            return
        generation, last, rows = found
        if generation != self.sight.generation:  # a new file: what was in sight of the old one is in it, or lost
            self.restarts += self.sight.generation != 0
            self.came_in_sight -= self.sight.pending
            self.sight = Sight(generation)
        self.sight.horizon = max(last, self.sight.horizon)
        self.sight.pending += rows
        self.came_in_sight += rows

    def read(self, limit: int) -> tuple[list[Frame], Loss]:
        """The next frames, and what was lost before or among them."""
        self.look()
        before = self.position
        frames, after = self._reader.read(before, limit)
        if after.generation != self.sight.generation:
            return [], Loss()  # nothing there yet, or another file since we looked: next time
        if after.id > self.sight.horizon:
            frames = [frame for frame in frames if frame.id <= self.sight.horizon]
            after = Cursor(after.generation, self.sight.horizon)
        came_from = before.id
        if before.generation != after.generation:  # what that file held before we knew it was not for us
            came_from = frames[0].id - 1 if frames else after.id
        self.position = after
        self.sight.pending -= sum(frame.rows for frame in frames)
        missing = after.id - came_from - len(frames)
        if missing <= 0:
            return frames, Loss()
        left = self._reader.rows_between(after.id, self.sight.horizon)
        lost = Loss(missing, self.sight.pending - left)
        self.sight.pending = left
        return frames, lost

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()


_BEYOND = """
SELECT value, coalesce(max(id), 0), coalesce(sum(rows), 0)
FROM meta LEFT JOIN frames ON id > CASE WHEN value = ? THEN ? ELSE 0 END WHERE key = 'generation'
"""
_BETWEEN = "SELECT coalesce(sum(rows), 0) FROM frames WHERE id > ? AND id <= ?"
