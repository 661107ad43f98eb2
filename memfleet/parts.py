"""The processes of a collector, by name. Each runs alone under the supervisor, or as a service unit of its own."""

from __future__ import annotations

import importlib
from pathlib import Path

from collector.config import CollectorConfig
from collector.consumer import Stop
from telemetry.errors import UsageError
from telemetry.journal import make_folder

_MODULES = {
    "intake": "collector.intake.process",
    "series": "collector.series.process",
    "judge": "collector.judge.process",
    "notify": "collector.notify.process",
    "page": "collector.web.process",
}


def part_names(config: CollectorConfig) -> list[str]:
    """All parts that this configuration asks for, in the order in which they are started."""
    return [*_MODULES, *(f"store:{store.name}" for store in config.stores)]


def run_part(name: str, config: CollectorConfig, directory: Path, stop: Stop) -> None:
    """Run one part until stopped. UsageError for a name that is none."""
    make_folder(directory)
    if name.startswith("store:"):
        stores = importlib.import_module("collector.stores.process")
        stores.run(config, directory, stop, name.removeprefix("store:"))
    elif name in _MODULES:
        importlib.import_module(_MODULES[name]).run(config, directory, stop)
    else:
        raise UsageError(f"no part {name!r}; this configuration has {', '.join(part_names(config))}")
