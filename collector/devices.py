"""What is known of each device, as the stream told it: kept in the consumer's own file, committed with its cursor."""

from __future__ import annotations

import json
import sqlite3

from telemetry.readings import About

_TABLES = """
CREATE TABLE IF NOT EXISTS abouts(
    device TEXT PRIMARY KEY, boot INTEGER NOT NULL, texts TEXT NOT NULL, limits TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS boots(
    device TEXT NOT NULL, boot INTEGER NOT NULL, firmware TEXT NOT NULL, PRIMARY KEY(device, boot)) WITHOUT ROWID;
"""

_MOST_BOOTS = 1000


class DeviceBook:
    """The newest `about` of each device, and in `boots` the firmware that each boot ran.

    A replay from the start of the stream learns the very same.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        db.executescript(_TABLES)
        self._db = db
        self._abouts = read_abouts(db)

    def learn(self, about: About) -> None:
        """Take in a description, inside the consumer's transaction; a later boot's is not replaced by an earlier's."""
        known = self._abouts.get(about.device)
        if known is not None and (known.boot > about.boot or known == about):
            return
        self._abouts[about.device] = about
        row = (about.device, about.boot, json.dumps(dict(about.texts)), json.dumps(dict(about.limits)))
        self._db.execute("INSERT OR REPLACE INTO abouts VALUES(?, ?, ?, ?)", row)
        firmware = about.texts.get("firmware", "")
        self._db.execute("INSERT OR REPLACE INTO boots VALUES(?, ?, ?)", (about.device, about.boot, firmware))
        self._db.execute("DELETE FROM boots WHERE device = ? AND boot < ?", (about.device, about.boot - _MOST_BOOTS))

    def about(self, device: str) -> About:
        """The description, empty for a device that has not been described."""
        return self._abouts.get(device) or About(device, 0)

    def platform(self, device: str) -> str:
        """The device's platform, `other` when unknown."""
        return self.about(device).texts.get("platform", "other")

    def __len__(self) -> int:
        return len(self._abouts)


def read_abouts(db: sqlite3.Connection) -> dict[str, About]:
    """The newest description of each device that a consumer's file holds."""
    return {
        device: About(device, boot, json.loads(texts), json.loads(limits))
        for device, boot, texts, limits in db.execute("SELECT device, boot, texts, limits FROM abouts")
    }
