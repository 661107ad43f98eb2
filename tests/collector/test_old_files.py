"""Files that earlier versions wrote, kept as SQL in `tests/cases/files/<version>/`, are opened, read and written on."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.outbox import Outbox
from collector.config import CollectorConfig, StoreConfig
from collector.intake.process import Intake
from collector.judge.process import JudgeProcess
from collector.judge.rules import load_rules
from collector.notify.process import run as run_notify
from collector.records import Arrival, decode
from collector.series.process import SeriesProcess, keep_of
from collector.series.schema import open_writer
from collector.stores.ledger import Ledger
from telemetry.errors import JournalError
from telemetry.journal import Journal
from telemetry.migration import bring_up
from telemetry.settings import Broker
from tests.collector.stores.made import Running
from tests.servers import free_port
from tests.telemetry.test_journal import read_all

VERSIONS = sorted((Path(__file__).parent.parent / "cases" / "files").iterdir())


@pytest.fixture(params=VERSIONS, ids=lambda path: f"version {path.name}")
def data(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with every file of that version."""
    for dump in request.param.glob("*.sql"):
        db = sqlite3.connect(tmp_path / dump.stem)
        db.executescript(dump.read_text())
        db.close()
    return tmp_path


def first(path: Path, query: str) -> Sequence[object]:
    """The first row that a query gives."""
    with sqlite3.connect(path) as db:
        row: Sequence[object] = db.execute(query).fetchone()
        return row


def test_intake_goes_on_where_it_was(data: Path) -> None:
    held = first(data / "readings.journal", "SELECT count(*), max(id) FROM frames")
    contig = first(data / "readings.journal", "SELECT agent, epoch, contig FROM contig")
    intake = Intake(CollectorConfig(broker=Broker(url=f"mqtt://127.0.0.1:{free_port()}")), data)
    frames = intake.journal.after(0, 10_000)
    assert (len(frames), frames[-1].id) == held
    assert any(isinstance(decode(frame.data), Arrival) for frame in frames)
    assert intake._state.contig == {tuple(contig[:2]): contig[2]}
    intake.step()
    assert intake.journal.last_id() > frames[-1].id
    intake.close()


def test_series_keep_what_they_had_and_take_more(data: Path) -> None:
    before = first(data / "series.db", "SELECT count(*), max(used) FROM heap")
    (then,) = first(data / "series.db", "SELECT max(t) FROM heap")
    process = SeriesProcess(data, keep_of(CollectorConfig().retention), lambda: int(str(then)))
    while process.step():
        pass
    process.close()
    assert first(data / "series.db", "SELECT count(*), max(used) FROM heap") == before
    assert before[0]


def test_the_judge_goes_on_where_it_was(data: Path) -> None:
    before = first(data / "findings.journal", "SELECT value FROM meta WHERE key = 'generation'")
    process = JudgeProcess(data, load_rules(None), 300.0, 2**30)
    while process.step():
        pass
    process.close()
    assert first(data / "findings.journal", "SELECT value FROM meta WHERE key = 'generation'") == before


def test_a_store_goes_on_where_it_was(data: Path) -> None:
    before = first(data / "store-influx.db", "SELECT id FROM cursors WHERE journal = 'readings'")
    config = StoreConfig(name="influx", kind="influxdb", url=f"http://127.0.0.1:{free_port()}")
    ledger = Ledger(data / "store-influx.db")
    assert ledger.lane("readings", data / "readings.journal").position.id == before[0]
    ledger.close()
    running = Running(data, config)
    running.drain()
    assert running.report().pending > 0, "what it had not written is still to be written"
    running.close()


def test_messages_and_outbox_open(data: Path) -> None:
    outbox = Outbox(data / "outbox.journal", 10**9)
    outbox.add([(b"more", 1)])
    assert outbox.last > 1
    assert outbox.clocks() == {}
    outbox.close()
    stop = threading.Event()
    stop.set()
    run_notify(CollectorConfig(), data, stop)


def test_a_field_that_a_kind_gained_gets_its_column(tmp_path: Path) -> None:
    db = open_writer(tmp_path / "series.db")
    for table, column in (("heap", "free"), ("heap_hourly", "free_least"), ("device", "firmware")):
        db.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    db.close()
    db = open_writer(tmp_path / "series.db")
    db.execute(
        "SELECT free FROM heap UNION ALL SELECT free_least FROM heap_hourly UNION ALL SELECT firmware FROM device"
    )
    db.close()


TABLES = "CREATE TABLE IF NOT EXISTS own(name TEXT PRIMARY KEY, number INTEGER NOT NULL);"
LATER = "CREATE TABLE IF NOT EXISTS own(name TEXT PRIMARY KEY, number INTEGER NOT NULL, unit TEXT NOT NULL);"
STEPS = ("ALTER TABLE own ADD COLUMN unit TEXT NOT NULL DEFAULT 'byte'; UPDATE own SET number = number * 1024;",)


def test_tables_are_brought_up_in_one_transaction_with_their_rows(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", tables=TABLES)
    with journal.transaction() as db:
        journal.append([(b"frame", 1)])
        db.execute("INSERT INTO own VALUES('a', 3)")
    journal.close()
    with pytest.raises(JournalError, match="nonsense"):
        Journal(tmp_path / "j", tables=LATER, steps=(STEPS[0] + "nonsense;",))
    assert first(tmp_path / "j", "SELECT * FROM own") == ("a", 3), "half a step is none"
    for _ in range(2):
        newer = Journal(tmp_path / "j", tables=LATER, steps=STEPS)
        assert newer.db.execute("SELECT * FROM own").fetchall() == [("a", 3072, "byte")]
        newer.close()
    assert read_all(tmp_path / "j") == ["frame"]
    with pytest.raises(JournalError, match="newer memfleet"):
        Journal(tmp_path / "j", tables=TABLES)


def test_a_new_file_is_of_the_newest_version(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "own.db", isolation_level=None)
    bring_up(db, tmp_path / "own.db", LATER, STEPS)
    assert db.execute("PRAGMA user_version").fetchone() == (2,)
    bring_up(db, tmp_path / "own.db", LATER, STEPS)
    db.close()
