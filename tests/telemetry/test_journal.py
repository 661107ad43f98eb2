"""The journal: what was committed is there, once, in order, whatever happens to the process or the file."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from telemetry.errors import EnvironmentFault, JournalError
from telemetry.files import connect, make_folder
from telemetry.journal import START, Cursor, Journal, JournalReader, load_cursor, peek_cursor, save_cursor

ROOT = Path(__file__).parent.parent.parent


def write(journal: Journal, *texts: str) -> int:
    with journal.transaction():
        return journal.append([(text.encode(), 1) for text in texts])


def read_all(path: Path, cursor: Cursor = START) -> list[str]:
    reader, texts = JournalReader(path), []
    while True:
        frames, cursor = reader.read(cursor, 7)
        if not frames:
            reader.close()
            return texts
        texts += [frame.data.decode() for frame in frames]


def test_frames_are_read_in_order_from_a_cursor(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    assert write(journal, *"abcdefghij") == 10
    frames, cursor = JournalReader(journal.path).read(START, 4)
    assert [frame.id for frame in frames] == [1, 2, 3, 4]
    assert cursor == Cursor(journal.generation, 4)
    assert read_all(journal.path, cursor) == list("efghij")


def test_reading_before_there_is_a_journal_or_a_frame_gives_nothing(tmp_path: Path) -> None:
    reader = JournalReader(tmp_path / "j")
    assert reader.read(START) == ([], START)
    journal = Journal(tmp_path / "j")
    assert reader.read(START) == ([], Cursor(journal.generation, 0))
    write(journal, "a")
    assert [frame.data for frame in reader.read(START)[0]] == [b"a"]
    assert reader.restarts == 0


def test_a_reader_leaves_a_file_that_is_being_made_as_it_is(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "j")) as being_made:
        being_made.execute("CREATE TABLE something(n INTEGER)")
    before = (tmp_path / "j").read_bytes()
    assert read_all(tmp_path / "j") == []
    assert (tmp_path / "j").read_bytes() == before


def test_what_fails_inside_a_transaction_leaves_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", tables="CREATE TABLE IF NOT EXISTS own(n INTEGER);")
    write(journal, "kept")
    size = journal.size_bytes

    def fail_halfway() -> None:
        with journal.transaction() as db:
            journal.append([(b"x" * 1000, 5)])
            journal.count({"things": 5})
            db.execute("INSERT INTO own VALUES(1)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    assert (read_all(journal.path), journal.counters(), journal.size_bytes) == (["kept"], {}, size)
    assert journal.db.execute("SELECT count(*) FROM own").fetchone() == (0,)
    assert write(journal, "next") == 2


def test_numbers_are_never_used_twice(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    write(journal, *"abc")
    with journal.transaction():
        journal.trim(3)
    assert (journal.first_id(), journal.last_id(), journal.size_bytes) == (4, 3, 0)
    journal.close()
    again = Journal(tmp_path / "j")
    assert again.generation == journal.generation
    assert write(again, "d") == 4


def test_the_quota_drops_the_oldest_and_counts_frames_and_rows(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", quota_bytes=1000)
    for number in range(30):
        with journal.transaction():
            journal.append([(bytes([number]) * 100, 3)])
            journal.evict()
    assert (journal.first_id(), journal.last_id(), journal.size_bytes) == (21, 30, 1000)
    assert journal.counters() == {"evicted_frames": 20, "evicted_rows": 60}


def test_a_cursor_of_another_life_starts_at_the_oldest_and_is_counted(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    write(journal, *"ab")
    reader = JournalReader(journal.path)
    assert len(reader.read(Cursor(journal.generation + 1, 1))[0]) == 2
    assert len(reader.read(Cursor(journal.generation, 3))[0]) == 2
    assert reader.restarts == 2


def test_a_reader_follows_to_the_file_that_takes_the_place_of_a_lost_one(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    write(journal, *"ab")
    reader = JournalReader(journal.path)
    _, cursor = reader.read(START)
    journal.close()
    journal.path.rename(tmp_path / "away")
    new = Journal(tmp_path / "j")
    write(new, "c")
    frames, cursor = reader.read(cursor)
    assert [frame.data for frame in frames] == [b"c"]
    assert (cursor.generation, reader.restarts) == (new.generation, 1)


def test_a_damaged_frame_is_left_out_for_readers_and_empty_for_its_owner(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    write(journal, *"abc")
    journal.db.execute("UPDATE frames SET data = x'ff' WHERE id = 2")
    reader = JournalReader(journal.path)
    frames, cursor = reader.read(START)
    assert ([frame.data for frame in frames], cursor.id, reader.damaged) == ([b"a", b"c"], 3, 1)
    assert [(frame.id, frame.data) for frame in journal.after(0, 9)] == [(1, b"a"), (2, b""), (3, b"c")]


def test_a_consumers_cursor_moves_with_what_it_made(tmp_path: Path) -> None:
    db = connect(tmp_path / "own.db")
    assert load_cursor(db, "readings") == START
    db.execute("BEGIN")
    save_cursor(db, "readings", Cursor(5, 7))
    db.execute("ROLLBACK")
    assert load_cursor(db, "readings") == START
    save_cursor(db, "readings", Cursor(5, 7))
    assert (load_cursor(db, "readings"), load_cursor(db, "findings")) == (Cursor(5, 7), START)


def test_a_reader_that_hangs_in_the_middle_does_not_hold_up_the_writer(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    write(journal, "a")
    slow = sqlite3.connect(journal.path, isolation_level=None)
    slow.execute("BEGIN")
    slow.execute("SELECT * FROM frames").fetchone()
    for _ in range(3):  # each would wait for ten seconds
        write(journal, "b")
        journal.checkpoint()
    slow.close()
    assert read_all(journal.path) == ["a", "b", "b", "b"]


def test_the_log_is_folded_into_the_file(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    write(journal, "a" * 10_000)
    journal.checkpoint()
    assert (tmp_path / "j-wal").stat().st_size == 0


def test_a_journal_of_a_newer_memfleet_is_refused_and_left_alone(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    write(journal, "a")
    journal.db.execute("UPDATE meta SET value = 99 WHERE key = 'schema'")
    journal.close()
    with pytest.raises(JournalError, match="written by a newer memfleet"):
        Journal(tmp_path / "j")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["j", "j.lock"]


def test_a_folder_in_the_place_of_a_file_is_named_and_the_other_way_round(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentFault, match="folder is a folder, where a file belongs: move it away"):
        Journal(tmp_path / "folder")
    assert peek_cursor(tmp_path / "folder", "readings") == START
    with pytest.raises(EnvironmentFault, match="file is a file, where a folder belongs: move it away"):
        make_folder(tmp_path / "file")


def test_a_folder_may_have_a_name_that_means_something_in_an_address(tmp_path: Path) -> None:
    path = tmp_path / "a#b%20c?d" / "own.db"
    make_folder(path.parent)
    with contextlib.closing(connect(path)) as db:
        load_cursor(db, "readings")
        save_cursor(db, "readings", Cursor(7, 9))
    assert peek_cursor(path, "readings") == Cursor(7, 9)
    assert list(tmp_path.iterdir()) == [path.parent], "no file was made beside it"


def test_a_full_disk_is_a_fault_that_waiting_may_mend(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", ballast_bytes=4096)
    assert (tmp_path / "j.ballast").stat().st_size == 4096
    write(journal, "a")
    pages = journal.db.execute("PRAGMA page_count").fetchone()[0]
    journal.db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(EnvironmentFault, match="full") as caught:
        write(journal, "x" * 100_000)
    assert caught.value.retry
    assert not (tmp_path / "j.ballast").exists()
    journal.db.execute(f"PRAGMA max_page_count = {pages + 100}")
    assert write(journal, "b") == 2
    assert read_all(journal.path) == ["a", "b"]


CLAIMANT = """
import sys
from pathlib import Path
from telemetry.errors import EnvironmentFault
from telemetry.journal import Journal
try:
    Journal(Path(sys.argv[1]))
