"""The loop of a store process: batches out, answers in, patience in between.

There is no retry budget: a server that is down is waited for, and only the journal's quota gives readings up, counted.
For a server that forgets (`settle_s`), what is written is final once the same run of it was seen again that much later.
"""

from __future__ import annotations

import logging
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from collector.config import StoreConfig
from collector.stores.delivery import Outcome, Store
from collector.stores.feed import Batch, Feed
from collector.stores.ledger import Done, Ledger
from telemetry.clock import monotonic_ms, wall_ms

_LOG = logging.getLogger("memfleet.store")

BACKOFF_MS = (500, 60_000)
"""First and longest wait before a batch is tried again."""

LOOK_MS = 1_000
"""How often what waits is counted, and a forgetful server is looked at."""

MOST_UNSETTLED = 5_000
"""Batches that may wait to settle; a server that never says which run of it this is stops there, not in our memory."""

TELL_MS = 600_000
"""How often the log says that rows are refused."""

WARN_MS = 60_000
"""How often the server's settings are checked."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """Time and chance, for the runner to be told."""

    wall_ms: Callable[[], int] = wall_ms
    monotonic_ms: Callable[[], int] = monotonic_ms
    chance: Callable[[], float] = random.random


@dataclass(frozen=True, slots=True)
class _Unsettled:
    written_ms: int
    done: Done


class StoreRunner:
    """One store. `step` does one thing and says whether there was one to do; it never sleeps."""

    def __init__(self, config: StoreConfig, fleet: str, directory: Path, store: Store, clocks: Clocks) -> None:
        self._store = store
        self._name = config.name
        self._clocks = clocks
        self._settle_ms = config.settle_s * 1000 if config.kind == "victoriametrics" else 0
        self._ledger = Ledger(directory / f"store-{config.name}.db")
        self._feed = Feed(self._ledger, directory, config, fleet)
        self._rows = config.batch_rows
        self._batch: Batch | None = None
        self._unsettled: deque[_Unsettled] = deque()
        self._life: str | None = None
        self._failures = 0
        self._not_before_ms = self._look_ms = self._warn_ms = self._tell_ms = 0
        self._status: dict[str, str] = {}
        self._say("starting", "")

    def step(self) -> bool:
        """Look, settle, write: whatever is due."""
        now = self._clocks.monotonic_ms()
        if now >= self._look_ms:
            self._look_ms = now + LOOK_MS
            self._look(now)
        if now < self._not_before_ms or len(self._unsettled) >= MOST_UNSETTLED:
            return False
        batch = self._batch or self._feed.next()
        if not batch.done.cursors:
            return False
        self._batch = batch
        outcome = self._write(batch)
        if outcome.settled:
            self._batch, self._failures = None, 0
            batch.done.stored = outcome.accepted
            batch.done.refused += outcome.rejected
            self._tell_refused(outcome, now)
            self._finish(batch.done, now)
            self._say("ok", "")
        else:
            self._wait(outcome, now)
        return outcome.settled

    def close(self) -> None:
        """Close every file. What has not settled is written again at the next start."""
        self._feed.close()
        self._ledger.close()

    def _look(self, now: int) -> None:
        for lane in self._feed.lanes.values():
            lane.look()
        self._ledger.save_sights(self._feed.lanes)
        if now >= self._warn_ms:
            self._warn_ms = now + WARN_MS
            self._status_changed(warning=self._store.warning())
        if self._settle_ms:
            self._settle(now)

    def _write(self, batch: Batch) -> Outcome:
        accepted, rejected = 0, []
        for start in range(0, len(batch.lines), self._rows):
            outcome = self._store.write(batch.lines[start : start + self._rows])
            if not outcome.settled:
                return outcome
            accepted += outcome.accepted
            rejected += outcome.rejected
        return Outcome(accepted, rejected)

    def _finish(self, done: Done, now: int) -> None:
        if self._settle_ms:
            self._unsettled.append(_Unsettled(now, done))
        else:
            self._commit(done)

    def _commit(self, done: Done) -> None:
        self._ledger.commit(done, self._feed.lanes, self._clocks.wall_ms())

    def _settle(self, now: int) -> None:
        """Make final what the server has had for long enough, or begin again when it is another run of it."""
        life = self._store.life()
        if life is None:  # out of reach: whether it still has what we wrote will show when it answers
            if len(self._unsettled) >= MOST_UNSETTLED:
                self._say("held", "the server takes writes but does not say at /metrics when it started; let it")
            return
        if self._life is None:
            self._life = life
        if life != self._life:
            self._life = life
            self._begin_again()
            return
        while self._unsettled and now - self._unsettled[0].written_ms >= self._settle_ms:
            self._commit(self._unsettled.popleft().done)

    def _begin_again(self) -> None:
        if self._unsettled:  # else the batch at hand, which is tried again anyway, is all there is
            self._unsettled.clear()
            self._batch = None
            self._feed.rewind()

    def _wait(self, outcome: Outcome, now: int) -> None:
        first, longest = BACKOFF_MS
        pause = min(first * 2 ** min(self._failures, 16), longest) * (0.5 + self._clocks.chance() / 2)
        self._failures += 1
        self._not_before_ms = now + max(int(pause), int((outcome.retry_after_s or 0.0) * 1000))
        self._say("held" if outcome.hold else "waiting", outcome.hold or outcome.reason)
        if outcome.forgotten and self._settle_ms:
            self._begin_again()

    def _tell_refused(self, outcome: Outcome, now: int) -> None:
        if outcome.rejected and now >= self._tell_ms:
            self._tell_ms = now + TELL_MS
            line, reason = outcome.rejected[0]
            _LOG.warning("store %s refuses rows, the first %r: %s", self._name, line[:120], reason[:300])

    def _say(self, state: str, reason: str) -> None:
        before = self._status.get("state")
        if state != before and (reason or before in ("waiting", "held")):
            level = logging.WARNING if reason else logging.INFO
            _LOG.log(level, "store %s: %s", self._name, reason or "takes readings again")
        if (state, reason) != (before, self._status.get("reason")):
            self._status_changed(state=state, reason=reason, since_ms=str(self._clocks.wall_ms()))

    def _status_changed(self, **status: str) -> None:
        if any(self._status.get(key) != value for key, value in status.items()):
            self._status |= status
            self._ledger.save_status(**status)
