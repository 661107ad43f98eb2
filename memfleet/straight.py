"""An emulated fleet's readings straight into a long-term store, as a collector would write them there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import closing
from itertools import islice

from collector.config import CollectorConfig, StoreConfig
from collector.stores.delivery import Outcome, Store
from collector.stores.lineprotocol import Encoder
from collector.stores.process import open_store
from telemetry.errors import EnvironmentFault, UsageError
from telemetry.readings import About, Reading
from telemetry.wire import Rows, flag_bits

ATTEMPTS = 5
WAIT_S = 1.0


def write_store(items: Iterable[About | Reading], config: CollectorConfig, name: str) -> tuple[int, list[str]]:
    """Write all readings to the store of that name in a collector's configuration: how many, and why others were not.

    EnvironmentFault where the store cannot be reached, wants something done first, or stays busy.
    """
    settings = next((store for store in config.stores if store.name == name), None)
    if settings is None:
        known = ", ".join(store.name for store in config.stores) or "none"
        raise UsageError(f"no store is named {name!r}; the configuration has: {known}")
    writer = _Writer(settings, config.fleet)
    accepted = 0
    with closing(open_store(settings)) as store:
        readings = iter(items)
        while batch := list(islice(readings, settings.batch_rows)):
            if lines := writer.lines(batch):
                outcome = _written(store, lines, time.sleep)
                accepted += outcome.accepted
                writer.refused += [f"{line}: {reason}" for line, reason in outcome.rejected]
    return accepted, writer.refused


class _Writer:
    """Readings as lines; `refused` are those that line protocol cannot say."""

    def __init__(self, store: StoreConfig, fleet: str) -> None:
        self.refused: list[str] = []
        self._abouts: dict[str, About] = {}
        numbers_only = store.kind == "victoriametrics"
        self._encoder = Encoder(fleet, store.prefix, self._about, numbers_only=numbers_only)

    def lines(self, items: Iterable[About | Reading]) -> list[str]:
        """The lines of the readings, in order."""
        written: list[str] = []
        for item in items:
            if isinstance(item, About):
                self._abouts[item.device] = item
                self._encoder.forget(item.device)
            else:
                lines, refused = self._encoder.rows(_rows(item))
                written += lines
                self.refused += [f"{what}: {why}" for what, why in refused]
        return written

    def _about(self, device: str) -> About:
        return self._abouts.get(device) or About(device, 0)


def _rows(one: Reading) -> Rows:
    row = [0, None if one.uptime_ms is None else 0, *one.values.values()]
    return Rows(
        one.device, one.boot, one.kind, one.names, flag_bits(one.flags), one.resolution, one.time_ms, one.uptime_ms,
        tuple(one.values), [row],
    )  # fmt: skip


def _written(store: Store, lines: list[str], sleep: Callable[[float], None]) -> Outcome:
    """The batch, settled; tried again where the server asks for time."""
    outcome = store.write(lines)
    for _ in range(ATTEMPTS - 1):
        if outcome.settled or outcome.hold:
            break
        sleep(max(WAIT_S, outcome.retry_after_s or 0.0))
        outcome = store.write(lines)
    if not outcome.settled:
        raise EnvironmentFault(f"store {store.name}: {outcome.hold or outcome.reason}", retry=outcome.hold is None)
    return outcome
