from __future__ import annotations

import sqlite3
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from collector.ownfile import COUNTERS
from collector.records import Arrival
from collector.series import reader
from collector.series.schema import tables
from collector.series.writer import SeriesWriter
from telemetry.readings import About
from telemetry.wire import Rows
from tests.collector.series.made import T0, Bench, rows


def test_readings_stand_in_the_table_of_their_kind(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.arrive(rows("heap", ["kernel"], ["free", "used"], [0, 0, 10, None], [5, None, 11, 4], flags=2))
    points = reader.points(bench.db, "dev-1", "heap", ["kernel"], 0, T0 * 2)
    assert (points.t, points.boot, points.uptime, points.flags) == ([T0, T0 + 5], [1, 1], [1000, None], [2, 2])
    assert points.values == {"free": [10, 11], "used": [None, 4]}
    assert reader.counters(bench.db) == {"series_frames": 1, "series_rows": 2}


def test_the_later_of_two_readings_of_one_instant_replaces_the_earlier(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    first = rows("heap", ["kernel"], ["free", "used"], [0, 0, 1, 1], [0, 0, 2, 2])
    bench.arrive(first, rows("heap", ["kernel"], ["free", "used"], [0, 0, 3, 3]))
    assert reader.points(bench.db, "dev-1", "heap", ["kernel"], 0, T0 * 2).values == {"free": [3], "used": [3]}
    bench.arrive(rows("heap", ["kernel"], ["free", "used"], [0, 0, 4, 4]))
    assert reader.points(bench.db, "dev-1", "heap", ["kernel"], 0, T0 * 2).values == {"free": [4], "used": [4]}


def test_equal_names_on_other_devices_and_kinds_are_other_series(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.arrive(
        rows("heap", ["main"], ["free"], [0, 0, 1]),
        rows("heap", ["main"], ["free"], [0, 0, 2], device="dev-2"),
        rows("stack", ["main"], ["min_free"], [0, 0, 3]),
        rows("task", ["a", "main"], ["current"], [0, 0, 4]),
        rows("task", ["a,main", ""], ["current"], [0, 0, 5]),
    )
    found = {(s.kind, s.names): s.values for s in reader.series_of(bench.db, "dev-1")}
    assert found == {
        ("heap", ("main",)): {"free": 1},
        ("stack", ("main",)): {"min_free": 3},
        ("task", ("a", "main")): {"current": 4},
        ("task", ("a,main", "")): {"current": 5},
    }


def test_a_device_tells_its_own_uptime_in_the_same_column(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    fields = ["boots", "uptime", "firmware"]
    bench.arrive(rows("device", [], fields, [0, 7, 3, 99_000, "2.0"], [1, 8, 3, None, None]))
    points = reader.points(bench.db, "dev-1", "device", [], 0, T0 * 2)
    assert points.uptime == [99_000, 1008]
    assert points.values == {"boots": [3, 3], "firmware": ["2.0", None]}


def test_what_people_tell_of_a_device_is_no_sign_of_life(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.arrive(About("dev-1", 1, {"board": "b"}), rows("heap", ["main"], ["free"], [0, 0, 1]))
    bench.arrive(About("dev-1", 1, {"board": "b", "site": "Lyon"}), received_ms=T0 + 3_600_000)
    (device,) = reader.devices(bench.db, T0 + 3_600_000, 300_000)
    assert (device.last_seen_ms, device.state) == (T0, "silent")


def test_what_an_agent_tells_of_a_port_is_no_sign_of_life(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.arrive(rows("heap", ["main"], ["free"], [0, 0, 1]))
    later = T0 + 3_600_000
    bench.arrive(rows("event", ["port_lost"], ["text"], [0, None, "unplugged"], t0=later), received_ms=later)
    (device,) = reader.devices(bench.db, later, 300_000)
    assert (device.last_seen_ms, device.state) == (T0, "silent")
    bench.arrive(rows("event", ["console_heard"], ["text"], [0, None, "prints again"], t0=later), received_ms=later)
    (device,) = reader.devices(bench.db, later, 300_000)
    assert (device.last_seen_ms, device.state) == (later, "ok")


def test_newest_values_gather_over_one_boot_and_begin_anew_with_the_next(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    def newest() -> tuple[int, int, dict[str, object]]:
        (series,) = reader.series_of(bench.db, "dev-1")
        return series.time_ms - T0, series.boot, dict(series.values)

    bench.arrive(rows("heap", ["k"], ["size"], [0, 0, 100]))
    bench.arrive(rows("heap", ["k"], ["free", "used"], [2, 2, 60, None], [1, 1, 70, 30]))
    assert newest() == (2, 1, {"size": 100, "free": 60, "used": 30})
    bench.arrive(rows("heap", ["k"], ["free"], [1, 1, 5]))
    assert newest() == (2, 1, {"size": 100, "free": 60, "used": 30})
    bench.restart()
    bench.arrive(rows("heap", ["k"], ["free"], [3, 3, 50]))
    assert newest() == (3, 1, {"size": 100, "free": 50, "used": 30})
    bench.arrive(rows("heap", ["k"], ["free"], [9, 0, 99], boot=2))
    assert newest() == (9, 2, {"free": 99})


def test_what_an_agent_said_last_stands_though_its_clock_was_set_back(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for time_ms, depth, behind_ms in ((9_000_000, 1, None), (5_400_000, 2, 3_600_000), (9_060_000, 3, 0)):
        said = rows("agent", [], ["outbox_depth", "clock_behind_ms"], [time_ms, 0, depth, behind_ms])
        bench.arrive(said, received_ms=T0 + 9_000_000 + depth)
        (series,) = reader.series_of(bench.db, "dev-1")
        assert series.values["outbox_depth"] == depth
    assert series.values["clock_behind_ms"] == 0
    bench.arrive(rows("agent", [], ["outbox_depth"], [1_000_000, 0, 4]), received_ms=T0 + 60)
    (series,) = reader.series_of(bench.db, "dev-1")
    assert series.values["outbox_depth"] == 3, "what has waited in quarantine is no news"


def test_what_is_seen_of_a_device_follows_its_newest_boot(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.arrive(About("dev-1", 1, {"platform": "zephyr"}), received_ms=T0)
    row = reader.device(bench.db, "dev-1", T0)
    assert row is not None
    assert (row.platform, row.boot, row.uptime_ms, row.first_seen_ms) == ("zephyr", 1, None, T0)
    bench.arrive(rows("heap", ["k"], ["free"], [0, 0, 1], [5, 5, 1], boot=2), received_ms=T0 + 50, agent="other")
    bench.arrive(rows("heap", ["k"], ["free"], [9, 9, 1], boot=1), received_ms=T0 + 40)
    row = reader.device(bench.db, "dev-1", T0)
    assert row is not None
    assert (row.boot, row.uptime_ms, row.last_seen_ms, row.first_seen_ms) == (2, 1005, T0 + 50, T0)
    assert row.agent == "gateway"


_blocks = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.sampled_from([("free",), ("used", "free"), ("size",)]),
        st.lists(st.tuples(st.integers(0, 6), st.integers(0, 99) | st.none()), min_size=1, max_size=5),
    ),
    max_size=8,
)


@given(frames=st.lists(_blocks, min_size=1, max_size=4))
def test_the_tables_hold_the_last_reading_of_every_instant(
    frames: list[list[tuple[str, tuple[str, ...], list[tuple[int, int | None]]]]],
) -> None:
    db = sqlite3.connect(":memory:")
    db.executescript(COUNTERS + tables())
    writer = SeriesWriter(db)
    model: dict[str, dict[int, dict[str, int | None]]] = {"a": {}, "b": {}}
    for frame in frames:
        blocks: list[About | Rows] = []
        for name, fields, values in frame:
            blocks.append(rows("heap", [name], fields, *([dt, dt, *[value] * len(fields)] for dt, value in values)))
            for dt, value in values:
                model[name][T0 + dt] = dict.fromkeys(fields, value)
        writer.take(Arrival(T0, "gateway", blocks))
        writer.finish()
    for name, known in model.items():
        points = reader.points(db, "dev-1", "heap", [name], 0, T0 * 2)
        assert points.t == sorted(known)
        for field in ("free", "used", "size"):
            assert points.values.get(field, [None] * len(known)) == [known[t].get(field) for t in points.t]
