"""What every reader of a journal has dealt with, its owner forgets: nobody will ask for it again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from collector.backup import held
from collector.config import CollectorConfig
from telemetry.journal import Journal, peek_cursor

_READERS = {
    "readings": ("series.db", "findings.journal"),
    "findings": ("series.db", "notify.db", "readings.journal"),
    "desk": ("series.db", "notify.db", "readings.journal"),
}
_READ_BY_STORES = ("readings", "findings")


def readers_of(name: str, config: CollectorConfig, directory: Path) -> list[Path]:
    """The files of everybody who must have dealt with a frame of that journal before it may be forgotten."""
    stores = config.stores if name in _READ_BY_STORES else ()
    return [directory / file for file in (*_READERS[name], *(f"store-{store.name}.db" for store in stores))]


def forget_read(journal: Journal, name: str, readers: Sequence[Path]) -> None:
    """Forget what all readers have behind them; nothing while one of them has not begun, or a backup is being taken."""
    if held(journal.path.parent):
        return
    cursors = [peek_cursor(path, name) for path in readers]
    least = min((cursor.id if cursor.generation == journal.generation else 0 for cursor in cursors), default=0)
    if least >= journal.first_id():
        with journal.transaction():
            journal.trim(least)