except EnvironmentFault as fault:
    print(fault)
"""


def test_a_second_process_may_not_write_the_same_journal(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    command = [sys.executable, "-c", CLAIMANT, str(tmp_path / "j")]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "is written by another process" in said
    journal.close()
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout == ""


@pytest.mark.parametrize("replaced", [False, True])
def test_nothing_is_written_into_a_file_that_somebody_took_away(tmp_path: Path, replaced: bool) -> None:
    journal = Journal(tmp_path / "j")
    write(journal, "a")
    for file in tmp_path.glob("j*"):
        file.unlink()
    if replaced:
        (tmp_path / "j").write_bytes(b"")
    with pytest.raises(EnvironmentFault, match=f"{tmp_path}/j was removed or replaced while it was in use"):
        write(journal, "b")
    journal.close()
    again = Journal(tmp_path / "j")
    write(again, "c")
    assert read_all(again.path) == ["c"]
    again.close()


def test_ballast_is_laid_only_where_there_is_room(tmp_path: Path) -> None:
    room = os.statvfs(tmp_path)
    Journal(tmp_path / "j", ballast_bytes=room.f_bavail * room.f_frsize // 2).close()
    assert not (tmp_path / "j.ballast").exists()


TABLES = "CREATE TABLE IF NOT EXISTS own(name TEXT PRIMARY KEY, value INTEGER);"
FRAMES = {number: f"frame {number} ".encode() * 40 for number in range(1, 121)}


@pytest.fixture(scope="module")
def unclean(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a journal of 120 frames whose process was killed."""
    journal = Journal(tmp_path_factory.mktemp("whole") / "j", tables=TABLES)
    with journal.transaction() as db:
        journal.append([(data, number) for number, data in FRAMES.items()])
        journal.count({"things": 7})
        db.execute("INSERT INTO own VALUES('n', 9)")
    journal.checkpoint()
    return journal.path.read_bytes()


