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

from collector.config import CollectorConfig, Route
from collector.consumer import Consumer, Stop, run_steps
from collector.notify.channels import Channel, make_targets
from collector.notify.delivery import deliver_until
from collector.notify.evidence import Evidence
from collector.notify.heartbeat import start_heartbeat
from collector.notify.ledger import NEVER_MS, Known, Ledger
from collector.notify.messages import Notice, compose
from collector.notify.muting import Muting
from collector.notify.outbox import FILE, SHADOW, WAITS, Outbox
from collector.notify.routes import wants
from collector.ownfile import open_own
from collector.records import UNDECODABLE, Finding, decode_desk, decode_finding
from telemetry.clock import wall_ms
from telemetry.files import add_counts

WINDOW_MS = 10_000
_KEPT_MS = 30 * 86_400_000


class Maker:
    """Makes messages of incidents. `targets` are the channels' names with their routes, `mode` as in the settings."""

    def __init__(
        self,
        directory: Path,
        config: CollectorConfig,
        targets: Sequence[tuple[str, Route | None]],
        window_ms: int = WINDOW_MS,
    ) -> None:
        journals = {"findings": directory / "findings.journal", "desk": directory / "desk.journal"}
        db = open_own(directory / FILE, "")
        self.outbox, self._ledger, self._muting = Outbox(db), Ledger(db), Muting(db)
        self._consumer = Consumer(db, journals)
        self._config = config
        self._targets = targets
        self._window_ms = window_ms
        self._evidence = Evidence(directory / "series.db")
        with self._consumer.transaction():
            self.outbox.abandon_others([name for name, _ in targets])

    def step(self, now_ms: int) -> bool:
        """Take in what is new, make a message of all that is due. Whether there was anything."""
        desk = self._consumer.poll("desk")
        findings = self._consumer.poll("findings")
        free = not 0 <= now_ms - self._ledger.last_ms() < self._config.notify.interval_s * 1000
        if not desk and not findings and not (free and self._ledger.has_due(now_ms)):
            return False
        with self._consumer.transaction() as db:
            for frame in desk:
                self._muting.take(decode_desk(frame.data))
            if desk:
                self._ledger.release(now_ms)
            for frame in findings:
                self._take(db, frame.data, now_ms)
            if free:
                self._tell(db, now_ms)
            self.outbox.forget_before(now_ms - _KEPT_MS)
        return True

    def close(self) -> None:
        """Close every file."""
        self._evidence.close()
        self._consumer.close()

    def _take(self, db: sqlite3.Connection, data: bytes, now_ms: int) -> None:
        try:
            found = decode_finding(data)
        except UNDECODABLE:
            add_counts(db, {"undecodable_frames": 1})
            return
        if isinstance(found, Finding):
            add_counts(db, {"findings": 1})
            if found.incident:
                self._ledger.take_finding(found)
        elif not self._ledger.take_incident(found, now_ms + self._window_ms):
            add_counts(db, {"over_before_told": 1})

    def _tell(self, db: sqlite3.Connection, now_ms: int) -> None:
        notices = []
        for known in self._ledger.due(now_ms):
            members = self._ledger.members(known.incident.key)
            if not self._is_muted(db, known, members, now_ms):
                notices.append(self._notice(known, members))
        if not notices:
            return
        for names, chosen in self._addressed(notices).items():
            message = compose([notices[index] for index in chosen], self._config.fleet, self._page(), now_ms)
            self.outbox.put(message, names, SHADOW if self._config.notify.mode == "shadow" else WAITS)
            if all(notices[index].known.news == "still" for index in chosen):
                self.outbox.leave_out(message.key)
            add_counts(db, {"messages": 1})
        self._ledger.note_message(now_ms)
        for notice in notices:
            self._ledger.note_told(notice.known, now_ms, self._repeated_ms(now_ms))
            if notice.known.news == "over":
                self._ledger.forget(notice.known.incident.key)
        add_counts(db, {"told": len(notices)})

    def _is_muted(self, db: sqlite3.Connection, known: Known, members: Sequence[Finding], now_ms: int) -> bool:
        incident, news = known.incident, known.news
        if not incident.firing and news != "over":  # over before anybody had to know, or calm: it may yet come back
            self._ledger.put_off(incident.key, self._repeated_ms(now_ms), held=False)
            return True
        known_of = self._muting.is_acknowledged(incident.key, incident.since_ms) or (
            bool(members) and all(self._muting.is_acknowledged(one.key, one.since_ms) for one in members)
        )
        if known_of and news not in ("over", "worse"):
            add_counts(db, {"acknowledged": 1})
            self._ledger.put_off(incident.key, NEVER_MS, held=False)
            return True
        until_ms = self._muting.silenced_until(incident.key, now_ms) or min(
            (self._muting.silenced_until(finding.key, now_ms) for finding in members), default=0
        )
        if until_ms:
            self._ledger.put_off(incident.key, until_ms, held=True)
        return bool(until_ms)

    def _repeated_ms(self, now_ms: int) -> int:
        """When an incident is looked at again of which there is no news."""
        repeat_ms = self._config.notify.repeat_s * 1000
        return now_ms + repeat_ms if repeat_ms else NEVER_MS

    def _notice(self, known: Known, members: Sequence[Finding]) -> Notice:
        if known.news not in ("began", "worse"):
            return Notice(known, members)
        return Notice(known, members, self._evidence.log_lines(known.incident), self._evidence.chart(known.incident))

    def _addressed(self, notices: Sequence[Notice]) -> dict[tuple[str, ...], tuple[int, ...]]:
        """Which channels get which of the notices: those that get the same ones share a message."""
        chosen: dict[str, set[int]] = {}
        for name, route in self._targets:
            wanted = {i for i, n in enumerate(notices) if wants(route, n.known.incident.severity, n.members)}
            chosen.setdefault(name, set()).update(wanted)
        groups: dict[tuple[int, ...], list[str]] = {}
        for name, wanted in chosen.items():
            if wanted:
                groups.setdefault(tuple(sorted(wanted)), []).append(name)
        return {tuple(names): wanted for wanted, names in groups.items()}

    def _page(self) -> str:
        page = self._config.page
        return f"http://{page.host}:{page.port}" if page.port else ""


