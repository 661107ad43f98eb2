"""One channel's thread: tries the oldest message that is due, at least once each, with growing delays."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from collector.consumer import Stop
from collector.notify.channels import Channel
from collector.notify.outbox import GIVEN_UP, SENT, WAITS, Outbox
from telemetry.journal import connect

_FIRST_DELAY_MS, _LONGEST_DELAY_MS = 1_000, 300_000
_GIVE_UP_MS = 86_400_000
_IDLE_S = 0.2


def delay_ms(attempts: int, chance: random.Random) -> int:
    """How long to wait after so many failed tries: doubling from a second to five minutes, half of it by chance."""
    most = min(_LONGEST_DELAY_MS, _FIRST_DELAY_MS << min(attempts, 16))
    return most // 2 + int(chance.random() * (most - most // 2))


def deliver_until(stop: Stop, channel: Channel, path: Path, now_ms: Callable[[], int], chance: random.Random) -> None:
    """Deliver what the outbox holds for this channel until stopped."""
    db = connect(path)
    outbox = Outbox(db)
    try:
        while not stop.is_set():
            if not deliver_next(outbox, db, channel, now_ms, chance):
                stop.wait(_IDLE_S)
    finally:
        db.close()


def deliver_next(
    outbox: Outbox, db: sqlite3.Connection, channel: Channel, now_ms: Callable[[], int], chance: random.Random
) -> bool:
    """Try the next message that is due, and note how it went; whether there was one.

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
        elif now - message.made_ms >= _GIVE_UP_MS:
            outbox.settle(delivery, channel.name, GIVEN_UP, error=error)
        else:
            next_ms = now + delay_ms(delivery.attempts, chance)
            outbox.settle(delivery, channel.name, WAITS, next_ms=next_ms, error=error)
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
