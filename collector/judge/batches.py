"""The readings journal cut at its ticks: what the judge takes in at once is the same however it is read."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import NamedTuple

from collector.records import UNDECODABLE, Arrival, Tick, decode
from telemetry.journal import Cursor, JournalReader, load_cursor, save_cursor

_NAME = "readings"


class Batch(NamedTuple):
    """All arrivals since the tick before, and the tick that ends them."""

    arrivals: list[Arrival]
    tick_ms: int


class Batches:
    """Reads whole batches. `save` commits how far they went; what came after the last tick is read again then."""

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._reader = JournalReader(path)
        self._read = self._given = load_cursor(db, _NAME)
        self._waiting: list[Arrival] = []
        self._undecodable = 0

    def poll(self, limit: int) -> list[Batch]:
        """The next batches, from about `limit` frames, or more where so many hold no tick; empty: nothing whole yet."""
        batches: list[Batch] = []
        while not batches:
            frames, self._read = self._reader.read(self._read, limit)
            for frame in frames:
                try:
                    entry = decode(frame.data)
                except UNDECODABLE:
                    self._undecodable += 1  # of another version: the judge must not stand still at it
                    continue
                if isinstance(entry, Tick):
                    batches.append(Batch(self._waiting, entry.time_ms))
                    self._waiting = []
                    self._given = Cursor(self._read.generation, frame.id)
                elif isinstance(entry, Arrival):
                    self._waiting.append(entry)
            if len(frames) < limit:
                break
        return batches

    def take_undecodable(self) -> int:
        """How many frames were passed over since this was last asked."""
        count, self._undecodable = self._undecodable, 0
        return count

    def save(self, db: sqlite3.Connection) -> None:
        """Move the cursor behind the batches given out, inside the transaction of what was made of them."""
        save_cursor(db, _NAME, self._given)

    @property
    def restarts(self) -> int:
        """How often the journal turned out to be another than before."""
        return self._reader.restarts

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()
