"""A store's process: the configured kind of server, behind the runner."""

from __future__ import annotations

import contextlib
from pathlib import Path

from collector.config import CollectorConfig, StoreConfig
from collector.consumer import Stop, run_steps
from collector.stores.influxdb import InfluxDB
from collector.stores.itself import Samples, sample_lines
from collector.stores.runner import Clocks, StoreRunner
from collector.stores.victoriametrics import VictoriaMetrics
from collector.web.status import statuses
from telemetry.errors import UsageError


def open_store(config: StoreConfig) -> InfluxDB | VictoriaMetrics:
    """The server that the configuration names; its kind is never guessed."""
    return VictoriaMetrics(config) if config.kind == "victoriametrics" else InfluxDB(config)


def run(config: CollectorConfig, directory: Path, stop: Stop, name: str) -> None:
    """Serve the store of that name until stopped."""
    settings = next((store for store in config.stores if store.name == name), None)
    if settings is None:
        known = ", ".join(store.name for store in config.stores) or "none"
        raise UsageError(f"no store is named {name!r}; the configuration has: {known}")
    names, stores = (config.fleet, config.name), [store.name for store in config.stores]

    def look(at_ms: int) -> list[str]:
        return list(sample_lines(names, settings.prefix, statuses(directory, stores, at_ms), at_ms))

    store = open_store(settings)
    with contextlib.closing(store):
        runner, samples = StoreRunner(settings, config.fleet, directory, store, Clocks()), Samples(store, look)

        def step() -> bool:
            samples.step()
            return runner.step()

        with contextlib.closing(runner):
            run_steps(step, stop)
