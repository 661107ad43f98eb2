"""The identity in rows, read from the files of a collector while it runs or rests."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from collector.stores.report import report


def counters(path: Path) -> dict[str, int]:
    """The counters of a file, empty while there is none."""
    if not path.exists():
        return {}
    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=60)
        try:
            return dict(db.execute("SELECT name, value FROM counters"))
        finally:
            db.close()
    except sqlite3.DatabaseError:
        return {}


def identity_violations(directory: Path) -> list[str]:
    """Sentences, one for each file whose counters do not add up."""
    found = []
    intake = counters(directory / "readings.journal")
    received = intake.get("received_rows", 0)
    known = sum(intake.get(f"{name}_rows", 0) for name in ("accepted", "duplicate", "quarantined"))
    if received != known:
        found.append(f"intake: received {received}, accepted + duplicate + quarantined {known}")
    for path in sorted(directory.glob("store-*.db")):
        said = report(path)
        if said is None:
            continue
        accepted = said.counters.get("accepted_rows", 0)
        known = sum(said.counters.get(f"{name}_rows", 0) for name in ("stored", "refused", "evicted")) + said.pending
        if accepted != known:
            found.append(f"{path.name}: accepted {accepted}, stored + refused + evicted + pending {known}")
    return found
