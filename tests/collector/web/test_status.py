"""What the files tell about the processes."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

from collector.config import CollectorConfig
from collector.notify.process import Maker
from collector.stores.ledger import Ledger
from collector.web.metrics import render
from collector.web.status import INTAKE_QUIET_MS, NEEDED, ProcessStatus, statuses, unready
from memfleet.commands.collect import gets_on
from telemetry.clock import wall_ms
from telemetry.journal import Cursor, save_cursor
from tests.collector.web.seeding import Collector, alert


@pytest.fixture
def collector(tmp_path: Path) -> Collector:
    return Collector(tmp_path)


def _by_process(directory: Path, now_ms: int, stores: tuple[str, ...] = ()) -> dict[str, ProcessStatus]:
    return {one.process: one for one in statuses(directory, stores, now_ms)}


def test_lag_is_what_has_not_been_read(collector: Collector) -> None:
    now_ms = wall_ms()
    collector.arrive([], received_ms=now_ms - 90_000)
    collector.settle()
    collector.arrive([], received_ms=now_ms - 60_000)
    collector.arrive([], received_ms=now_ms)
    found = _by_process(collector.directory, now_ms)
    assert found["series"].lag_frames["readings"] == 4
    assert found["series"].behind_ms == 60_000
    assert found["intake"].frames == 6
    assert "the series are 60 s behind" in unready(list(found.values()), now_ms)
    collector.settle()
    assert _by_process(collector.directory, now_ms)["series"].lag_frames["readings"] == 0


def test_a_judge_that_does_not_get_on_is_named(collector: Collector) -> None:
    """Its newest verdicts stand as they were, and nobody is told of anything new."""
    now_ms = wall_ms()
    collector.arrive([], received_ms=now_ms - 50_000)
    read = Cursor(collector.readings.generation, collector.readings.last_id())
    save_cursor(collector.findings.db, "readings", read)
    collector.arrive([], received_ms=now_ms - 40_000)
    collector.arrive([], received_ms=now_ms)
    collector.settle()
    assert unready(statuses(collector.directory, (), now_ms), now_ms) == ["the judge is 40 s behind"]


def test_a_notifier_that_reads_nothing_is_named_where_somebody_is_to_be_told(collector: Collector) -> None:
    now_ms = wall_ms()
    collector.arrive([], received_ms=now_ms)
    collector.settle()
    with_notify = (*NEEDED, "notify")

    def told(at_ms: int) -> list[str]:
        return unready(statuses(collector.directory, (), at_ms), at_ms, with_notify)

    assert told(now_ms) == ["notify is not running yet (notify.db is missing)"]
    assert unready(statuses(collector.directory, (), now_ms), now_ms) == []
    Maker(collector.directory, CollectorConfig(), []).close()
    assert told(now_ms) == []
    collector.find(alert("board-1", "leaks", at_ms=now_ms))
    collector.settle()
    assert told(now_ms + 1000) == [], "it has hardly had time"
    deaf = [one for one in told(now_ms + 60_000) if one.startswith("notify")]
    assert deaf == ["notify has not read what was found 60 s ago: nobody is told"]
    maker = Maker(collector.directory, CollectorConfig(), [])
    maker.step(now_ms)
    maker.close()
    assert not [one for one in told(now_ms + 60_000) if one.startswith("notify")]


def test_another_generation_counts_as_unread(collector: Collector) -> None:
    collector.arrive([])
    collector.settle()
    collector.readings.db.execute("UPDATE meta SET value = value + 1 WHERE key = 'generation'")
    assert _by_process(collector.directory, wall_ms())["series"].lag_frames["readings"] == 2


def test_missing_processes_are_named_and_the_notifier_is_not_needed(collector: Collector) -> None:
    now_ms = wall_ms()
    collector.arrive([], received_ms=now_ms)
    found = statuses(collector.directory, ("influx",), now_ms)
    assert [one.process for one in found if not one.running] == ["notify", "page", "store:influx"]
    assert unready(found, now_ms) == ["store:influx is not running yet (store-influx.db is missing)"]


def test_a_file_that_cannot_be_read_is_not_called_missing(collector: Collector) -> None:
    now_ms = wall_ms()
    collector.arrive([], received_ms=now_ms)
    (collector.directory / "store-influx.db").write_text("no database" * 100)
    found = statuses(collector.directory, ("influx",), now_ms)
    assert unready(found, now_ms) == ["store:influx cannot be looked at (store-influx.db: file is not a database)"]


def test_a_held_store_says_what_to_do(collector: Collector) -> None:
    now_ms = wall_ms()
    collector.arrive([], received_ms=now_ms)
    ledger = Ledger(collector.directory / "store-influx.db")
    ledger.save_status(state="held", reason="the token is refused; write a new one", since_ms="1")
    ledger.close()
    found = statuses(collector.directory, ("influx",), now_ms)
    assert unready(found, now_ms) == ["store:influx is held: the token is refused; write a new one"]
    assert b'memfleet_store_held{store="influx"} 1.0' in render(found, {}, {})


def test_an_intake_that_writes_no_ticks_is_noticed(collector: Collector) -> None:
    collector.arrive([])
    later_ms = wall_ms() + 20_000
    assert any(
        "intake has written nothing for" in each
        for each in unready(statuses(collector.directory, (), later_ms), later_ms)
    )


def test_a_file_that_is_no_database_counts_as_not_running(tmp_path: Path) -> None:
    (tmp_path / "series.db").write_bytes(b"not a database at all, but long enough to be read as one" * 100)
    assert not _by_process(tmp_path, wall_ms())["series"].running


def test_a_log_that_goes_between_two_looks_makes_nobody_stand_still(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever closes a file takes its write-ahead log away, and makes another when it opens it again."""
    looks, real = itertools.count(), Path.stat

    def stat(path: Path, **how: bool) -> os.stat_result:
        if path.name.endswith("-wal") and next(looks) % 2:
            raise FileNotFoundError(path)
        return real(path, **how)

    collector.settle()
    monkeypatch.setattr(Path, "stat", stat)
    assert _by_process(collector.directory, wall_ms())["judge"].running


def test_a_rival_at_the_broker_is_told_and_is_no_reason_to_start_again(collector: Collector) -> None:
    now_ms = wall_ms()
    collector.arrive([], received_ms=now_ms)
    collector.settle()
    read = Cursor(collector.readings.generation, collector.readings.last_id())
    save_cursor(collector.findings.db, "readings", read)
    assert unready(statuses(collector.directory, (), now_ms), now_ms) == []
    collector.readings.db.execute("INSERT INTO trouble VALUES('another takes our place')")
    assert unready(statuses(collector.directory, (), now_ms), now_ms) == ["another takes our place"]
    assert gets_on(collector.directory)


def test_a_rival_is_none_of_an_intake_that_has_ended(collector: Collector) -> None:
    """It may have been the rival itself, which somebody stopped."""
    now_ms = wall_ms()
    collector.arrive([], received_ms=now_ms)
    collector.readings.db.execute("INSERT INTO trouble VALUES('another takes our place')")
    later_ms = now_ms + INTAKE_QUIET_MS + 1000
    told = unready(statuses(collector.directory, (), later_ms), later_ms)
    assert any(reason.startswith("intake has written nothing") for reason in told)
    assert "another takes our place" not in told
