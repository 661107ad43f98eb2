"""The machine under a collector: its disk and its clock."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from agent.report import system_clock_state
from collector.config import CollectorConfig
from memfleet.doctor.finding import Found, unreadable
from telemetry.files import open_read_only

_MIB = 2**20
_LEAST_FREE = 16 * _MIB


def check_data_folder(config: CollectorConfig) -> Found:
    """Whether the data folder can be written and holds what it may grow to."""
    folder = Path(config.data_dir)
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not existing.is_dir():
        return Found("data folder", "wrong", f"{existing} is a file, where a folder belongs", "move it away")
    others = [path for path in (existing, *folder.glob("*")) if not os.access(path, os.W_OK)]
    if others:
        advice = f"chown it to the user that runs the collector, or change data_dir: {folder}"
        return Found("data folder", "wrong", f"{others[0]} cannot be written by this user", advice)
    retention = config.retention
    taken = sum(file.stat().st_size for file in folder.glob("*") if file.is_file())
    wanted = (retention.series_max_mb + retention.journal_max_mb) * _MIB - taken
    free = shutil.disk_usage(existing).free
    advice = "lower retention.series_max_mb and retention.journal_max_mb, or give it a larger disk"
    if free < _LEAST_FREE:
        return Found("data folder", "wrong", f"{folder} has {free // _MIB} MiB free: the disk is full", advice)
    if free < wanted:
        sentence = f"{folder} has {free // _MIB} MiB free; series and a journal may grow by {wanted // _MIB} MiB more"
        return Found("data folder", "doubtful", sentence, advice)
    return Found("data folder", "ok", f"{folder} can be written, {free // _MIB} MiB are free")


def check_series(config: CollectorConfig) -> Found | None:
    """Whether readings had to go before their days were over; None while none had to."""
    path = Path(config.data_dir) / "series.db"
    if not path.exists():
        return None
    try:
        with closing(open_read_only(path)) as db:
            found = db.execute("SELECT value FROM counters WHERE name = 'series_rows_crowded_out'").fetchone()
    except sqlite3.Error as error:
        return unreadable("series", path, error)
    if not found or not found[0]:
        return None
    sentence = f"{found[0]:,} readings went before their {config.retention.raw_days} days were over, since it began"
    return Found("series", "ok", sentence, "if they are wanted, raise retention.series_max_mb")


def check_clock(state: Callable[[], str] = system_clock_state) -> Found:
    """Whether this machine's clock is synchronised: readings without a time of their own get ours."""
    found = state()
    if found == "synchronised":
        return Found("clock", "ok", "the system says that its clock is synchronised")
    sentence = "the system does not say whether its clock is synchronised"
    if found == "unsynchronised":
        sentence = "the system says that its clock is not synchronised"
    return Found("clock", "doubtful", sentence, "run chrony or systemd-timesyncd; in a container the host's counts")
