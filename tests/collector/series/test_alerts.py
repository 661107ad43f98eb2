from __future__ import annotations

from pathlib import Path

import pytest

from collector.records import Desk
from collector.series import reader
from collector.series.keeper import DAY_MS, HOUR_MS
from collector.series.rows import AlertRow
from tests.collector.series.made import T0, Bench, finding, rows

KEY = finding().key


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.arrive(rows("heap", ["kernel"], ["size", "free"], [0, 0, 65_536, 4096]))
    return made


def only(bench: Bench, *, active_only: bool = True) -> AlertRow:
    (row,) = reader.alerts(bench.db, active_only)
    return row


def state(bench: Bench, now_ms: int = T0) -> tuple[str, int]:
    row = reader.device(bench.db, "dev-1", now_ms)
    assert row is not None
    return row.state, row.alerts


def test_an_episode_opens_changes_and_is_resolved(bench: Bench) -> None:
    assert state(bench) == ("ok", 0)
    bench.find(finding())
    row = only(bench)
    assert (row.key, row.names, row.numbers, row.reason) == (
        KEY,
        ("kernel",),
        {"free": 4096.0},
        "4 KiB of 64 KiB are free",
    )
    assert state(bench) == ("warning", 1)
    bench.find(finding(severity="critical", reason="1 KiB left", at_ms=T0 + 5))
    assert (only(bench).severity, only(bench).reason, only(bench).since_ms) == ("critical", "1 KiB left", T0)
    assert state(bench) == ("critical", 1)
    bench.find(finding("resolved", at_ms=T0 + 9))
    assert reader.alerts(bench.db) == []
    assert only(bench, active_only=False).status == "resolved"
    assert state(bench) == ("ok", 0)
    assert reader.counters(bench.db)["series_findings"] == 3


def test_an_alert_says_before_how_many_restarts_it_was_until_it_is_told_of_the_new_boot(bench: Bench) -> None:
    bench.find(finding(boot=1))
    assert (only(bench).restarts, only(bench).reason) == (0, "4 KiB of 64 KiB are free")
    said = []
    for boot in (2, 4):
        bench.arrive(rows("heap", ["kernel"], ["size", "free"], [0, 0, 65_536, 60_000], boot=boot, t0=T0 + boot))
        said.append((only(bench).restarts, only(bench).reason))
    assert said == [
        (1, "Before it restarted: 4 KiB of 64 KiB are free"),
        (3, "Before its last 3 restarts: 4 KiB of 64 KiB are free"),
    ]
    bench.find(finding(boot=4, reason="3 KiB left"))
    assert (only(bench).restarts, only(bench).reason) == (0, "3 KiB left")
    bench.find(finding("resolved", boot=3, reason="Over."))
    assert only(bench, active_only=False).reason == "Over."


@pytest.mark.parametrize("told", [{"kind": "event"}, {"kind": "device"}, {"boot": 0}])
def test_of_a_restart_itself_nothing_is_said_nor_where_no_boot_is_known(bench: Bench, told: dict[str, object]) -> None:
    bench.find(finding(**{"boot": 1, **told}))
    bench.arrive(rows("heap", ["kernel"], ["size", "free"], [0, 0, 65_536, 60_000], boot=2))
    assert (only(bench).restarts, only(bench).reason) == (0, "4 KiB of 64 KiB are free")


def test_an_acknowledged_alert_stays_open_but_no_longer_colours_the_device(bench: Bench) -> None:
    bench.find(finding())
    bench.ask(Desk("acknowledge", T0 + 1, "kim", key=KEY))
    assert (only(bench).acknowledged_ms, only(bench).acknowledged_by) == (T0 + 1, "kim")
    assert state(bench) == ("ok", 1)
    assert [row.note for row in reader.devices(bench.db, T0)] == ["muted"]
    bench.find(finding("resolved"), finding(episode=f"{KEY}@{T0 + 10}", since_ms=T0 + 10))
    assert only(bench).acknowledged_ms == 0
    assert state(bench) == ("warning", 1)


def test_an_acknowledgement_that_comes_before_its_finding_is_remembered(bench: Bench) -> None:
    bench.ask(Desk("acknowledge", T0 + 1, "kim", key=KEY))
    bench.find(finding())
    assert only(bench).acknowledged_by == "kim"
    bench.find(finding("resolved"), finding(episode=f"{KEY}@{T0 + 10}", since_ms=T0 + 10))
    assert only(bench).acknowledged_by == ""


def test_a_silence_covers_what_fires_now_and_later_until_it_ends(bench: Bench) -> None:
    bench.find(finding())
    bench.ask(Desk("silence", T0, "kim", key="low_*|dev-1|*", until_ms=T0 + HOUR_MS))
    other = finding(key="leak|dev-1|heap|a", episode="leak|dev-1|heap|a@1", severity="critical", rule="leak")
    assert only(bench).silenced_until_ms == T0 + HOUR_MS
    assert state(bench) == ("ok", 1)
    assert state(bench, T0 + HOUR_MS - 1)[0] == "silent"
    bench.arrive(rows("heap", ["kernel"], ["free"], [0, 0, 1]), received_ms=T0 + HOUR_MS)
    assert state(bench, T0 + HOUR_MS) == ("warning", 1)
    bench.find(finding(key="low_stack|dev-1|stack|m", episode="low_stack|dev-1|stack|m@1"), other)
    assert [row.silenced_until_ms for row in reader.alerts(bench.db)] == [0, T0 + HOUR_MS, T0 + HOUR_MS]
    assert reader.silences(bench.db, T0) == [("low_*|dev-1|*", T0 + HOUR_MS, "kim")]
    bench.ask(Desk("unsilence", T0, key="low_*|dev-1|*"))
    assert {row.silenced_until_ms for row in reader.alerts(bench.db)} == {0}
    assert reader.silences(bench.db, T0) == []


def test_the_worst_and_newest_alerts_come_first(bench: Bench) -> None:
    told = [("a", "warning", 1, "dev-1"), ("b", "critical", 2, "dev-2"), ("c", "info", 9, "dev-1")]
    made = [
        finding(key=name, episode=f"{name}@{at}", severity=severity, at_ms=at, device=device)
        for name, severity, at, device in [*told, ("d", "warning", 3, "dev-1")]
    ]
    bench.find(*made, finding("resolved", key="e", episode="e@1", severity="critical"))
    assert [row.key for row in reader.alerts(bench.db)] == ["b", "d", "a", "c"]
    assert [row.key for row in reader.alerts(bench.db, active_only=False)] == ["b", "d", "a", "c", "e"]
    assert [row.key for row in reader.alerts(bench.db, device="dev-1", limit=2)] == ["d", "a"]


def test_what_is_over_is_forgotten_after_a_year_but_nothing_that_still_fires(bench: Bench) -> None:
    bench.find(finding(), finding("resolved", key="old", episode="old@1", at_ms=T0))
    bench.ask(Desk("silence", T0, key="x", until_ms=T0 + 5), Desk("acknowledge", T0, key="old"))
    bench.now_ms = T0 + 366 * DAY_MS
    bench.drain()
    assert [row.key for row in reader.alerts(bench.db, active_only=False)] == [KEY]
    assert bench.db.execute(
        "SELECT (SELECT count(*) FROM silences) + (SELECT count(*) FROM acknowledgements)"
    ).fetchone() == (0,)
