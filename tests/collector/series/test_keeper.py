from __future__ import annotations

from pathlib import Path

from collector.series import reader
from collector.series.keeper import DAY_MS, HOUR_MS, Keep, used_bytes
from telemetry.wire import Rows
from tests.collector.series.made import KEEP, T0, Bench, rows

HOUR0 = T0 // HOUR_MS * HOUR_MS


def heap(*values: tuple[int, int | None], name: str = "k", boot: int = 1) -> Rows:
    """Readings of (ms after the hour, free)."""
    return rows("heap", [name], ["free"], *([at, None, free] for at, free in values), boot=boot, t0=HOUR0)


def hours(bench: Bench) -> list[tuple[object, ...]]:
    return bench.db.execute(
        "SELECT t, readings, last_t, boot, free_least, free_most, free_last, used_least FROM heap_hourly ORDER BY t"
    ).fetchall()


def test_old_hours_become_least_most_and_last(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.arrive(heap((0, 50), (10, None), (20, 70), (30, 20), (40, 30), (HOUR_MS, 8), (HOUR_MS + 1, 9)))
    bench.arrive(rows("stack", ["main"], ["min_free"], [0, 0, 5]), rows("log", [], ["text"], [0, 0, "old"]))
    bench.now_ms = HOUR0 + KEEP.raw_ms + HOUR_MS
    bench.drain()
    assert hours(bench) == [(HOUR0, 5, HOUR0 + 40, 1, 20, 70, 30, None)]
    points = reader.points(bench.db, "dev-1", "heap", ["k"], 0, T0 * 2)
    assert list(zip(points.t, points.values["free"], strict=True)) == [
        (HOUR0, 20), (HOUR0 + 40, 30), (HOUR0 + HOUR_MS // 2, 70), (HOUR0 + HOUR_MS, 8), (HOUR0 + HOUR_MS + 1, 9),
    ]  # fmt: skip
    assert reader.logs(bench.db, "dev-1", 0, T0 * 2) == []
    assert reader.counters(bench.db)["series_rows_expired"] == 7
    assert len(reader.series_of(bench.db, "dev-1")) == 2


def test_what_arrives_late_is_merged_into_its_hour(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.arrive(heap((10, 50), (20, 60)))
    bench.now_ms = HOUR0 + KEEP.raw_ms + HOUR_MS
    bench.drain()
    bench.arrive(heap((5, 40), (15, 90)), heap((30, None), boot=2))
    bench.now_ms += HOUR_MS
    bench.drain()
    assert hours(bench) == [(HOUR0, 5, HOUR0 + 30, 2, 40, 90, 60, None)]


def test_a_sweep_in_several_steps_and_a_restart_in_between_roll_up_each_reading_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.arrive(*(heap((1, n), (2, n + 1), name=f"k{n:04}") for n in range(600)))
    bench.now_ms = HOUR0 + KEEP.raw_ms + HOUR_MS
    bench.process.step()
    assert 0 < len(hours(bench)) < 600
    bench.restart()
    assert [row[1] for row in hours(bench)] == [2] * 600
    assert bench.db.execute("SELECT count(*) FROM heap").fetchone() == (0,)
    assert reader.counters(bench.db)["series_rows_expired"] == 1200


def test_hours_go_after_their_time(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.arrive(heap((0, 1), (HOUR_MS, 2)))
    bench.now_ms = HOUR0 + KEEP.raw_ms + 2 * HOUR_MS
    bench.drain()
    assert len(hours(bench)) == 2
    bench.now_ms = HOUR0 + KEEP.hours_ms + HOUR_MS
    bench.drain()
    assert [row[0] for row in hours(bench)] == [HOUR0 + HOUR_MS]
    assert reader.counters(bench.db)["series_hours_dropped"] == 1


def test_the_cap_holds_and_the_oldest_go_first(tmp_path: Path) -> None:
    cap = 1_000_000
    bench = Bench(tmp_path, Keep(14 * DAY_MS, 365 * DAY_MS, cap))
    step, many = 60_000, 4000
    for day in range(5):
        start = day * many * step
        bench.now_ms = HOUR0 + start + many * step
        bench.arrive(heap(*((start + n * step, n) for n in range(many)), name="a"))
        bench.arrive(heap(*((start + n * step, n) for n in range(many)), name="b"))
    bench.now_ms += 60_000
    bench.drain()
    assert used_bytes(bench.db) <= cap
    newest = HOUR0 + 5 * many * step - step
    for name in "ab":
        points = reader.points(bench.db, "dev-1", "heap", [name], newest - DAY_MS, newest)
        assert points.total == DAY_MS // step + 1
    counters = reader.counters(bench.db)
    (left,) = bench.db.execute("SELECT count(*) FROM heap").fetchone()
    (rolled,) = bench.db.execute("SELECT sum(readings) FROM heap_hourly").fetchone()
    assert counters["series_rows"] == 40_000 == left + rolled
    gone = counters.get("series_rows_crowded_out", 0) + counters.get("series_rows_expired", 0)
    assert (gone, counters["series_rows_crowded_out"] > 0) == (rolled, True)


def test_a_full_file_of_young_readings_does_not_spin(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Keep(14 * DAY_MS, 365 * DAY_MS, 1))
    bench.now_ms = HOUR0 + 1000
    bench.arrive(heap((0, 1), (10, 2)))
    assert bench.process.step() is False
    assert reader.points(bench.db, "dev-1", "heap", ["k"], 0, T0 * 2).total == 2