def damaged(data: bytes, dice: random.Random) -> bytes:
    """One sector overwritten, one bit flipped, or the end cut off."""
    place = dice.randrange(len(data))
    how = dice.choice(["flip", "noise", "zeros", "cut"])
    if how == "cut":
        return data[:place]
    if how == "flip":
        return data[:place] + bytes([data[place] ^ 1 << dice.randrange(8)]) + data[place + 1 :]
    start = place // 512 * 512
    return data[:start] + (dice.randbytes(512) if how == "noise" else bytes(512)) + data[start + 512 :]


@pytest.mark.parametrize("tens", range(20))
def test_damage_costs_what_it_hit_and_never_the_service(tmp_path: Path, unclean: bytes, tens: int) -> None:
    for seed in range(tens * 10, tens * 10 + 10):
        path = tmp_path / str(seed) / "j"
        path.parent.mkdir()
        path.write_bytes(damaged(unclean, random.Random(seed)))
        journal = Journal(path, tables=TABLES)
        held = [frame.data for frame in journal.after(0, 1000) if frame.data]
        numbers = [int(data.split()[1]) for data in held]
        assert numbers == sorted(set(numbers)), f"seed {seed}"
        assert held == [FRAMES[number] for number in numbers], f"seed {seed}"
        if journal.damage:
            assert (journal.damage.saved, journal.damage.kept_as.exists()) == (len(held), True), f"seed {seed}"
        next_id = write(journal, "goes on")
        assert read_all(path)[-1:] == ["goes on"], f"seed {seed}: {next_id}"
        journal.close()


def test_one_bad_sector_costs_few_frames_and_no_state(tmp_path: Path, unclean: bytes) -> None:
    place = unclean.index(FRAMES[60]) // 4096 * 4096
    path = tmp_path / "j"
    path.write_bytes(unclean[:place] + bytes(512) + unclean[place + 512 :])
    journal = Journal(path, tables=TABLES)
    assert journal.damage
    assert 100 < journal.damage.saved < 120
    assert journal.damage.saved + journal.damage.lost == 120
    assert journal.counters() == {"things": 7, "damaged_files": 1, "damaged_frames": journal.damage.lost}
    assert journal.db.execute("SELECT * FROM own").fetchall() == [("n", 9)]
    assert [frame.id for frame in journal.after(0, 1000)] == list(range(1, journal.damage.saved + 1))


WRITER = """
import sys
from pathlib import Path
from telemetry.journal import Journal
journal = Journal(Path(sys.argv[1]))
number = journal.last_id()
while True:
    with journal.transaction():
        number = journal.append([(str(number + 1).encode(), 1), (str(number + 2).encode(), 1)])
    print(number, flush=True)
    if number % 50 == 0:
        journal.checkpoint()
"""


def test_a_killed_writer_loses_nothing_that_it_had_committed(tmp_path: Path) -> None:
    committed = 0
    for lines in (3, 60, 1):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "j")], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout
        for _ in range(lines):
            committed = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        committed = max([committed, *(int(line) for line in writer.stdout.read().split())])
        writer.wait()
        texts = read_all(tmp_path / "j")
        assert len(texts) in (committed, committed + 2)  # the last commit may not have come to its print
        assert texts == [str(number) for number in range(1, len(texts) + 1)]
    assert not list(tmp_path.glob("*.damaged-*"))
