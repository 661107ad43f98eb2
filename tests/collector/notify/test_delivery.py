"""How a channel sends what waits for it: in order, with delays of its own, a minute between two, and none for ever."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from collector.notify import delivery
from collector.notify.messages import Message
from collector.notify.outbox import GIVEN_UP, LEFT_OUT, SENT, Outbox
from telemetry.files import connect

NOW = 1_790_000_000_000
INTERVAL_MS, MINUTE, DAY = 60_000, 60_000, 86_400_000


class Receiver:
    """A channel to a receiver that takes nothing while it is down, and the messages in `hated` never."""

    name = "receiver"

    def __init__(self) -> None:
        self.is_down = False
        self.hated: set[str] = set()
        self.tries: list[tuple[int, str]] = []
        self.taken: list[tuple[int, str]] = []
        self.now_ms = NOW

    def send(self, title: str, body: str, level: str, picture: bytes = b"") -> str | None:
        self.tries.append((self.now_ms, title))
        if self.is_down or title in self.hated:
            return "it answered 500"
        self.taken.append((self.now_ms, title))
        return None


class Mail:
    """An outbox with one channel, and the time that passes on it."""

    def __init__(self, path: Path) -> None:
        self.db = connect(path)
        self.outbox = Outbox(self.db)
        self.receiver = Receiver()
        self._chance = random.Random(7)

    def put(self, *titles: str) -> None:
        for title in titles:
            made_ms = self.receiver.now_ms
            self.outbox.put(Message(title, title, "", "warning", "low", made_ms), [self.receiver.name])

    def wait(self, span_ms: int, step_ms: int = 500) -> None:
        receiver, end_ms = self.receiver, self.receiver.now_ms + span_ms
        while receiver.now_ms < end_ms:
            receiver.now_ms += step_ms
            delivery.deliver_next(self.outbox, self.db, receiver, lambda: receiver.now_ms, self._chance, INTERVAL_MS)

    def states(self) -> list[str]:
        return [state for (state,) in self.db.execute("SELECT state FROM deliveries ORDER BY message")]


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[Mail]:
    made = Mail(tmp_path / "notify.db")
    with closing(made.db):
        yield made


def titles(found: list[tuple[int, str]]) -> list[str]:
    return [title for _, title in found]


def gaps(found: list[tuple[int, str]]) -> list[int]:
    return [after - before for (before, _), (after, _) in itertools.pairwise(found)]


def test_a_receiver_that_is_down_is_asked_as_seldom_as_one_delay_says(mail: Mail) -> None:
    mail.receiver.is_down = True
    for number in range(4):
        mail.put(f"m{number}")
        mail.wait(MINUTE)
    assert set(titles(mail.receiver.tries)) == {"m0"}
    assert len(mail.receiver.tries) <= 10
    assert gaps(mail.receiver.tries)[-1] >= 32_000


def test_a_backlog_is_sent_in_its_order_one_message_an_interval(mail: Mail) -> None:
    mail.receiver.is_down = True
    for number in range(8):
        mail.put(f"m{number}")
        mail.wait(30_000)
    mail.receiver.is_down = False
    mail.wait(15 * MINUTE)
    assert titles(mail.receiver.taken) == [f"m{number}" for number in range(8)]
    assert min(gaps(mail.receiver.taken)) >= INTERVAL_MS


def test_delays_outlast_a_restart_and_end_with_the_first_that_is_sent(mail: Mail) -> None:
    mail.receiver.is_down = True
    mail.put("m0", "m1")
    mail.wait(4 * MINUTE)
    tried = len(mail.receiver.tries)
    mail.outbox = Outbox(mail.db)
    mail.wait(10_000)
    assert len(mail.receiver.tries) <= tried + 1
    mail.receiver.is_down = False
    mail.wait(10 * MINUTE)
    mail.receiver.is_down = True
    mail.put("m2")
    mail.wait(3_000)
    assert titles(mail.receiver.tries)[-2:] == ["m2", "m2"]


def test_a_message_that_is_refused_for_ever_holds_up_the_others_for_minutes_and_is_given_up(mail: Mail) -> None:
    mail.receiver.hated = {"bad"}
    mail.put("bad", "m0", "m1", "m2")
    mail.wait(20 * MINUTE)
    assert titles(mail.receiver.taken) == ["m0", "m1", "m2"]
    assert min(gaps(mail.receiver.taken)) >= INTERVAL_MS
    mail.put("m3")  # while only the bad one waits, tried every five minutes
    mail.wait(6 * MINUTE)
    assert titles(mail.receiver.taken)[-1] == "m3"
    mail.wait(DAY, 30_000)
    assert mail.states() == [GIVEN_UP, *[SENT] * 4]
    assert dict(mail.db.execute("SELECT * FROM counters"))["deliveries_given_up"] == 1


def test_after_a_long_outage_what_stood_aside_is_sent_before_what_came_later(mail: Mail) -> None:
    mail.receiver.is_down = True
    for number in range(20):
        mail.put(f"m{number:02}")
        mail.wait(10 * MINUTE)
    mail.receiver.is_down = False
    mail.wait(40 * MINUTE)
    told = titles(mail.receiver.taken)
    assert sorted(told) == [f"m{number:02}" for number in range(20)]
    assert told[1:] == sorted(told[1:])  # the first is the one whose turn it just was


def test_what_repeats_the_known_is_not_sent_behind_what_has_not_come_through(mail: Mail) -> None:
    mail.receiver.is_down = True
    mail.put("m0")
    mail.wait(MINUTE)
    mail.put("still")
    mail.outbox.leave_out("still")
    mail.receiver.is_down = False
    mail.wait(5 * MINUTE)
    assert titles(mail.receiver.taken) == ["m0"]
    assert mail.states() == [SENT, LEFT_OUT]
    mail.put("again")
    mail.outbox.leave_out("again")
    mail.wait(2 * MINUTE)
    assert titles(mail.receiver.taken) == ["m0", "again"]


def test_a_clock_that_is_set_back_holds_nothing_up(mail: Mail) -> None:
    mail.put("m0")
    mail.wait(1_000)
    mail.receiver.now_ms -= 300 * DAY
    mail.put("m1")
    mail.wait(1_000)
    assert titles(mail.receiver.taken) == ["m0", "m1"]
