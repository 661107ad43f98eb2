from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.series import reader
from collector.series.points import extremes
from telemetry.errors import EnvironmentFault, UsageError
from telemetry.readings import About
from tests.collector.series.made import T0, Bench, finding, rows


def test_the_fullest_thing_speaks_for_a_device(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.arrive(
        About(
            "dev-1", 1, {"platform": "mt3620", "board": "rdb", "firmware": "21.1", "os": "20.07"}, {"user_mode": 1000}
        ),
        rows("process", [], ["user_mode", "total"], [0, 0, 500, 5000]),
        rows("heap", ["a"], ["used", "free"], [0, 0, 80, 20]),
        rows("stack", ["main"], ["size", "min_free"], [0, 0, 100, 30]),
        rows("process", [], ["user_mode"], [0, 0, 131_072], device="dev-2"),
        rows("log", [], ["text"], [0, 0, "hello"], device="dev-3"),
        rows("agent", [], ["ports"], [0, 0, 2], device="gateway"),
    )
    one, two, three = reader.devices(bench.db, T0)
    assert (one.used, one.limit, one.used_of) == (80, 100, "heap a")
    assert (one.platform, one.board, one.firmware, one.os) == ("mt3620", "rdb", "21.1", "20.07")
    assert (two.used, two.limit, two.used_of, two.platform) == (131_072, 262_144, "process", "other")
    assert (three.used, three.limit, three.used_of) == (None, None, "")
    bench.arrive(rows("process", [], ["user_mode"], [1, 1, 900]))
    assert reader.device(bench.db, "dev-1", T0) == reader.devices(bench.db, T0)[0]
    assert reader.devices(bench.db, T0)[0].used_of == "process"
    assert reader.device(bench.db, "dev-9", T0) is None


def test_a_device_unheard_for_too_long_is_silent_but_an_alert_says_more(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.arrive(rows("heap", ["k"], ["free"], [0, 0, 1]), rows("heap", ["k"], ["free"], [0, 0, 1], device="dev-2"))
    bench.find(finding())
    assert [row.state for row in reader.devices(bench.db, T0 + 300_000)] == ["warning", "ok"]
    assert [row.state for row in reader.devices(bench.db, T0 + 300_001)] == ["warning", "silent"]
    assert [row.state for row in reader.devices(bench.db, T0 + 300_001, 600_000)] == ["warning", "ok"]


def test_a_device_is_silent_though_a_rule_warns_of_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.arrive(rows("heap", ["k"], ["free"], [0, 0, 1]))
    silence = "silent|dev-1|device"
    numbers = {"silent_s": 300.0, "silent_after_s": 300.0}
    said = {"key": silence, "episode": f"{silence}@{T0}", "rule": "silent", "numbers": numbers}
    bench.find(finding(**said))
    (row,) = reader.devices(bench.db, T0 + 300_001)
    assert (row.state, row.alerts, row.note) == ("silent", 1, "")
    bench.find(finding(**said, severity="critical"))
    assert [row.state for row in reader.devices(bench.db, T0 + 300_001)] == ["critical"]
    bench.find(finding(**said), finding())
    assert [row.state for row in reader.devices(bench.db, T0 + 300_001)] == ["warning"], "something else ails it, too"


def test_a_device_that_speaks_seldom_is_silent_after_a_span_of_its_own(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.arrive(About("dev-1", 1, {}, {"silent_after_s": 900}), rows("heap", ["k"], ["free"], [0, 0, 1]))
    assert [row.state for at in (900_000, 900_001) for row in reader.devices(bench.db, T0 + at)] == ["ok", "silent"]


def test_the_number_of_queries_does_not_grow_with_the_fleet(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    blocks = [
        rows("heap", [name], ["used", "free"], [0, 0, 1, 1], device=f"dev-{n}") for n in range(300) for name in "ab"
    ]
    bench.arrive(*blocks)
    asked: list[str] = []
    bench.db.set_trace_callback(asked.append)
    assert len(reader.devices(bench.db, T0)) == 300
    assert len(asked) == 3
    asked.clear()
    reader.series_of(bench.db, "dev-7")
    reader.alerts(bench.db)
    assert len(asked) == 2


def test_logs_and_events_are_the_newest_of_the_span_in_order(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.arrive(
        rows("log", [], ["level", "module", "text"], *([n, n, "W", "wifi", f"line {n}"] for n in range(9))),
        rows("log", [], ["text"], [0, 0, "other"], device="dev-2"),
        rows("event", ["boot"], ["code"], [1, 1, 3]),
        rows("event", ["panic"], ["reason", "extra"], [0, 0, "why", 7], [5, None, None, 8]),
    )
    lines = reader.logs(bench.db, "dev-1", T0, T0 + 7, limit=3)
    assert [(line.time_ms - T0, line.level, line.module, line.text) for line in lines] == [
        (n, "W", "wifi", f"line {n}") for n in (5, 6, 7)
    ]
    events = reader.events(bench.db, "dev-1", T0, T0 + 9)
    assert [(event.time_ms - T0, event.type, event.values) for event in events] == [
        (0, "panic", {"reason": "why", "extra": 7}), (1, "boot", {"code": 3}), (5, "panic", {"extra": 8}),
    ]  # fmt: skip
    assert reader.logs(bench.db, "dev-9", 0, T0 * 2) == []


def test_points_of_a_span(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.arrive(rows("heap", ["k"], ["free"], *([n, n, n] for n in range(10))))
    assert reader.points(bench.db, "dev-1", "heap", ["k"], T0 + 3, T0 + 5).values == {"free": [3, 4, 5]}
    nothing = reader.points(bench.db, "dev-1", "heap", ["other"], 0, T0 * 2)
    assert (nothing.t, nothing.values, nothing.total) == ([], {}, 0)
    for kind in ("log", "event", "heap; DROP TABLE heap"):
        with pytest.raises(UsageError, match="has no points; use one of process, heap, task"):
            reader.points(bench.db, "dev-1", kind, [], 0, 1)


def test_thinned_points_keep_peaks_and_dips(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    values = [[n, n, 500 + n % 3, None if n % 2 else n] for n in range(5000)]
    values[1234][2], values[4321][2] = 9999, 1
    bench.arrive(rows("heap", ["k"], ["free", "used"], *values))
    points = reader.points(bench.db, "dev-1", "heap", ["k"], 0, T0 * 2, 200)
    assert points.total == 5000
    assert 100 < len(points.t) <= 200
    shown = dict(zip(points.t, points.values["free"], strict=True))
    assert (shown[T0 + 1234], shown[T0 + 4321]) == (9999, 1)
    assert all(value == values[t - T0][2] for t, value in shown.items())
    assert (points.t[0], points.t[-1]) == (T0, T0 + 4999)


_column = st.lists(st.none() | st.integers(-(2**40), 2**40), min_size=1, max_size=300)


@given(column=_column, most=st.integers(4, 60))
def test_extremes_keep_least_most_first_and_last(column: list[int | None], most: int) -> None:
    kept = extremes([column], most)
    assert kept == sorted(set(kept))
    assert len(kept) <= max(most, 4)
    assert {0, len(column) - 1} <= set(kept)
    known = [value for value in column if value is not None]
    if known:
        shown = [column[index] for index in kept if column[index] is not None]
        assert (min(shown), max(shown)) == (min(known), max(known))  # type: ignore[type-var]


def test_a_reader_before_the_writer_is_told_to_wait(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault) as caught:
        reader.open_reader(tmp_path / "series.db")
    assert caught.value.retry
    assert not (tmp_path / "series.db").exists()
