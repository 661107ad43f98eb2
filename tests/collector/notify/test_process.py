"""The notifier on real journals and real receivers: once each, grouped, muted, whatever the receivers do."""

from __future__ import annotations

import random
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from collector.config import CollectorConfig, Notify, Page
from collector.judge.incidents import Incidents
from collector.notify import delivery, process
from collector.notify.channels import make_channels
from collector.notify.outbox import Outbox
from collector.notify.process import Maker
from collector.records import Desk, Finding, encode_desk, encode_finding
from telemetry.errors import ConfigError
from telemetry.files import connect
from telemetry.journal import Journal
from tests.collector.notify.receiver import HANG, PATIENCE_S, RESET, receiving
from tests.waiting import LIMIT_S, wait_until

NOW = 1_790_000_000_000
LOG = [("log", None)]


def finding(device: str = "board-1", status: str = "firing", since_ms: int = NOW, rule: str = "heap-low") -> Finding:
    key = f"{rule}|{device}|heap|main"
    return Finding(
        key, f"{key}@{since_ms}", status, rule, "warning", device, "heap", ("main",), since_ms, since_ms,
        "Only 2.0 KiB of 22.0 KiB are free.",
    )  # fmt: skip


def settings(*urls: str, **more: Any) -> CollectorConfig:
    notify = Notify(urls=urls, private_networks=("127.0.0.0/8",), **{"interval_s": 0, "repeat_s": 0, **more})
    return CollectorConfig(fleet="lab", page=Page(port=8080), notify=notify)


class Journals:
    """The two journals that a notifier reads, to write to. Incidents are over as soon as nothing fires."""

    def __init__(self, directory: Path) -> None:
        self.findings = Journal(directory / "findings.journal")
        self.desk = Journal(directory / "desk.journal")
        self.incidents = Incidents(0)

    def say(self, *found: Finding, at_ms: int = NOW) -> None:
        named, incidents = self.incidents.take(found, at_ms)
        with self.findings.transaction():
            self.findings.append([(encode_finding(each), 1) for each in named])
            self.findings.append([(encode_finding(each), 0) for each in incidents])

    def ask(self, action: str, key: str, at_ms: int = NOW, until_ms: int = 0) -> None:
        with self.desk.transaction():
            self.desk.append([(encode_desk(Desk(action, at_ms, key=key, until_ms=until_ms)), 1)])


@pytest.fixture
def journals(tmp_path: Path) -> Iterator[Journals]:
    desk = Journals(tmp_path)
    yield desk
    desk.findings.close()
    desk.desk.close()


@pytest.fixture
def maker(journals: Journals, tmp_path: Path) -> Iterator[Maker]:
    made = Maker(tmp_path, settings(), LOG, 10_000)
    yield made
    made.close()


@pytest.mark.parametrize("damage", [bytes(8192), b"SQLite format 3"])
def test_damage_costs_what_it_remembers_and_no_message(journals: Journals, tmp_path: Path, damage: bytes) -> None:
    Maker(tmp_path, settings(), LOG, 10_000).close()
    journals.say(finding())
    for file in tmp_path.glob("notify.db*"):
        file.write_bytes(damage if file.name == "notify.db" else b"")
    made = Maker(tmp_path, settings(), LOG, 10_000)
    made.step(NOW)
    made.step(NOW + 10_000)
    made.close()
    assert len(messages(tmp_path)) == 1
    assert _rows(tmp_path, "SELECT name, value FROM counters WHERE name = 'damaged_files'") == [("damaged_files", 1)]


def messages(directory: Path) -> list[tuple[str, str]]:
    return _rows(directory, "SELECT title, body FROM messages ORDER BY number")


def deliveries(directory: Path) -> list[tuple[str, str]]:
    return _rows(directory, "SELECT channel, state FROM deliveries ORDER BY channel")


def states(directory: Path) -> list[str]:
    return [state for _, state in deliveries(directory)]


def _rows(directory: Path, query: str) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(directory / "notify.db")) as db:
        try:
            return db.execute(query).fetchall()
        except sqlite3.OperationalError:  # the notifier is only just making the tables
            return []


@contextmanager
def notifying(directory: Path, config: CollectorConfig) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=process.run, args=(config, directory, stop), kwargs={"window_ms": 100})
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(LIMIT_S)
        assert not thread.is_alive()


# -- making messages ---------------------------------------------------------------------------------------------------


def test_a_thousand_devices_make_one_message(journals: Journals, maker: Maker, tmp_path: Path) -> None:
    journals.say(*(finding(f"board-{number}") for number in range(1000)))
    assert maker.step(NOW)  # as many frames as are read at once
    assert maker.step(NOW)
    maker.step(NOW + 9_999)
    assert messages(tmp_path) == []
    maker.step(NOW + 10_000)
    ((title, body),) = messages(tmp_path)
    assert title == "heap low on 1000 devices (lab)"
    assert body.splitlines()[:2] == [
        "board-0 main: Only 2.0 KiB of 22.0 KiB are free.",
        "devices: board-0, board-1, board-2, board-3, board-4 and 995 more; first board-0, 1000 in all",
    ]


