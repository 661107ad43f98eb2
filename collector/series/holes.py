"""Holes: stretches of a device's time without readings, and why. Recorded when they end; both ends are event time.

`lost`: frames of the device's agent that will never come (its outbox was full or damaged) fell into it; whether they
held readings of this device nobody knows any more. `silence`: nothing was lost on the way, the device said nothing.

A device that was first heard after its agent had lost frames has a hole that began nobody knows when: at 0.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from operator import itemgetter

from collector.records import Arrival, Hole
from telemetry.readings import SILENT_AFTER, About
from telemetry.wire import Rows

TABLES = """
CREATE TABLE IF NOT EXISTS holes(
    device TEXT NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER, cause TEXT NOT NULL, frames INTEGER NOT NULL,
    PRIMARY KEY(device, from_ms)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS holes_at ON holes(from_ms);
CREATE TABLE IF NOT EXISTS losses(
    agent TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, frames INTEGER NOT NULL) WITHOUT ROWID;
"""

_SILENCE = "SELECT from_ms, to_ms FROM holes WHERE device = ? AND cause = 'silence' AND from_ms < ? AND to_ms > ?"
_offset = itemgetter(0)


class Holes:
    """Finds holes in what arrives. Changes wait for `save`, inside the caller's transaction."""

    def __init__(self, db: sqlite3.Connection, silent_after_ms: int, about: Callable[[str], About]) -> None:
        """`about` gives a device's description: some speak more seldom than others."""
        self._db = db
        self._silent_after_ms = silent_after_ms
        self._about = about
        self._newest: dict[str, int] = {}
        self._agent_of: dict[str, str] = {}
        for device, agent, last_t in db.execute("SELECT device, agent, last_t FROM devices"):
            self._newest[device], self._agent_of[device] = last_t, agent
        self._open: dict[str, tuple[int, int]] = {
            device: (from_ms, frames)
            for device, from_ms, frames in db.execute("SELECT device, from_ms, frames FROM holes WHERE to_ms IS NULL")
        }
        self._losses: dict[str, tuple[int, int]] = {
            agent: (at_ms, frames) for agent, at_ms, frames in db.execute("SELECT agent, at_ms, frames FROM losses")
        }
        self._rows: list[tuple[str, int, int | None, str, int]] = []
        self._new_losses: set[str] = set()

    def lost(self, hole: Hole) -> None:
        """Frames of an agent will never come: a hole opens for each of its devices, until it is heard again."""
        self._losses[hole.agent] = hole.received_ms, self._losses.get(hole.agent, (0, 0))[1] + hole.frames
        self._new_losses.add(hole.agent)
        for device, agent in self._agent_of.items():
            from_ms, frames = self._open.get(device, (self._newest[device], 0))
            if agent == hole.agent and from_ms:
                self._open[device] = (from_ms, frames + hole.frames)
                self._rows.append((device, from_ms, None, "lost", frames + hole.frames))

    def take(self, arrival: Arrival) -> None:
        """Readings came: open holes of their devices close, and long gaps are holes themselves."""
        for device, times in _times(arrival).items():
            self._agent_of[device] = arrival.agent
            first, last = min(times), max(times)
            allowed_ms = max(self._silent_after_ms, 1000 * self._about(device).limits.get(SILENT_AFTER, 0))
            if not self._newest.get(device):
                self._begin(device, first, allowed_ms)
            if first < self._newest.get(device, 0):
                self._fill(device, sorted(times), allowed_ms)
            for time_ms in sorted(times) if last - first > allowed_ms else (first,):
                self._step(device, time_ms, allowed_ms)
            self._newest[device] = max(self._newest.get(device, 0), last)

    def _fill(self, device: str, times: list[int], allowed_ms: int) -> None:
        """Late readings may lie in what was taken for silence, as those that waited in quarantine do: of that hole
        stays what is still one."""
        found = self._db.execute(_SILENCE, (device, times[-1], times[0])).fetchall()
        for from_ms, to_ms in found:
            ends = [from_ms, *(time_ms for time_ms in times if from_ms < time_ms < to_ms), to_ms]
            left = [(device, *gap, "silence", 0) for gap in pairwise(ends) if gap[1] - gap[0] > allowed_ms]
            self._db.execute("DELETE FROM holes WHERE device = ? AND from_ms = ?", (device, from_ms))
            self._db.executemany("INSERT INTO holes VALUES(?, ?, ?, ?, ?)", left)

    def _begin(self, device: str, first_ms: int, allowed_ms: int) -> None:
        """Was it there when its agent lost frames? It was silent by then, if it was not."""
        at_ms, frames = self._losses.get(self._agent_of[device], (0, 0))
        if frames and first_ms - at_ms <= allowed_ms:
            self._rows.append((device, 0, first_ms, "lost", frames))

    def _step(self, device: str, time_ms: int, allowed_ms: int) -> None:
        newest = self._newest.get(device, 0) or time_ms
        self._newest[device] = max(newest, time_ms)
        if time_ms <= newest:
            return
        opened = self._open.pop(device, None)
        if opened:
            self._rows.append((device, opened[0], time_ms, "lost", opened[1]))
        elif time_ms - newest > allowed_ms:
            self._rows.append((device, newest, time_ms, "silence", 0))

    def save(self) -> Counter[str]:
        """Write what was found; how many holes closed, by cause."""
        self._db.executemany("INSERT OR REPLACE INTO holes VALUES(?, ?, ?, ?, ?)", self._rows)
        losses = [(agent, *self._losses[agent]) for agent in self._new_losses]
        self._db.executemany("INSERT OR REPLACE INTO losses VALUES(?, ?, ?)", losses)
        self._new_losses.clear()
        counts = Counter(f"holes_{cause}" for _, _, to_ms, cause, _ in self._rows if to_ms is not None)
        self._rows.clear()
        return counts


def forget(db: sqlite3.Connection, before_ms: int) -> None:
    """Let go of holes that ended before that time."""
    db.execute("DELETE FROM holes WHERE to_ms < ?", (before_ms,))


def _times(arrival: Arrival) -> dict[str, list[int]]:
    """Times of all that devices said in a frame, by device."""
    found: dict[str, list[int]] = {}
    for block in arrival.blocks:
        if isinstance(block, Rows) and block.is_spoken:
            found.setdefault(block.device, []).extend(map(block.t0.__add__, map(_offset, block.rows)))
    return found
