"""The machine under a collector: its disk and its clock."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from agent.report import system_clock_state
from collector.config import CollectorConfig
from memfleet.doctor.finding import Found

_MIB = 2**20
_LEAST_FREE = 16 * _MIB


def check_data_folder(config: CollectorConfig) -> Found:
    """Whether the data folder can be written and holds what it may grow to."""
    folder = Path(config.data_dir)
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not os.access(existing, os.W_OK):
        advice = f"chown it to the user that runs the collector, or change data_dir: {existing}"
        return Found("data folder", "wrong", f"{folder} cannot be written by this user", advice)
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


def check_clock(state: Callable[[], str] = system_clock_state) -> Found:
    """Whether this machine's clock is synchronised: readings without a time of their own get ours."""
    found = state()
    if found == "synchronised":
        return Found("clock", "ok", "the system says that its clock is synchronised")
    sentence = "the system does not say whether its clock is synchronised"
    if found == "unsynchronised":
        sentence = "the system says that its clock is not synchronised"
    return Found("clock", "doubtful", sentence, "run chrony or systemd-timesyncd; in a container the host's counts")
