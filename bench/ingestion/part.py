"""Run one part of a collector until SIGTERM: intake, series or store.

    python -S part.py intake|series|store CONFIG DIRECTORY [NAME]

CONFIG is the configuration as JSON. With -S no editable install comes between, so the packages are those of the tree
that PYTHONPATH names first.
"""

from __future__ import annotations

import importlib
import json
import signal
import sys
import threading
from pathlib import Path

import msgspec

MODULES = {
    "intake": "collector.intake.process",
    "series": "collector.series.process",
    "store": "collector.stores.process",
}


def main() -> None:
    part, settings, directory, *rest = sys.argv[1:]
    config_class = importlib.import_module("collector.config").CollectorConfig
    config = msgspec.convert(json.loads(settings), config_class)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    importlib.import_module(MODULES[part]).run(config, Path(directory), stop, *rest)


if __name__ == "__main__":
    main()