def test_firing_and_resolved_are_two_messages(journals: Journals, maker: Maker, tmp_path: Path) -> None:
    journals.say(finding())
    maker.step(NOW)
    maker.step(NOW + 10_000)
    journals.say(finding(status="resolved"))
    maker.step(NOW + 20_000)
    maker.step(NOW + 30_000)
    assert [title for title, _ in messages(tmp_path)] == [
        "heap low on board-1 (lab)",
        "resolved: heap low on board-1, after 0 s (lab)",
    ]
    link = f"http://127.0.0.1:8080/incident?key=heap-low%7C%7C%7Cheap%7Cmain%40{NOW}"
    assert all(link in body.splitlines() for _, body in messages(tmp_path))


def test_what_is_over_before_it_was_told_is_not_told(journals: Journals, maker: Maker, tmp_path: Path) -> None:
    journals.say(finding(), finding(status="resolved"))
    maker.step(NOW)
    maker.step(NOW + 60_000)
    assert messages(tmp_path) == []


def test_a_silence_holds_back_until_it_ends(journals: Journals, maker: Maker, tmp_path: Path) -> None:
    journals.ask("silence", "heap-low|board-*", until_ms=NOW + 100_000)
    journals.say(finding(), finding(rule="panic"))
    maker.step(NOW)
    maker.step(NOW + 10_000)
    maker.step(NOW + 99_999)
    assert [title for title, _ in messages(tmp_path)] == ["panic on board-1 (lab)"]
    maker.step(NOW + 100_000)
    assert [title for title, _ in messages(tmp_path)][1:] == ["heap low on board-1 (lab)"]


def test_what_ended_within_a_silence_is_never_told(journals: Journals, maker: Maker, tmp_path: Path) -> None:
    journals.ask("silence", "*", until_ms=NOW + 100_000)
    journals.say(finding())
    maker.step(NOW)
    maker.step(NOW + 10_000)
    journals.say(finding(status="resolved"))
    maker.step(NOW + 20_000)
    maker.step(NOW + 200_000)
    assert messages(tmp_path) == []


def test_a_silence_that_is_lifted_tells_at_once(journals: Journals, maker: Maker, tmp_path: Path) -> None:
    journals.ask("silence", "*", until_ms=NOW + 10**9)
    journals.say(finding())
    maker.step(NOW)
    maker.step(NOW + 10_000)
    journals.ask("unsilence", "*")
    maker.step(NOW + 20_000)
    assert len(messages(tmp_path)) == 1


def test_acknowledged_is_not_told_but_the_next_episode_is(journals: Journals, maker: Maker, tmp_path: Path) -> None:
    journals.ask("acknowledge", finding().key, at_ms=NOW + 5_000)
    journals.say(finding(), finding(since_ms=NOW + 6_000))
    maker.step(NOW + 6_000)
    maker.step(NOW + 16_000)
    assert len(messages(tmp_path)) == 1


def test_a_restarted_maker_makes_no_message_twice(journals: Journals, tmp_path: Path) -> None:
    journals.say(finding())
    for at in (NOW, NOW + 5_000, NOW + 10_000, NOW + 15_000, NOW + 20_000):
        maker = Maker(tmp_path, settings(), LOG, 10_000)
        maker.step(at)
        maker.close()
    assert len(messages(tmp_path)) == 1


# -- delivering --------------------------------------------------------------------------------------------------------


