"""Which firmware versions a fleet runs and ran."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FirmwareRow:
    """A version of a platform, on how many devices it ever ran and on how many it runs now."""

    firmware: str
    platform: str
    ever: int
    now: int


def firmwares(db: sqlite3.Connection) -> list[FirmwareRow]:
    """Versions that devices have told, the one that runs on most devices first."""
    return [FirmwareRow(*row) for row in db.execute(_FIRMWARES)]


def usual_update(db: sqlite3.Connection) -> tuple[str, str] | None:
    """The two versions that most devices ran, the one after the other, earlier first; None where no device ran two."""
    found = db.execute(_UPDATE).fetchone()
    return found and (found[0], found[1])


_FIRMWARES = """
SELECT firmware, coalesce(json_extract(texts, '$.platform'), 'other') AS platform, count(DISTINCT device),
    count(DISTINCT CASE WHEN boots.boot = devices.boot THEN device END) AS now
FROM boots LEFT JOIN devices USING(device) LEFT JOIN abouts USING(device) WHERE firmware != ''
GROUP BY firmware, platform ORDER BY now DESC, firmware DESC
"""

_UPDATE = """
WITH ran AS (SELECT device, firmware, max(boot) AS boot FROM boots WHERE firmware != '' GROUP BY device, firmware)
SELECT earlier.firmware, later.firmware, count(*) AS devices FROM ran AS earlier JOIN ran AS later USING(device)
WHERE earlier.boot < later.boot GROUP BY 1, 2 ORDER BY devices DESC, max(later.boot) DESC LIMIT 1
"""
