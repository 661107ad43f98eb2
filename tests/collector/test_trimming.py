"""What all readers of a journal have, is forgotten; not a frame earlier."""

from __future__ import annotations

import contextlib
import fcntl
from pathlib import Path

import pytest

from collector.backup import HOLD
from collector.config import CollectorConfig, StoreConfig
from collector.consumer import Consumer
from collector.records import decode_desk
from collector.trimming import forget_read, readers_of
from collector.web.desk import DeskBook
from telemetry.files import connect
from telemetry.journal import START, Journal, JournalReader

CONFIG = CollectorConfig(stores=(StoreConfig(name="long", kind="influxdb", url="http://127.0.0.1:1"),))


def read(file: Path, journal: Path, count: int) -> None:
    """Deal with the next frames of a journal, as the owner of that file does."""
    with contextlib.closing(Consumer(connect(file), {journal.stem: journal})) as consumer:
        consumer.poll(journal.stem, count)
        with consumer.transaction():
            pass


@pytest.mark.parametrize("name", ["readings", "findings", "desk"])
def test_the_slowest_reader_says_how_far(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.journal"
    readers = readers_of(name, CONFIG, tmp_path)
    with contextlib.closing(Journal(path)) as journal:
        with journal.transaction():
            journal.append([(b"frame", 1)] * 10)
        for reader in readers[1:]:
            read(reader, path, 7)
        forget_read(journal, name, readers)
        assert journal.first_id() == 1, f"{readers[0].name} has not begun"
        read(readers[0], path, 4)
        with (tmp_path / HOLD).open("w") as hold:
            fcntl.flock(hold, fcntl.LOCK_EX)
            forget_read(journal, name, readers)
            assert journal.first_id() == 1, "a backup is being taken"
        forget_read(journal, name, readers)
        assert (journal.first_id(), journal.last_id()) == (5, 10)
        read(readers[0], path, 3)
        forget_read(journal, name, readers)
        assert journal.first_id() == 8


def test_the_desk_forgets_what_was_done_and_numbers_go_on(tmp_path: Path) -> None:
    path = tmp_path / "desk.journal"
    readers = readers_of("desk", CONFIG, tmp_path)
    with contextlib.closing(DeskBook(path, lambda: 1000, readers)) as desk:
        desk.acknowledge("first", "me")
        for reader in readers:
            read(reader, path, 10)
        desk.acknowledge("second", "me")
    with contextlib.closing(JournalReader(path)) as reader:
        frames, cursor = reader.read(START)
    assert [(frame.id, decode_desk(frame.data).key) for frame in frames] == [(2, "second")]
    assert cursor.id == 2
