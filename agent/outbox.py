"""The outbox: everything that the collector has not yet acknowledged, on disk. Its generation is the wire's epoch and
its frame ids are the sequence numbers, so a new file is a new epoch and numbers are never used twice."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from telemetry.journal import Frame, Journal

_LOG = logging.getLogger("memfleet.agent")

TABLES = """
CREATE TABLE IF NOT EXISTS boots(device TEXT PRIMARY KEY, boot INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS memory(key TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS clocks(
    id INTEGER PRIMARY KEY AUTOINCREMENT, boot_id TEXT NOT NULL UNIQUE, last_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS refused(
    id INTEGER PRIMARY KEY AUTOINCREMENT, reason TEXT NOT NULL, rows INTEGER NOT NULL, body BLOB NOT NULL);
"""
REFUSED_CAP = 1000
_LOST = "lost/"
"""Remembered for each epoch: the newest sequence number that went without an ack."""
CLOCKS_KEPT = 1000


class Outbox:
    """Frames waiting for the collector's ack. Freed by `acknowledged` and by the quota, by nothing else."""

    def __init__(self, path: Path, quota_bytes: int) -> None:
        self._journal = Journal(path, tables=TABLES, quota_bytes=quota_bytes, ballast_bytes=2**20)
        self.epoch = self._journal.generation
        self.damage = self._journal.damage
        self._first = self._journal.first_id()
        self._last = self._journal.last_id()
        self.found = self._last
        """The newest sequence number that an earlier life gave out in this epoch."""
        self._evicting = False
        self._boots: dict[str, int] = {}
        self._texts: dict[str, str] = {}
        self._lost = int(self.recall(_LOST).get(str(self.epoch), 0))

    @property
    def base(self) -> int:
        """The oldest sequence number still held; one past the last when nothing is."""
        return self._first

    @property
    def last(self) -> int:
        """The newest sequence number."""
        return self._last

    @property
    def confirmed(self) -> bool:
        """Whether a collector has had all that is older than `base`, or knows of it that it was lost."""
        return self._first - 1 > self._lost

    @property
    def depth(self) -> int:
        """Frames held."""
        return self._last - self._first + 1

    def add(self, bodies: Sequence[tuple[bytes, int]], clock: tuple[str, int] | None = None) -> None:
        """Put (body, rows) pairs on disk: all of them, or none where it is full (DiskFull). Past the quota the oldest
        go, counted; `base` then tells the collector.

        `clock`: where times are not wall time, the host's boot id and what its monotonic clock shows, ms.
        """
        with self._journal.transaction() as db:
            if clock is not None:
                db.execute(_CLOCK, clock)
                db.execute("DELETE FROM clocks WHERE id <= (SELECT max(id) FROM clocks) - ?", (CLOCKS_KEPT,))
            self._journal.trim(self._first - 1)
            self._journal.append(bodies)
            gone = self._journal.evict()
            lost = self._journal.first_id() - 1 if gone else self._lost
            self._write_memory(lost)
        self._memory_is_written(lost)
        if gone and not self._evicting:
            _LOG.error("the outbox is full (outbox.max_mb): its oldest frames go, and will be missing at the collector")
        self._evicting = gone > 0
        self._first, self._last = self._journal.first_id(), self._journal.last_id()

    def after(self, seq: int, limit: int) -> list[Frame]:
        """The next frames after that number."""
        return self._journal.after(seq, limit)

    def acknowledged(self, contig: int) -> None:
        """The collector has everything up to `contig` on its disk: forget it.

        On our disk it is forgotten with the next commit; a crash before that sends it once more, which does no harm.
        """
        self._first = max(self._first, min(contig, self._last) + 1)

    def begin_epoch(self) -> None:
        """What is held goes under a new epoch: this file is an old copy, and the collector has had its next numbers.

        What of it the collector has had too it gets once more, as the same readings.
        """
        with self._journal.transaction():
            self._journal.trim(self._first - 1)
            self._journal.renew()
        self.epoch = self._journal.generation
        self._first, self._last, self.found = self._journal.first_id(), self._journal.last_id(), 0
        self._lost = 0

    def set_aside(self, frame: Frame, reason: str) -> None:
        """A frame that the broker will never take: out of the stream, kept for people, counted."""
        with self._journal.transaction() as db:
            db.execute("INSERT INTO refused(reason, rows, body) VALUES(?, ?, ?)", (reason, frame.rows, frame.data))
            db.execute("DELETE FROM refused WHERE id <= (SELECT max(id) FROM refused) - ?", (REFUSED_CAP,))
            self._journal.count({"refused_frames": 1, "refused_rows": frame.rows})
            self._journal.trim(frame.id)
            self._write_memory(frame.id)
        self._memory_is_written(frame.id)
        self._first = self._journal.first_id()

    def clocks(self) -> dict[str, int]:
        """The last that the monotonic clock of each of the host's boots was seen to show, ms, oldest boot first."""
        return dict(self._journal.db.execute("SELECT boot_id, last_ms FROM clocks ORDER BY id"))

    def boot_of(self, device: str) -> int:
        """How many boots of the device have been seen, 0 for a device not seen before."""
        if device in self._boots:
            return self._boots[device]
        row = self._journal.db.execute("SELECT boot FROM boots WHERE device = ?", (device,)).fetchone()
        return row[0] if row else 0

    def set_boot(self, device: str, boot: int) -> None:
        """Remember the device's boot count; on disk it is with the next frames."""
        self._boots[device] = boot

    def recall(self, prefix: str) -> dict[str, str]:
        """The texts remembered under keys that begin so, by the rest of the key."""
        rows = self._journal.db.execute(
            "SELECT substr(key, ?), text FROM memory WHERE key >= ? AND key < ? || char(1114111)",
            (len(prefix) + 1, prefix, prefix),
        )
        fresh = {key.removeprefix(prefix): text for key, text in self._texts.items() if key.startswith(prefix)}
        return dict(rows.fetchall()) | fresh

    def remember(self, key: str, text: str) -> None:
        """Keep a text for the next start; on disk it is with the next frames."""
        self._texts[key] = text

    def _write_memory(self, lost: int) -> None:
        """Inside a transaction: a commit of its own for each would cost a write of the disk.

        Frames up to `lost` went without an ack: nobody but us knows, as long as none comes of a later one.
        """
        db = self._journal.db
        db.executemany("INSERT OR REPLACE INTO boots VALUES(?, ?)", self._boots.items())
        texts = self._texts | ({f"{_LOST}{self.epoch}": str(lost)} if lost != self._lost else {})
        db.executemany("INSERT OR REPLACE INTO memory VALUES(?, ?)", texts.items())

    def _memory_is_written(self, lost: int) -> None:
        """Its transaction is on disk, and no sooner: that may be full."""
        self._lost = lost
        self._boots.clear()
        self._texts.clear()

    def counters(self) -> dict[str, int]:
        """Evicted and refused frames and rows."""
        return self._journal.counters()

    def checkpoint(self) -> None:
        """Fold SQLite's log into the file."""
        if self._first > self._journal.first_id():
            with self._journal.transaction():
                self._journal.trim(self._first - 1)
        self._journal.checkpoint()

    def close(self) -> None:
        """Close in order."""
        if self._boots or self._texts:
            with self._journal.transaction():
                self._write_memory(self._lost)
        self.checkpoint()  # what the collector has is not to be found at the next start
        self._journal.close()


_CLOCK = """
INSERT INTO clocks(boot_id, last_ms) VALUES(?, ?) ON CONFLICT(boot_id) DO UPDATE SET last_ms = excluded.last_ms
"""