def run(
    config: CollectorConfig,
    directory: Path,
    stop: Stop,
    *,
    window_ms: int = WINDOW_MS,
    now_ms: Callable[[], int] = wall_ms,
) -> None:
    """Notify until stopped. ConfigError when an address cannot be used."""
    targets = make_targets(config.notify, "settings")
    maker = Maker(directory, config, [(target.channel.name, target.route) for target in targets], window_ms)
    channels = {target.channel.name: target.channel for target in targets}.values()
    interval_ms = config.notify.interval_s * 1000
    threads = [_start(channel, directory / FILE, stop, now_ms, interval_ms) for channel in channels]
    if config.notify.heartbeat_url:
        threads.append(start_heartbeat(config.notify, directory, stop, now_ms))
    try:
        run_steps(lambda: maker.step(now_ms()), stop, idle_s=0.2)
    finally:
        stop.set()
        for thread in threads:
            thread.join(1)  # one that hangs is left behind: its message is on disk as not sent
        maker.close()


def _start(channel: Channel, path: Path, stop: Stop, now_ms: Callable[[], int], interval_ms: int) -> threading.Thread:
    def body() -> None:
        try:
            deliver_until(stop, channel, path, now_ms, random.Random(), interval_ms)  # noqa: S311 - jitter
        except Exception as error:
            sys.stderr.write(f"notify: channel {channel.name} stopped: {error}\n")
            stop.set()

    thread = threading.Thread(target=body, name=f"notify-{channel.name}", daemon=True)
    thread.start()
    return thread