def test_a_receiver_that_fails_at_first_gets_each_message(
    journals: Journals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_FIRST_DELAY_MS", 50)
    with receiving(500, 429, 500, 200) as receiver, notifying(tmp_path, settings(receiver.url)):
        journals.say(finding())
        wait_until(lambda: receiver.taken, "the first message")
        journals.say(finding(status="resolved"))
        wait_until(lambda: len(receiver.taken) == 2, "the second message")
    assert [message["title"] for message in receiver.taken] == [
        "heap low on board-1 (lab)",
        "resolved: heap low on board-1, after 0 s (lab)",
    ]
    assert receiver.tries == 5
    assert [message["type"] for message in receiver.taken] == ["warning", "success"]


def test_a_receiver_that_resets_and_hangs_has_each_message_once_by_its_key(
    journals: Journals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_FIRST_DELAY_MS", 50)
    with receiving(500, RESET, HANG, 500, 200, RESET, 200) as receiver:
        impatient = receiver.url.replace(f"rto={PATIENCE_S}", "rto=2")
        with notifying(tmp_path, settings(impatient)):
            journals.say(finding())
            wait_until(lambda: receiver.tries >= 5 and set(states(tmp_path)) == {"sent"}, "the first is through")
            journals.say(finding(status="resolved"))
            wait_until(lambda: len(states(tmp_path)) == 4 and set(states(tmp_path)) == {"sent"}, "the second, too")
        receiver.released.set()
    by_key = {message["message"].splitlines()[-1]: message["title"] for message in receiver.taken}
    assert len(receiver.taken) >= 5  # an answer that is too late for who waits two seconds counts as none
    assert list(by_key.values()) == ["heap low on board-1 (lab)", "resolved: heap low on board-1, after 0 s (lab)"]


def test_a_channel_that_hangs_delays_no_other(journals: Journals, tmp_path: Path) -> None:
    with receiving(HANG) as hanging, receiving(200) as quick, notifying(tmp_path, settings(hanging.url, quick.url)):
        journals.say(finding("board-1"))
        wait_until(lambda: hanging.tries == 1 and len(quick.taken) == 1, "both get the first")
        journals.say(finding("board-2"))
        wait_until(lambda: len(quick.taken) == 2, "the quick one gets the second")
        assert hanging.tries == 1, "the other hangs in the first still"
        hanging.released.set()


def test_what_one_life_left_the_next_delivers(journals: Journals, tmp_path: Path) -> None:
    with receiving(500) as receiver:
        with notifying(tmp_path, settings(receiver.url)):
            journals.say(finding())
            wait_until(lambda: receiver.tries and "sent" in states(tmp_path), "both channels tried")
        assert sorted(states(tmp_path)) == ["sent", "waits"]
        receiver.answers = [200]
        with notifying(tmp_path, settings(receiver.url)):
            wait_until(lambda: states(tmp_path) == ["sent", "sent"], "the next life sends it")
    assert len(receiver.taken) == 1


def test_a_channel_taken_out_of_the_settings_is_given_up(journals: Journals, tmp_path: Path) -> None:
    journals.say(finding())
    maker = Maker(tmp_path, settings(), [*LOG, ("json://gone#1", None)], 0)
    maker.step(NOW)
    maker.close()
    Maker(tmp_path, settings(), LOG, 0).close()
    assert deliveries(tmp_path) == [("json://gone#1", "given_up"), ("log", "waits")]


def test_shadow_records_and_sends_nothing(journals: Journals, tmp_path: Path) -> None:
    with receiving(200) as receiver, notifying(tmp_path, settings(receiver.url, mode="shadow")):
        journals.say(finding())
        wait_until(lambda: len(deliveries(tmp_path)) == 2, "it is recorded")
    assert set(states(tmp_path)) == {"shadow"}
    assert receiver.tries == 0


def test_a_crash_after_sending_sends_again_with_the_same_key(journals: Journals, tmp_path: Path) -> None:
    with receiving(200) as receiver:
        config = settings(receiver.url)
        channel = make_channels(config.notify, "test")[1]
        maker = Maker(tmp_path, config, [(channel.name, None)], 0)
        journals.say(finding())
        maker.step(NOW)
        maker.close()
        db = connect(tmp_path / "notify.db")
        due = Outbox(db).next_due(channel.name, NOW)
        assert due is not None
        channel.send(due.message.title, due.message.body, due.message.level)  # and no settle: we died
        assert delivery.deliver_next(Outbox(db), db, channel, lambda: NOW, random.Random(1))
        assert not delivery.deliver_next(Outbox(db), db, channel, lambda: NOW, random.Random(1))
        db.close()
    keys = {message["message"].splitlines()[-1] for message in receiver.taken}
    assert len(receiver.taken) == 2
    assert len(keys) == 1


def test_it_gives_up_after_a_day_and_counts(journals: Journals, tmp_path: Path) -> None:
    with receiving(500) as receiver:
        config = settings(receiver.url)
        channel = make_channels(config.notify, "test")[1]
        maker = Maker(tmp_path, config, [(channel.name, None)], 0)
        journals.say(finding())
        maker.step(NOW)
        db = connect(tmp_path / "notify.db")
        assert delivery.deliver_next(Outbox(db), db, channel, lambda: NOW + 86_400_000, random.Random(1))
        counters = dict(db.execute("SELECT * FROM counters"))
        assert counters == {"findings": 1, "messages": 1, "told": 1, "deliveries_given_up": 1}
        db.close()
        maker.close()


def test_delays_grow_with_jitter_up_to_five_minutes() -> None:
    chance = random.Random(2)
    delays = [delivery.delay_ms(attempts, chance) for attempts in range(12)]
    assert all(500 * 2**n <= delay <= 1000 * 2**n for n, delay in enumerate(delays[:8]))
    assert all(150_000 <= delay <= 300_000 for delay in delays[9:])


def test_wrong_addresses_are_all_named_without_their_secrets(tmp_path: Path) -> None:
    file = tmp_path / "urls"
    file.write_text("# channels\nnosuch://secret-token@host\n")
    file.chmod(0o600)
    with pytest.raises(ConfigError) as raised:
        make_channels(Notify(urls=("what://?", "secret"), url_file=str(file)), "collector.toml")
    assert len(raised.value.faults) == 3
    assert raised.value.faults[1] == "notify.urls[1]: is no address: one begins with its service, as in mailto://"
    assert f"{file}:2" in raised.value.faults[2]
    assert "secret" not in str(raised.value)


def test_a_file_of_addresses_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "urls"
    file.write_text("json://127.0.0.1\n")
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="others can read it"):
        make_channels(Notify(url_file=str(file)), "collector.toml")
