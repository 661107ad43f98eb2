"""One channel's thread: sends its messages in their order, at least once each.

sent -> the next one, `interval_ms` later      failed -> the same one, after a delay that grows with each failure
A message that failed often stands aside, so that one that is refused for ever does not hold up the others.
"""

from __future__ import annotations

import contextlib
import random
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from collector.consumer import Stop
from collector.notify.channels import Channel
from collector.notify.outbox import GIVEN_UP, SENT, WAITS, Outbox
from telemetry.files import connect

_FIRST_DELAY_MS, _LONGEST_DELAY_MS = 1_000, 300_000
_GIVE_UP_MS = 86_400_000
_STUBBORN, _ASIDE_MS = 10, 3_600_000
"""After so many tries, about ten minutes, a message lets others go first for so long."""
_IDLE_S = 0.2


def delay_ms(failures: int, chance: random.Random) -> int:
    """How long to wait after a failure with so many right before it: doubling from a second to five minutes, half of it
    by chance."""
    most = min(_LONGEST_DELAY_MS, _FIRST_DELAY_MS << min(failures, 16))
    return most // 2 + int(chance.random() * (most - most // 2))


def deliver_until(
    stop: Stop, channel: Channel, path: Path, now_ms: Callable[[], int], chance: random.Random, interval_ms: int
) -> None:
    """Deliver what the outbox holds for this channel until stopped."""
    db = connect(path)
    outbox = Outbox(db)
    try:
        while not stop.is_set():
            if not deliver_next(outbox, db, channel, now_ms, chance, interval_ms):
                stop.wait(_IDLE_S)
    finally:
        db.close()


def deliver_next(
    outbox: Outbox,
    db: sqlite3.Connection,
    channel: Channel,
    now_ms: Callable[[], int],
    chance: random.Random,
    interval_ms: int = 0,
) -> bool:
    """Try the next message that is due, and note how it went; whether there was one. One that was sent is followed by a
    pause of `interval_ms`.

    The try comes before the note: a crash between them sends the message again, with the same key.
    """
    delivery = outbox.next_due(channel.name, now_ms())
    if delivery is None:
        return False
    message = delivery.message
    error = channel.send(message.title, message.body, message.level, message.picture)
    with _transaction(db):
        now = now_ms()
        if error is None:
            outbox.settle(delivery, channel.name, SENT)
            outbox.pause(channel.name, 0, now, interval_ms)
            return True
        outbox.pause(channel.name, delivery.failures + 1, now, delay_ms(delivery.failures, chance))
        if now - message.made_ms >= _GIVE_UP_MS:
            outbox.settle(delivery, channel.name, GIVEN_UP, error=error)
        else:
            aside_ms = now + _ASIDE_MS if delivery.attempts + 1 >= _STUBBORN else 0
            outbox.settle(delivery, channel.name, WAITS, aside_ms=aside_ms, error=error)
    return True


@contextlib.contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")
