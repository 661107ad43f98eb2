"""What intake remembers: it stands in the readings journal's own file and commits together with the frames."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from collector.intake import boots, budget, inventory, wallclocks
from collector.intake.boots import Boots
from collector.intake.budget import SERIES_PER_AGENT, Budget
from collector.intake.inventory import Inventory
from collector.intake.refusals import Refusals
from collector.intake.wallclocks import WallClocks
from telemetry.files import add_counts
from telemetry.messages import Status

TABLES = """
CREATE TABLE IF NOT EXISTS contig(
    agent TEXT, epoch INTEGER, contig INTEGER NOT NULL, PRIMARY KEY(agent, epoch)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS owners(
    device TEXT PRIMARY KEY, agent TEXT NOT NULL, since_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS anchors(
    agent TEXT, boot_id TEXT, anchor_ms INTEGER NOT NULL, PRIMARY KEY(agent, boot_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS agents(
    agent TEXT PRIMARY KEY, online INTEGER NOT NULL, epoch INTEGER NOT NULL, version TEXT NOT NULL,
    seen_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS quarantine(
    id INTEGER PRIMARY KEY AUTOINCREMENT, received_ms INTEGER NOT NULL, agent TEXT NOT NULL, reason TEXT NOT NULL,
    detail TEXT NOT NULL, rows INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS quarantine_of ON quarantine(agent, reason, rows, received_ms);
CREATE TABLE IF NOT EXISTS trouble(sentence TEXT NOT NULL);
"""
TABLES += boots.TABLES + budget.TABLES + inventory.TABLES + wallclocks.TABLES

Life = TypeVar("Life", int, str)
"""An epoch (one life of an outbox), or the name of a boot."""

LIVES_PER_AGENT = 64
"""Outboxes and boots of an agent that are kept in mind: one that makes up ever new ones fills no memory and no disk."""

QUARANTINE_CAP = 100_000
QUARANTINE_BYTES = 256 * 2**20
"""Entries and bytes kept; the oldest go first and are counted in `quarantine_evicted_rows`."""
_LOOK_BYTES = 2**20
"""So much comes into quarantine before its bytes are summed up again: that takes a walk through all of it."""


_OVER_BYTES = """
SELECT coalesce(max(id), 0) FROM (SELECT id, sum(length(body)) OVER (ORDER BY id DESC) AS held FROM quarantine)
WHERE held > ?
"""


@dataclass(frozen=True, slots=True)
class Refused:
    """A frame, block or row that was not accepted, kept for people to look at and to try again."""

    received_ms: int
    agent: str
    reason: str
    detail: str
    rows: int
    body: bytes


class IntakeState:
    """The tables in memory, with what has changed since the last commit. `trouble` is what people ought to mend."""

    def __init__(self, db: sqlite3.Connection, series_per_agent: int = SERIES_PER_AGENT) -> None:
        self.budget = Budget(db, series_per_agent)
        self.inventory = Inventory(db)
        self.boots = Boots(db)
        self.wall_clocks = WallClocks(db)
        self.refusals = Refusals(db)
        self.contig: dict[tuple[str, int], int] = {
            (agent, epoch): contig for agent, epoch, contig in db.execute("SELECT agent, epoch, contig FROM contig")
        }
        self.owners: dict[str, str] = dict(db.execute("SELECT device, agent FROM owners"))
        self.anchors: dict[tuple[str, str], int] = {
            (agent, boot_id): anchor for agent, boot_id, anchor in db.execute("SELECT * FROM anchors")
        }
        self._live_epochs: dict[str, int] = dict(db.execute("SELECT agent, epoch FROM agents"))
        self._epochs = _by_agent(self.contig)
        self._boots = _by_agent(self.anchors)
        self.trouble = self._known_trouble = "".join(sentence for (sentence,) in db.execute("SELECT * FROM trouble"))
        self.counts: Counter[str] = Counter()
        self.frames: list[tuple[bytes, int]] = []
        self.refused: list[Refused] = []
        self._unlooked = _LOOK_BYTES
        self._moved: set[tuple[str, int]] = set()
        self._forgotten: list[tuple[str, int]] = []
        self._forgotten_boots: list[tuple[str, str]] = []
        self._new_owners: list[tuple[str, str, int]] = []
        self._new_anchors: dict[tuple[str, str], int] = {}
        self._agents: dict[str, tuple[str, int, int, str, int]] = {}

    def knows(self, agent: str) -> bool:
        """Whether a frame of that agent came before."""
        return bool(self._epochs.get(agent))

    def move_contig(self, agent: str, epoch: int, contig: int) -> None:
        """Everything of that epoch up to `contig` has been dealt with."""
        if (agent, epoch) not in self.contig:
            self._make_room(agent, epoch)
        self.contig[agent, epoch] = contig
        self._moved.add((agent, epoch))

    def _make_room(self, agent: str, epoch: int) -> None:
        """Forget the agent's oldest epoch when there are too many; not the one that it says it is in."""
        epochs = self._epochs.setdefault(agent, [])
        epochs.append(epoch)
        if len(epochs) > LIVES_PER_AGENT:
            gone = next(known for known in epochs if known != self._live_epochs.get(agent))
            epochs.remove(gone)
            del self.contig[agent, gone]
            self._moved.discard((agent, gone))
            self._forgotten.append((agent, gone))
            self.counts["forgotten_epochs"] += 1

    def set_owner(self, device: str, agent: str, now_ms: int) -> None:
        """From now on the device belongs to that agent."""
        if self.owners.get(device, agent) != agent:
            self.budget.move(device, agent)
            self.inventory.unknown.add(device)
        self.owners[device] = agent
        self._new_owners.append((device, agent, now_ms))

    def set_anchor(self, agent: str, boot_id: str, anchor_ms: int) -> None:
        """Where a sender's monotonic 0 stands in wall time from now on."""
        boots = self._boots.setdefault(agent, [])
        if (agent, boot_id) not in self.anchors:
            boots.append(boot_id)
        self.anchors[agent, boot_id] = anchor_ms
        self._new_anchors[agent, boot_id] = anchor_ms
        if len(boots) > LIVES_PER_AGENT:
            gone = min(boots, key=lambda boot: self.anchors[agent, boot])
            boots.remove(gone)
            del self.anchors[agent, gone]
            self._new_anchors.pop((agent, gone), None)
            self._forgotten_boots.append((agent, gone))
            self.counts["forgotten_boots"] += 1

    def anchors_of(self, agent: str) -> dict[str, int]:
        """Where the monotonic 0 of each of an agent's boots stands in wall time."""
        return {boot_id: self.anchors[agent, boot_id] for boot_id in self._boots.get(agent, ())}

    def wants_descriptions(self, agent: str) -> bool:
        """Whether a device of the agent has spoken that was not described."""
        return any(self.owners.get(device) == agent for device in self.inventory.unknown)

    def note_agent(self, agent: str, status: Status, now_ms: int) -> None:
        """An agent has come or gone."""
        self._live_epochs[agent] = status.epoch
        self._agents[agent] = (agent, int(status.online), status.epoch, status.version, now_ms)

    def write(self, db: sqlite3.Connection) -> None:
        """Put everything that has changed into the transaction, except `frames`, which are the journal's to append."""
        db.executemany("DELETE FROM contig WHERE agent = ? AND epoch = ?", self._forgotten)
        db.executemany("DELETE FROM anchors WHERE agent = ? AND boot_id = ?", self._forgotten_boots)
        db.executemany(
            "INSERT OR REPLACE INTO contig VALUES(?, ?, ?)",
            [(agent, epoch, self.contig[agent, epoch]) for agent, epoch in self._moved],
        )
        db.executemany("INSERT OR REPLACE INTO owners VALUES(?, ?, ?)", self._new_owners)
        anchors = [(*boot, anchor_ms) for boot, anchor_ms in self._new_anchors.items()]
        db.executemany("INSERT OR REPLACE INTO anchors VALUES(?, ?, ?)", anchors)
        db.executemany("INSERT OR REPLACE INTO agents VALUES(?, ?, ?, ?, ?)", self._agents.values())
        self.budget.write(db)
        self.inventory.write(db)
        self.boots.write(db)
        self.wall_clocks.write(db)
        if self.trouble != self._known_trouble:
            db.execute("DELETE FROM trouble")
            db.executemany("INSERT INTO trouble VALUES(?)", [(self.trouble,)] if self.trouble else [])
        if self.refused:
            self._write_refused(db)
        add_counts(db, self.counts)

    def _write_refused(self, db: sqlite3.Connection) -> None:
        db.executemany(
            "INSERT INTO quarantine(received_ms, agent, reason, detail, rows, body) VALUES(?, ?, ?, ?, ?, ?)",
            [(r.received_ms, r.agent, r.reason, r.detail[:500], r.rows, r.body) for r in self.refused],
        )
        over = db.execute("SELECT max(id) - ? FROM quarantine", (QUARANTINE_CAP,)).fetchone()[0]
        self._unlooked += sum(len(refused.body) for refused in self.refused)
        if self._unlooked >= _LOOK_BYTES:
            self._unlooked = 0
            over = max(over, db.execute(_OVER_BYTES, (QUARANTINE_BYTES,)).fetchone()[0])
        gone = db.execute("SELECT coalesce(sum(rows), 0) FROM quarantine WHERE id <= ?", (over,)).fetchone()[0]
        db.execute("DELETE FROM quarantine WHERE id <= ?", (over,))
        self.counts["quarantine_evicted_rows"] += gone

    def committed(self) -> None:
        """The transaction is on disk: nothing is pending any more."""
        self._known_trouble = self.trouble
        self.counts.clear()
        self.frames.clear()
        self.refused.clear()
        self._moved.clear()
        self._forgotten.clear()
        self._forgotten_boots.clear()
        self._new_owners.clear()
        self._new_anchors.clear()
        self._agents.clear()
        self.budget.committed()
        self.inventory.committed()
        self.boots.committed()
        self.wall_clocks.committed()


def _by_agent(lives: Iterable[tuple[str, Life]]) -> dict[str, list[Life]]:
    found: dict[str, list[Life]] = {}
    for agent, life in lives:
        found.setdefault(agent, []).append(life)
    return found
