"""What people ask for, written down: the desk journal, read by intake, series and notifier."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from collector.records import Desk, encode_desk
from collector.trimming import forget_read
from telemetry.clock import wall_ms
from telemetry.errors import UsageError
from telemetry.journal import Journal

_QUOTA_BYTES = 64 * 2**20  # a few hundred thousand entries: what a person can ask for in years


@dataclass(frozen=True, slots=True)
class Listing:
    """A device of the inventory; `agent` empty: whichever speaks first."""

    device: str
    agent: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


class DeskBook:
    """The page's own journal. An entry is on disk when its method returns; a full disk raises EnvironmentFault.

    `readers` are the files of those who must have dealt with an entry before it is forgotten.
    """

    def __init__(self, path: Path, now_ms: Callable[[], int] = wall_ms, readers: Sequence[Path] = ()) -> None:
        self._journal = Journal(path, quota_bytes=_QUOTA_BYTES)
        self._now_ms = now_ms
        self._readers = readers

    def acknowledge(self, key: str, by: str) -> None:
        """Somebody has seen this finding."""
        self._write(Desk("acknowledge", self._now_ms(), by, key=_required(key, "key")))

    def silence(self, pattern: str, until_ms: int, by: str) -> None:
        """Keep quiet about the findings whose keys match the pattern (`*`, `?`), until then."""
        now_ms = self._now_ms()
        if until_ms <= now_ms:
            raise UsageError(f"until_ms: {until_ms} is in the past (it is {now_ms} now, milliseconds since 1970)")
        self._write(Desk("silence", now_ms, by, key=_required(pattern, "pattern"), until_ms=until_ms))

    def unsilence(self, pattern: str, by: str) -> None:
        """End a silence early."""
        self._write(Desk("unsilence", self._now_ms(), by, key=_required(pattern, "pattern")))

    def move(self, device: str, agent: str, by: str) -> None:
        """Let another agent speak for a device."""
        entry = Desk("move", self._now_ms(), by, device=_required(device, "device"), agent=_required(agent, "agent"))
        self._write(entry)

    def enlist(self, listings: Sequence[Listing], by: str) -> None:
        """List devices: all of them or, when the disk is full, none."""
        now_ms = self._now_ms()
        self._write(
            *(
                Desk("enlist", now_ms, by, device=one.device, agent=one.agent, labels=dict(one.labels))
                for one in listings
            )
        )

    def retire(self, device: str, by: str) -> None:
        """Take a device out of service."""
        self._write(Desk("retire", self._now_ms(), by, device=_required(device, "device")))

    def retry_quarantine(self, ids: Sequence[int], by: str) -> None:
        """Take these quarantined bodies in again."""
        self._write(Desk("quarantine_retry", self._now_ms(), by, ids=_some(ids)))

    def purge_quarantine(self, ids: Sequence[int], by: str) -> None:
        """Throw these quarantined bodies away."""
        self._write(Desk("quarantine_purge", self._now_ms(), by, ids=_some(ids)))

    def _write(self, *entries: Desk) -> None:
        forget_read(self._journal, "desk", self._readers)
        with self._journal.transaction():
            self._journal.append([(encode_desk(entry), 1) for entry in entries])
            self._journal.evict()
            self._journal.count(Counter(entry.action for entry in entries))
        self._journal.checkpoint()

    def close(self) -> None:
        """Close the journal in order."""
        self._journal.close()


def _required(text: str, name: str) -> str:
    if not text:
        raise UsageError(f"{name}: missing")
    return text


def _some(ids: Sequence[int]) -> tuple[int, ...]:
    if not ids:
        raise UsageError("ids: missing; name at least one quarantined body")
    return tuple(ids)
