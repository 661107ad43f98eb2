"""The notifier as a process: findings and desk journals in, messages out; it owns notify.db.

One thread makes messages; one thread a channel delivers them, so that a channel that hangs delays no other.
"""

from __future__ import annotations

import random
import sqlite3
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from collector.config import CollectorConfig
from collector.consumer import Consumer, Stop, run_steps
from collector.notify.channels import Channel, make_channels
from collector.notify.delivery import deliver_until
from collector.notify.messages import compose
from collector.notify.muting import Muting
from collector.notify.outbox import SHADOW, WAITS, Outbox
from collector.records import Finding, decode_desk, decode_finding
from telemetry.clock import wall_ms
from telemetry.journal import add_counts, connect

_FILE = "notify.db"
_WINDOW_MS = 10_000
_KEPT_MS = 30 * 86_400_000


class Maker:
    """Makes messages of findings. `channels` are the names they go to, `mode` as in the settings."""

    def __init__(self, directory: Path, config: CollectorConfig, channels: Sequence[str], window_ms: int) -> None:
        journals = {"findings": directory / "findings.journal", "desk": directory / "desk.journal"}
        db = connect(directory / _FILE)
        self.outbox, self._muting = Outbox(db), Muting(db)
        self._consumer = Consumer(db, journals)
        self._config = config
        self._channels = channels
        self._window_ms = window_ms
        with self._consumer.transaction():
            self.outbox.abandon_others(channels)

    def step(self, now_ms: int) -> bool:
        """Take in what is new, make messages of the groups that are complete. Whether there was anything."""
        desk = self._consumer.poll("desk")
        findings = self._consumer.poll("findings")
        if not desk and not findings and not self.outbox.has_ripe(now_ms):
            return False
        with self._consumer.transaction() as db:
            for frame in desk:
                self._muting.take(decode_desk(frame.data))
            if desk:
                self.outbox.release(now_ms)
            for frame in findings:
                self._take(db, decode_finding(frame.data), now_ms)
            for group in self.outbox.take_ripe(now_ms):
                self._make(db, group, now_ms)
            self.outbox.forget_before(now_ms - _KEPT_MS)
        return True

    def close(self) -> None:
        """Close every file."""
        self._consumer.close()

    def _take(self, db: sqlite3.Connection, finding: Finding, now_ms: int) -> None:
        add_counts(db, {"findings": 1})
        if finding.status == "resolved" and self.outbox.withdraw(finding.episode):
            add_counts(db, {"over_before_told": 2})  # the beginning and its end
        elif finding.status == "resolved" and not self.outbox.was_told(finding.episode):
            add_counts(db, {"never_told": 1})
        else:
            self.outbox.wait(finding, now_ms + self._window_ms)

    def _make(self, db: sqlite3.Connection, group: list[Finding], now_ms: int) -> None:
        telling = []
        for finding in group:
            until_ms = self._muting.silenced_until(finding.key, now_ms)
            if finding.status == "firing" and self._muting.is_acknowledged(finding):
                add_counts(db, {"acknowledged": 1})
            elif until_ms:
                self.outbox.hold(finding, until_ms)
            else:
                telling.append(finding)
        if telling:
            page = self._config.page
            address = f"http://{page.host}:{page.port}" if page.port else ""
            message = compose(telling, self._config.fleet, address, now_ms)
            self.outbox.put(message, self._channels, SHADOW if self._config.notify.mode == "shadow" else WAITS)
            self.outbox.note_told(telling, now_ms)
            add_counts(db, {"told": len(telling), "messages": 1})


def run(
    config: CollectorConfig,
    directory: Path,
    stop: Stop,
    *,
    window_ms: int = _WINDOW_MS,
    now_ms: Callable[[], int] = wall_ms,
) -> None:
    """Notify until stopped. ConfigError when an address cannot be used."""
    channels = make_channels(config.notify, "settings")
    maker = Maker(directory, config, [channel.name for channel in channels], window_ms)
    threads = [_start(channel, directory / _FILE, stop, now_ms) for channel in channels]
    try:
        run_steps(lambda: maker.step(now_ms()), stop, idle_s=0.2)
    finally:
        stop.set()
        for thread in threads:
            thread.join(1)  # one that hangs is left behind: its message is on disk as not sent
        maker.close()


def _start(channel: Channel, path: Path, stop: Stop, now_ms: Callable[[], int]) -> threading.Thread:
    def body() -> None:
        try:
            deliver_until(stop, channel, path, now_ms, random.Random())  # noqa: S311 - jitter
        except Exception as error:
            sys.stderr.write(f"notify: channel {channel.name} stopped: {error}\n")
            stop.set()

    thread = threading.Thread(target=body, name=f"notify-{channel.name}", daemon=True)
    thread.start()
    return thread
