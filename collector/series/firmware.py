"""Which firmware versions a fleet runs and ran."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FirmwareRow:
    """A version, on how many devices it ever ran and on how many it runs now."""

    firmware: str
    ever: int
    now: int


def firmwares(db: sqlite3.Connection) -> list[FirmwareRow]:
    """Versions that devices have told, the one that runs on most devices first."""
    return [FirmwareRow(*row) for row in db.execute(_FIRMWARES)]


_FIRMWARES = """
SELECT firmware, count(DISTINCT device), count(DISTINCT CASE WHEN boots.boot = devices.boot THEN device END) AS now
FROM boots LEFT JOIN devices USING(device) WHERE firmware != '' GROUP BY firmware ORDER BY now DESC, firmware DESC
"""
