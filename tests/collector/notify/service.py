"""Judge and notifier in one process that a test may kill; on its own, so that a new life begins quickly."""

from __future__ import annotations

import threading
from pathlib import Path

from collector.config import CollectorConfig, Judging, Notify
from collector.judge import process as judge
from collector.notify import process as notify


def serve(directory: str, rules: str, url: str) -> None:
    """Judge and notifier, until killed."""
    told = Notify(urls=(url,), private_networks=("127.0.0.0/8",), interval_s=0, repeat_s=0)
    config = CollectorConfig(judging=Judging(rules_file=rules, settle_s=1), notify=told)
    stop = threading.Event()
    path = Path(directory)
    judging = threading.Thread(target=judge.run, args=(config, path, stop), daemon=True)
    judging.start()
    notify.run(config, path, stop, window_ms=50)
