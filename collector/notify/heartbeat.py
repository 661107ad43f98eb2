"""The watchdog's heartbeat: an outside address is fetched for as long as the judge judges.

Whoever listens there notices when it stops, which nobody on this machine can tell once the machine is down.
"""

from __future__ import annotations

import sqlite3
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from collector.config import Notify
from collector.consumer import Stop
from collector.notify.reach import Reach, limited
from telemetry.files import open_read_only

_TIMEOUT_S = 10
_ALIVE_MS = 120_000


def start_heartbeat(config: Notify, directory: Path, stop: Stop, now_ms: Callable[[], int]) -> threading.Thread:
    """Beat on a thread of its own until stopped."""

    def body() -> None:
        said = ""
        reach = Reach(config.private_networks)
        while not stop.is_set():
            with limited(reach):
                trouble = beat(config.heartbeat_url, directory, now_ms())
            if trouble != said and trouble:
                sys.stderr.write(f"notify: heartbeat: {trouble}\n")
            said = trouble
            stop.wait(config.heartbeat_s)

    thread = threading.Thread(target=body, name="notify-heartbeat", daemon=True)
    thread.start()
    return thread


def beat(url: str, directory: Path, now_ms: int) -> str:
    """Fetch the address if the judge is alive; empty when that went well, else why not."""
    judged_ms = last_tick_ms(directory / "findings.journal")
    if now_ms - judged_ms > _ALIVE_MS:
        return f"none sent: the judge has not judged for {(now_ms - judged_ms) / 1000:.0f} s"
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S):  # noqa: S310 - the operator's own address
            return ""
    except (urllib.error.URLError, OSError, ValueError) as error:
        return f"the address cannot be fetched: {error}"


def last_tick_ms(path: Path) -> int:
    """The tick up to which the judge has judged, 0 when it has not begun."""
    try:
        with closing(open_read_only(path)) as db:
            row = db.execute("SELECT tick_ms FROM judge_time").fetchone()
    except sqlite3.Error:
        return 0
    return row[0] if row else 0
