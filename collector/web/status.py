"""How each process of the collector is doing, as its files tell: counters, journal depth, and how far behind it is."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from collector.ownfile import own_files
from collector.records import UNDECODABLE, Tick, decode, decode_finding
from collector.stores.report import StoreReport, report
from telemetry.clock import monotonic_ms, wall_ms
from telemetry.files import NO_ROOM, free_bytes, open_read_only

JOURNALS = ("readings", "findings", "desk")

INTAKE_QUIET_MS = 5_000
"""Intake journals a tick each second; without one for so long it hangs."""
BEHIND_MS = 30_000
"""The page shows what the series hold, and alerts are the judge's: further behind than this, old ones pass for new."""
_BEHIND = {"series": "the series are", "judge": "the judge is"}
_LEAST_AGE_MS = 1_000
NEEDED = ("intake", "series", "judge")
"""With every store, and notify where somebody is to be told."""


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """One process. `lag_frames`: unread frames of each journal it reads; `behind_ms`: age of the oldest unread reading;
    `untold_ms`: of notify, age of the oldest unread finding.

    `frames` are held in its own journal (None: it keeps none); `changed_ms` is its last write (wall time); `store` is
    what a store says of itself; `trouble` why a file that is there cannot be read; `broker` why intake hears no
    agents: the broker is not reached, or somebody takes its place there.
    """

    process: str
    file: str
    running: bool = False
    bytes: int = 0
    changed_ms: int = 0
    frames: int | None = None
    behind_ms: int = 0
    store: StoreReport | None = None
    counters: dict[str, int] = field(default_factory=dict)
    lag_frames: dict[str, int] = field(default_factory=dict)
    trouble: str = ""
    broker: str = ""
    untold_ms: int = 0
    is_disk_full: bool = False


class Health:
    """The newest look at the processes, a second old at most, shared by everybody who asks."""

    def __init__(
        self, directory: Path, stores: Sequence[str], now_ms: Callable[[], int] = wall_ms, *, tells: bool = False
    ) -> None:
        self._directory = directory
        self._needed = (*NEEDED, "notify") if tells else NEEDED
        self._stores = stores
        self._now_ms = now_ms
        self._lock = asyncio.Lock()
        self._found: list[ProcessStatus] = []
        self._reasons: list[str] = []
        self._stale_at_ms = 0

    async def look(self) -> tuple[list[ProcessStatus], list[str]]:
        """Every process, and why the collector does not do its work (empty: it does)."""
        async with self._lock:
            if monotonic_ms() >= self._stale_at_ms:
                now_ms = self._now_ms()
                self._found = await asyncio.to_thread(statuses, self._directory, self._stores, now_ms)
                self._reasons = unready(self._found, now_ms, self._needed)
                self._stale_at_ms = monotonic_ms() + _LEAST_AGE_MS
            return self._found, self._reasons


def statuses(directory: Path, stores: Sequence[str], now_ms: int) -> list[ProcessStatus]:
    """The state of every process; one whose file is missing or cannot be read counts as not running."""
    return [_status(directory, process, file, now_ms) for process, file in own_files(stores).items()]


def is_live(intake: ProcessStatus, now_ms: int) -> bool:
    """Whether intake runs, by its own word."""
    return intake.running and now_ms - intake.changed_ms <= INTAKE_QUIET_MS


def unready(found: Sequence[ProcessStatus], now_ms: int, needed: Sequence[str] = NEEDED) -> list[str]:
    """Why the collector is not doing its work, one sentence each; empty when it is. Every store is `needed`, too."""
    reasons = [
        f"{one.process} cannot be looked at ({one.file}: {one.trouble})"
        if one.trouble
        else f"{one.process} is not running yet ({one.file} is missing)"
        for one in found
        if not one.running and (one.process in needed or one.process.startswith("store:"))
    ]
    for one in found:
        if one.process == "intake" and one.running and not is_live(one, now_ms):
            why = ": the disk is full" if one.is_disk_full else ""
            reasons.append(f"intake has written nothing for {_age(now_ms - one.changed_ms)}{why}")
        elif one.broker:  # what an intake said before it fell silent may have ended with it
            reasons.append(one.broker)
        if one.process in _BEHIND and one.behind_ms > BEHIND_MS:
            reasons.append(f"{_BEHIND[one.process]} {_age(one.behind_ms)} behind")
        if "notify" in needed and one.process == "notify" and one.running and _is_deaf(one, now_ms):
            reasons.append(f"notify has not read what was found {_age(one.untold_ms)} ago: nobody is told")
        if one.store and one.store.state == "held":
            reasons.append(f"{one.process} is held: {one.store.reason}")
    return reasons


