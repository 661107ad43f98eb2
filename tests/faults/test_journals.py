"""Journals under the parts of a collector: crashes at every point, frames again and again, damage, other versions."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from collector.config import CollectorConfig
from collector.intake.process import Intake
from collector.judge.process import JudgeProcess
from collector.judge.rules import load_rules
from collector.records import Arrival, decode
from collector.series.process import SeriesProcess, keep_of
from telemetry.journal import Journal
from telemetry.mqtt import Message
from telemetry.settings import Broker
from telemetry.topics import Topic
from telemetry.wire import Header, Rows, encode_body, seal
from tests.collector.stores.made import T0, Journals, counting
from tests.faults.ledgers import identity_violations
from tests.servers import free_port

SEED = 5
HOUR_MS = 3_600_000
TOPIC = str(Topic.of("plant", "rig", "frame"))
POINTS = ("recv", "decode", "begin", "append", "commit", "ack")


class Crash(BaseException):
    """The process ends here."""


def open_intake(folder: Path) -> Intake:
    """An intake without a broker; messages are handed to it."""
    config = CollectorConfig(fleet="plant", broker=Broker(url=f"mqtt://127.0.0.1:{free_port()}"))
    return Intake(config, folder, lambda: T0 + HOUR_MS)


def sealed(number: int, rows: int = 1) -> bytes:
    """The frame of that number; its readings say which it is."""
    body = [[i, i, 1_000_000, number] for i in range(rows)]
    block = Rows("d1", 1, "heap", ("h",), 0, 1, T0 + number * 10, 0, ("free", "used"), body)
    return seal(Header(7, number, 1, 0), encode_body([block]))


def crash_at(intake: Intake, point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next round end at that point, as a SIGKILL would: nothing after it happens."""

    def crashing(owner: object, name: str, *, before: bool) -> None:
        real: Callable[..., object] = getattr(owner, name)

        def ends(*args: object, **kwargs: object) -> object:
            if before:
                raise Crash
            real(*args, **kwargs)
            raise Crash

        monkeypatch.setattr(owner, name, ends)

    place = {
        "recv": (intake, "_collect", False),
        "decode": (intake._admission, "take", False),
        "begin": (intake, "_commit", True),
        "append": (intake.journal, "append", False),
        "commit": (intake, "_commit", False),
        "ack": (intake, "_send_acks", False),
    }[point]
    crashing(place[0], place[1], before=place[2])


