"""How many different things each agent may tell of: a flood of new names would drown the series and every store."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter

TABLES = """
CREATE TABLE IF NOT EXISTS things(
    device TEXT, kind TEXT, names TEXT, agent TEXT NOT NULL, PRIMARY KEY(device, kind, names)) WITHOUT ROWID;
"""

SERIES_PER_AGENT = 200_000

Thing = tuple[str, str, tuple[str, ...]]
"""Device, kind and names: one series. A device's description counts as one with an empty kind."""


class Budget:
    """The things that were ever let in, by the agent that brought each first. Changes wait for `write`."""

    def __init__(self, db: sqlite3.Connection, most: int = SERIES_PER_AGENT) -> None:
        self._most = most
        self._known: dict[Thing, str] = {
            (device, kind, tuple(json.loads(names))): agent
            for device, kind, names, agent in db.execute("SELECT device, kind, names, agent FROM things")
        }
        self._used = Counter(self._known.values())
        self._new: list[Thing] = []

    def admits(self, agent: str, thing: Thing) -> bool:
        """Whether the agent may tell of that thing; from then on it may always."""
        if thing in self._known:
            return True
        if self._used[agent] >= self._most:
            return False
        self._known[thing] = agent
        self._used[agent] += 1
        self._new.append(thing)
        return True

    def used(self, agent: str) -> int:
        """How many things stand against the agent's name."""
        return self._used[agent]

    def move(self, device: str, agent: str) -> None:
        """The device's things stand against another agent from now on. It may pass its budget by that."""
        for thing, owner in self._known.items():
            if thing[0] == device and owner != agent:
                self._used[owner] -= 1
                self._used[agent] += 1
                self._known[thing] = agent
                self._new.append(thing)

    def write(self, db: sqlite3.Connection) -> None:
        """Put what has changed into the transaction."""
        db.executemany(
            "INSERT OR REPLACE INTO things VALUES(?, ?, ?, ?)",
            [(thing[0], thing[1], json.dumps(thing[2]), self._known[thing]) for thing in self._new],
        )

    def committed(self) -> None:
        """The transaction is on disk."""
        self._new.clear()