def _is_deaf(notify: ProcessStatus, now_ms: int) -> bool:
    """Whether it reads nothing: each finding that it takes in is written."""
    return notify.untold_ms > BEHIND_MS and now_ms - notify.changed_ms > BEHIND_MS


def _age(age_ms: int) -> str:
    seconds = age_ms // 1000
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"


def _status(directory: Path, process: str, file: str, now_ms: int) -> ProcessStatus:
    path = directory / file
    try:
        with contextlib.closing(open_read_only(path)) as db:
            lags, behind_ms = _lags(db, directory, now_ms)
            return ProcessStatus(
                process,
                file,
                running=True,
                bytes=sum(each.st_size for each in _with_log(path)),
                changed_ms=_changed_ms(db, path, process),
                frames=_frames_held(db) if file.endswith(".journal") else None,
                behind_ms=behind_ms,
                untold_ms=_untold_ms(directory, lags, now_ms) if process == "notify" else 0,
                store=report(path) if process.startswith("store:") else None,
                counters=dict(db.execute("SELECT name, value FROM counters ORDER BY name")),
                lag_frames=lags,
                broker=_broker(db) if process == "intake" else "",
                is_disk_full=free_bytes(directory) < NO_ROOM,
            )
    except (sqlite3.Error, OSError, ValueError) as error:
        return ProcessStatus(process, file, trouble=f"{error}" if path.exists() else "")


def _changed_ms(db: sqlite3.Connection, path: Path, process: str) -> int:
    """The last write. Of intake, the last that came to an end: its tries on a full disk touch the file, too."""
    if process == "intake":
        newest = db.execute("SELECT data FROM frames ORDER BY id DESC LIMIT 1").fetchone()
        if newest:
            return _stamp_ms(newest[0])
    return max(int(each.st_mtime * 1000) for each in _with_log(path))


def _with_log(path: Path) -> list[os.stat_result]:
    """File and write-ahead log; the log is gone whenever its owner has put all of it into the file and closed it."""
    found = [path.stat()]
    with contextlib.suppress(FileNotFoundError):
        found.append(path.with_name(path.name + "-wal").stat())
    return found


def _broker(db: sqlite3.Connection) -> str:
    with contextlib.suppress(sqlite3.OperationalError):  # of an earlier version that has not been brought up yet
        return "".join(sentence for (sentence,) in db.execute("SELECT sentence FROM trouble"))
    return ""


def _frames_held(db: sqlite3.Connection) -> int:
    first = db.execute("SELECT min(id) FROM frames").fetchone()[0]
    return 0 if first is None else _last_id(db) - int(first) + 1


def _last_id(db: sqlite3.Connection) -> int:
    row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'frames'").fetchone()
    return int(row[0]) if row else 0


def _lags(db: sqlite3.Connection, directory: Path, now_ms: int) -> tuple[dict[str, int], int]:
    """Unread frames by journal, and the age of the oldest unread reading."""
    lags: dict[str, int] = {}
    behind_ms = 0
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'cursors'").fetchone():
        return lags, behind_ms  # just made: it has not begun to read
    for name, generation, id_ in db.execute("SELECT journal, generation, id FROM cursors").fetchall():
        with contextlib.suppress(sqlite3.Error), contextlib.closing(_open_journal(directory, name)) as journal:
            known = journal.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()
            read_to = id_ if known and known[0] == generation else 0
            unread = journal.execute(
                "SELECT id, data FROM frames WHERE id > ? ORDER BY id LIMIT 1", (read_to,)
            ).fetchone()
            lags[name] = _last_id(journal) - unread[0] + 1 if unread else 0
            if unread and name == "readings":
                behind_ms = max(0, now_ms - _stamp_ms(unread[1]))
    return lags, behind_ms


def _untold_ms(directory: Path, lags: Mapping[str, int], now_ms: int) -> int:
    if not lags.get("findings"):
        return 0
    with (
        contextlib.suppress(sqlite3.Error, *UNDECODABLE),
        contextlib.closing(_open_journal(directory, "findings")) as db,
    ):
        place = (_last_id(db) - lags["findings"] + 1,)
        (data,) = db.execute("SELECT data FROM frames WHERE id >= ? ORDER BY id LIMIT 1", place).fetchone()
        return max(0, now_ms - decode_finding(data).at_ms)
    return 0


def _open_journal(directory: Path, name: str) -> sqlite3.Connection:
    return open_read_only(directory / f"{name}.journal")


def _stamp_ms(data: bytes) -> int:
    entry = decode(data)
    return entry.time_ms if isinstance(entry, Tick) else entry.received_ms