def journaled(folder: Path) -> list[int]:
    """The numbers in the readings journal."""
    journal = Journal(folder / "readings.journal")
    entries = [decode(frame.data) for frame in journal.after(0, 100_000)]
    journal.close()
    blocks = [block for entry in entries if isinstance(entry, Arrival) for block in entry.blocks]
    return [row[3] for block in blocks if isinstance(block, Rows) for row in block.rows]


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_at_any_point_loses_nothing_and_doubles_nothing(
    tmp_path: Path, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice, acked, sent = random.Random(SEED), 0, 0
    for _ in range(50):
        intake = open_intake(tmp_path)
        monkeypatch.setattr(intake.link, "publish", lambda *_: None)
        known = intake._state.contig.get(("rig", 7), 0)
        assert known >= acked, "what was acknowledged is on disk"
        sent = max(sent, known + dice.randint(1, 9))
        for number in range(known + 1, sent + 1):  # the agent sends again what was not acknowledged
            intake.received(Message(TOPIC, sealed(number), False, number, 1))
        with monkeypatch.context() as patched:
            crash_at(intake, point, patched)
            with pytest.raises(Crash):
                intake.step()
        if point == "ack":
            acked = sent
        intake.journal.db.close()
        assert identity_violations(tmp_path) == []
    numbers = journaled(tmp_path)
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= acked
    assert (len(numbers) > 0) == (point in ("commit", "ack"))


def test_everything_three_times_over_and_over_restarts_is_stored_once(tmp_path: Path) -> None:
    dice = random.Random(SEED)
    frames = {number: sealed(number, rows=10) for number in range(1, 1001)}
    stream: list[int] = []
    for number in frames:
        stream += [number, *(dice.randint(1, number) for _ in range(2))]
    intake, number = open_intake(tmp_path), 0
    while True:
        contig = intake._state.contig.get(("rig", 7), 0)
        if contig == 1000 and number >= len(stream):
            break
        batch = stream[number : number + 300] or list(range(contig + 1, 1001))
        number += 300
        for each in batch:
            intake.received(Message(TOPIC, frames[each], False, each, 1))
        intake.step()
        if number % 900 == 0:
            intake.close()
            intake = open_intake(tmp_path)
    counts = intake.journal.counters()
    intake.close()
    assert Counter(journaled(tmp_path)) == Counter(number for number in frames for _ in range(10))
    assert counts["duplicate_rows"] >= 20_000
    assert identity_violations(tmp_path) == []


def test_samples_out_of_order_are_stored_as_those_in_order(tmp_path: Path) -> None:
    stored = []
    for name, shuffled in (("straight", False), ("shuffled", True)):
        (tmp_path / name).mkdir()
        journals = Journals(tmp_path / name)
        order = list(range(0, 10_000, 10))
        if shuffled:
            random.Random(SEED).shuffle(order)
        journals.arrive(*[[counting(10, start=start)] for start in order])
        process = SeriesProcess(tmp_path / name, keep_of(CollectorConfig().retention), lambda: T0)
        while process.step():
            pass
        process.close()
        with sqlite3.connect(tmp_path / name / "series.db") as db:
            stored.append(db.execute("SELECT t, free FROM heap ORDER BY t").fetchall())
    assert len(stored[0]) == 10_000
    assert stored[0] == stored[1]


def test_intake_starts_with_a_damaged_journal_says_so_and_goes_on(tmp_path: Path) -> None:
    intake = open_intake(tmp_path)
    for number in range(1, 301):
        intake.received(Message(TOPIC, sealed(number), False, number, 1))
    intake.step()
    intake.journal.checkpoint()
    intake.journal.db.close()  # not in order: a killed process' file is looked at before it is trusted
    path = tmp_path / "readings.journal"
    data = bytearray(path.read_bytes())
    place = data.index((T0 + 1500).to_bytes(8, "big")) // 4096 * 4096  # frame 150 begins at that time
    data[place : place + 512] = bytes(512)
    path.write_bytes(data)
    intake = open_intake(tmp_path)
    counts = intake.journal.counters()
    assert counts["damaged_files"] == 1
    assert 0 < counts["damaged_frames"] < 60
    assert list(tmp_path.glob("readings.journal.damaged-*"))
    assert intake._state.contig == {("rig", 7): 300}, "nothing that was acknowledged is asked for again"
    intake.received(Message(TOPIC, sealed(301), False, 301, 1))
    intake.step()
    intake.close()
    numbers = journaled(tmp_path)
    assert numbers[-1] == 301
    assert len(numbers) + counts["damaged_frames"] >= 300


def test_no_part_stands_still_at_a_frame_of_another_version(tmp_path: Path) -> None:
    journals = Journals(tmp_path)
    for data in (b"\x93\x07\x01\x02", b"\x90", b"\xa1x", b"\xc1", b"\x95\x01\x00\xa1a\x00\xc4\x01\x90"):
        with journals.readings.transaction():
            journals.readings.append([(data, 1)])
    journals.arrive([counting(5)])
    journals.tick(T0 + 60_000)
    judge = JudgeProcess(tmp_path, load_rules(None), 300.0, 2**30)
    assert judge.step()
    assert judge.journal.counters()["undecodable_frames"] >= 4
    judge.close()
    series = SeriesProcess(tmp_path, keep_of(CollectorConfig().retention), lambda: T0)
    assert series.step()
    series.close()
    with sqlite3.connect(tmp_path / "series.db") as db:
        assert db.execute("SELECT count(*) FROM heap").fetchone() == (5,)
