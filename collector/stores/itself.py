"""How the collector itself is doing, as lines beside those of its fleet: what `/metrics` says, for who scrapes nothing.

    <prefix>collector,collector=...,fleet=...,process=intake <counter>=1i,...,journal_frames=1i,behind_ms=1i <wall ms>
    <prefix>quarantine,collector=...,fleet=...,reason=crc rows=1i <wall ms>

These are samples, not readings: they are in no journal, and one that the server does not take is not written again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from collector.stores.delivery import Store
from collector.stores.lineprotocol import escape_tag, series_key
from collector.web.status import ProcessStatus
from telemetry.clock import monotonic_ms, wall_ms

EVERY_MS = 10_000
AFTER_FAILURE_MS = 60_000

_QUARANTINED = "quarantined_"
_ALL_QUARANTINED = "quarantined_rows"


def sample_lines(names: tuple[str, str], prefix: str, processes: Iterable[ProcessStatus], at_ms: int) -> Iterator[str]:
    """One sample. `names`: of the fleet and of the collector."""
    tags = dict(zip(("fleet", "collector"), names, strict=True))
    for one in processes:
        fields = dict(_fields(one))
        if fields:
            key = series_key(f"{prefix}collector", tags | {"process": one.process})
            yield f"{key} {','.join(f'{escape_tag(name)}={value}i' for name, value in fields.items())} {at_ms}"
        for name, rows in one.counters.items():
            if name.startswith(_QUARANTINED) and name != _ALL_QUARANTINED:
                key = series_key(f"{prefix}quarantine", tags | {"reason": name.removeprefix(_QUARANTINED)})
                yield f"{key} rows={rows}i {at_ms}"


def _fields(one: ProcessStatus) -> Iterator[tuple[str, int]]:
    if not one.running:
        return
    yield from ((name, value) for name, value in one.counters.items() if not name.startswith(_QUARANTINED))
    yield "file_bytes", one.bytes
    if one.frames is not None:
        yield "journal_frames", one.frames
    if "readings" in one.lag_frames:
        yield "behind_ms", one.behind_ms
        yield "lag_frames", one.lag_frames["readings"]
    if one.store is not None:
        yield "pending_rows", one.store.pending
        yield "held", int(one.store.state == "held")


class Samples:
    """Writes one now and then. `look` makes its lines for a wall time."""

    def __init__(
        self, store: Store, look: Callable[[int], list[str]], now_ms: Callable[[], int] = monotonic_ms
    ) -> None:
        self._store = store
        self._look = look
        self._now_ms = now_ms
        self._due_ms = now_ms() + EVERY_MS

    def step(self) -> None:
        """Write a sample if it is time."""
        now = self._now_ms()
        if now >= self._due_ms:
            settled = self._store.write(self._look(wall_ms())).settled
            self._due_ms = now + (EVERY_MS if settled else AFTER_FAILURE_MS)
