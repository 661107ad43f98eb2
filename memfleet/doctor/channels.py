"""The channels to people: does any wait to deliver what it has."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from collector.config import CollectorConfig
from collector.judge.reasons import span
from collector.notify.outbox import FILE, Waiting, waiting
from memfleet.doctor.finding import Found, unreadable
from telemetry.files import open_read_only

_LONG_MS = 600_000


def check_channels(config: CollectorConfig, now_ms: int) -> list[Found]:
    """A line for each channel whose oldest message has waited for ten minutes, else one for all. Nothing is sent."""
    path = Path(config.data_dir) / FILE
    if not path.exists():
        return [Found("channels", "ok", "no notifier has run here yet")]
    try:
        with closing(open_read_only(path)) as db:
            late = [one for one in waiting(db) if now_ms - one.since_ms > _LONG_MS]
    except sqlite3.Error as error:
        return [unreadable("channels", path, error)]
    if not late:
        return [Found("channels", "ok", "no message has waited for more than ten minutes")]
    return [_late(one, now_ms) for one in late]


def _late(one: Waiting, now_ms: int) -> Found:
    """It is wrong where tries failed; what waits untried has a backlog before it, or nobody who tries it."""
    age = span((now_ms - one.since_ms) / 1000)
    many = f"{one.messages} messages wait" if one.messages > 1 else "a message waits"
    if not one.tries:
        return Found(f"channel {one.channel}", "doubtful", f"{many}, for {age}, untried", "does the collector run?")
    sentence = f"{many}, for {age}; times tried: {one.tries}; {one.error}"
    return Found(f"channel {one.channel}", "wrong", sentence, "memfleet notify --test tries every channel")
