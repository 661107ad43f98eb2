"""The boots of a device, numbered on when somebody else begins to count them.

An agent counts the boots that it has seen. After a lost data folder, or at another agent, the count begins anew: such
boots would pass for old ones, with their firmware, and for the same ones where numbers meet. So they are put above
those that the device had. Who counts is known by the epoch: one life of an outbox.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

TABLES = """
CREATE TABLE IF NOT EXISTS counted(
    device TEXT PRIMARY KEY, agent TEXT NOT NULL, epoch INTEGER NOT NULL, ahead INTEGER NOT NULL,
    newest INTEGER NOT NULL) WITHOUT ROWID;
"""

ANY_EPOCH = 0
"""Of what comes out of quarantine: the epoch is not kept there."""
_TOO_MANY = 2**32


@dataclass(slots=True)
class _Count:
    """Who counts, what is added to that, and the newest boot with it."""

    agent: str
    epoch: int
    ahead: int
    newest: int


class Boots:
    """Boots by device. Changes wait for `write`."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._counts = {
            device: _Count(*count)
            for device, *count in db.execute("SELECT device, agent, epoch, ahead, newest FROM counted")
        }
        self._changed: set[str] = set()

    def number(self, device: str, boot: int, agent: str, epoch: int) -> int:
        """The device's boot that the agent calls so in that epoch of its outbox."""
        count = self._counts.get(device)
        if count is None:
            count = self._counts[device] = _Count(agent, epoch, 0, boot)
            self._changed.add(device)
        elif count.epoch != epoch:
            self._hand_over(count, boot, agent, epoch)
            self._changed.add(device)
        number = boot + count.ahead
        if number >= _TOO_MANY:
            return boot
        if number > count.newest:
            count.newest = number
            self._changed.add(device)
        return number

    def _hand_over(self, count: _Count, boot: int, agent: str, epoch: int) -> None:
        same = agent == count.agent
        if same and ANY_EPOCH in (epoch, count.epoch):
            count.epoch = epoch or count.epoch
            return
        if not same or boot + count.ahead < count.newest:
            count.ahead = max(0, count.newest + 1 - boot)
        count.agent, count.epoch = agent, epoch

    def write(self, db: sqlite3.Connection) -> None:
        """Put what has changed into the transaction."""
        counts = [(device, self._counts[device]) for device in self._changed]
        db.executemany(
            "INSERT OR REPLACE INTO counted VALUES(?, ?, ?, ?, ?)",
            [(device, count.agent, count.epoch, count.ahead, count.newest) for device, count in counts],
        )

    def committed(self) -> None:
        """The transaction is on disk."""
        self._changed.clear()
