from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from collector.config import CollectorConfig
from collector.records import encode_arrival, encode_tick
from collector.series import reader
from collector.series.process import SeriesProcess, run
from collector.series.schema import SCHEMA
from telemetry.errors import JournalError
from telemetry.journal import Journal
from telemetry.wire import encode_body
from tests.collector.series.made import FOR_EVER, KEEP, T0, Bench, finding, rows
from tests.waiting import LIMIT_S, wait_until

ROOT = Path(__file__).parents[3]


def test_run_serves_until_stopped(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "readings.journal")
    with journal.transaction():
        journal.append([(encode_arrival(T0, "a", 0, encode_body([rows("heap", ["k"], ["free"], [0, 0, 1])])), 1)])
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(CollectorConfig(retention=FOR_EVER), tmp_path, stop))
    thread.start()
    wait_until(lambda: (tmp_path / "series.db").exists() and rows_in(tmp_path) == 1, "the row is in the series")
    stop.set()
    thread.join(LIMIT_S)
    assert not thread.is_alive()


@pytest.mark.parametrize("restarts", [False, True])
def test_nobody_was_heard_in_a_future_of_our_own_clock(tmp_path: Path, restarts: bool) -> None:
    journal = Journal(tmp_path / "readings.journal")
    process = SeriesProcess(tmp_path, KEEP)
    for ahead_ms in (3_600_000, 0):
        now_ms = T0 + ahead_ms
        reading = encode_arrival(now_ms, "a", 0, encode_body([rows("heap", ["k"], ["free"], [0, 0, 1])]))
        said = [(reading, 1)] if ahead_ms else []
        with journal.transaction():
            journal.append([*said, (encode_tick(now_ms), 0)])
        assert process.step()
        if restarts:
            process.close()
            process = SeriesProcess(tmp_path, KEEP)
    process.close()
    with closing(sqlite3.connect(tmp_path / "series.db")) as db:
        assert db.execute("SELECT last_seen FROM devices").fetchall() == [(T0,)]
    journal.close()


def test_killed_again_and_again_it_takes_every_reading_exactly_once(tmp_path: Path) -> None:
    """SIGKILL while it works through a backlog: rows and counters agree with the journal, whatever the moment."""
    journal = Journal(tmp_path / "readings.journal")
    program = (
        "import sys, threading, pathlib\n"
        "from collector.config import CollectorConfig\n"
        "from collector.series.process import run\n"
        "from tests.collector.series.made import FOR_EVER\n"
        "run(CollectorConfig(retention=FOR_EVER), pathlib.Path(sys.argv[1]), threading.Event())"
    )
    for start in range(0, 12_000, 4000):
        frames = [
            (encode_arrival(T0, "a", 0, encode_body([rows("heap", [f"k{n % 7}"], ["free"], [n, n, n])])), 1)
            for n in range(start, start + 4000)
        ]
        with journal.transaction():
            journal.append(frames)
        seen = rows_in(tmp_path)
        process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT)
        wait_until(lambda seen=seen: rows_in(tmp_path) > seen, "it works", pause_s=0.01)  # type: ignore[misc]
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert reader.counters(reader.open_reader(tmp_path / "series.db"))["series_rows"] == rows_in(tmp_path)
    last = SeriesProcess(tmp_path, KEEP, lambda: T0)
    while last.step():
        pass
    last.close()
    db = reader.open_reader(tmp_path / "series.db")
    assert db.execute("SELECT count(*), sum(free), count(DISTINCT t) FROM heap").fetchone() == (
        12_000, sum(range(12_000)), 12_000,
    )  # fmt: skip
    assert reader.counters(db)["series_rows"] == 12_000


def test_a_file_that_is_no_database_is_set_aside_and_made_again_from_the_journals(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.arrive(rows("heap", ["k"], ["free"], [0, 0, 1]))
    bench.find(finding())
    bench.process.close()
    bench.db.close()
    for suffix in ("-wal", "-shm"):
        tmp_path.joinpath(f"series.db{suffix}").unlink(missing_ok=True)
    (tmp_path / "series.db").write_bytes(b"no database" * 1000)
    bench.restart()
    db = reader.open_reader(tmp_path / "series.db")
    assert reader.counters(db) == {"damaged_files": 1, "series_frames": 1, "series_rows": 1, "series_findings": 1}
    assert len(reader.alerts(db)) == 1
    assert (tmp_path / "series.db.damaged-1").read_bytes().startswith(b"no database")


def test_another_journal_is_read_from_its_oldest_frame_and_counted(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.arrive(rows("heap", ["k"], ["free"], [0, 0, 1]))
    bench.readings.close()
    for path in tmp_path.glob("readings.journal*"):
        path.rename(tmp_path / f"old-{path.name}")
    bench.readings = Journal(tmp_path / "readings.journal")
    bench.arrive(rows("heap", ["k"], ["free"], [0, 0, 2]))
    assert reader.counters(bench.db)["series_journal_restarts"] == 1
    assert reader.points(bench.db, "dev-1", "heap", ["k"], 0, T0 * 2).values == {"free": [2]}


def test_a_frame_that_cannot_be_decoded_is_counted_and_passed_over(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for journal in (bench.readings, bench.findings, bench.desk):
        with journal.transaction():
            journal.append([(b"\xc1 of another version", 3)])
    bench.arrive(rows("heap", ["k"], ["free"], [0, 0, 1]))
    bench.find(finding())
    counters = reader.counters(bench.db)
    assert (counters["series_undecodable_frames"], counters["series_rows"], counters["series_findings"]) == (3, 1, 1)


def test_a_file_of_a_newer_memfleet_is_left_alone(tmp_path: Path) -> None:
    Bench(tmp_path).process.close()
    with sqlite3.connect(tmp_path / "series.db") as db:
        db.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    with pytest.raises(JournalError, match="written by a newer memfleet"):
        Bench(tmp_path)


def test_alerts_of_an_older_file_are_kept_and_know_no_boot(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.find(finding(boot=1))
    bench.process.close()
    with sqlite3.connect(tmp_path / "series.db") as db:
        db.execute("ALTER TABLE alerts DROP COLUMN boot")
        db.execute("PRAGMA user_version = 1")
    bench.restart()
    bench.arrive(rows("heap", ["k"], ["free"], [0, 0, 1], boot=2))
    (alert,) = reader.alerts(bench.db)
    assert (alert.key, alert.restarts) == (finding().key, 0)


def rows_in(directory: Path) -> int:
    try:
        db = sqlite3.connect(f"file:{directory / 'series.db'}?mode=ro", uri=True)
        count: int = db.execute("SELECT count(*) FROM heap").fetchone()[0]
        db.close()
    except sqlite3.OperationalError:
        return 0
    return count
