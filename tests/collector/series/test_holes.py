"""Holes: found when they end, shown while they last, and told apart by cause."""

from __future__ import annotations

from pathlib import Path

from collector.records import encode_hole
from collector.series.gateways import agent_readings, devices_by_agent, holes
from collector.series.reader import counters
from collector.series.rows import HoleRow
from telemetry.readings import About
from tests.collector.series.made import T0, Bench, rows

SILENT = 300_000
ALWAYS = (0, T0 + 10**12)


def heard(bench: Bench, *offsets_ms: int, device: str = "dev-1", agent: str = "gateway") -> None:
    """One frame with a reading at each of these times."""
    bench.arrive(
        rows("heap", ["h"], ["free"], *([at, at, 5] for at in offsets_ms), device=device),
        received_ms=T0 + offsets_ms[-1],
        agent=agent,
    )


def lose(bench: Bench, frames: int, agent: str = "gateway") -> None:
    """An agent had to drop so many frames."""
    with bench.readings.transaction():
        bench.readings.append([(encode_hole(T0, agent, 7, (3, 2 + frames)), 0)])
    bench.drain()


def found(bench: Bench, now_ms: int = T0, device: str | None = None) -> list[HoleRow]:
    return holes(bench.db, ALWAYS, now_ms - SILENT, device)


def test_silence_is_a_hole_once_it_ends_and_while_it_lasts(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    heard(bench, 0)
    heard(bench, SILENT)
    assert found(bench, T0 + 2 * SILENT) == []
    assert found(bench, T0 + 2 * SILENT + 1) == [HoleRow("dev-1", "gateway", T0 + SILENT, None, "silence", 0)]
    heard(bench, 2 * SILENT + 1)
    assert found(bench, T0) == [HoleRow("dev-1", "gateway", T0 + SILENT, T0 + 2 * SILENT + 1, "silence", 0)]


def test_readings_that_come_late_leave_of_a_silence_what_is_still_one(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    heard(bench, 0)
    heard(bench, 10 * SILENT)
    heard(bench, 2 * SILENT, 3 * SILENT, 4 * SILENT)
    assert [(hole.from_ms, hole.to_ms) for hole in found(bench)] == [
        (T0 + 4 * SILENT, T0 + 10 * SILENT),
        (T0, T0 + 2 * SILENT),
    ]
    for late in (1, 9, 8, 7, 6, 5):
        heard(bench, late * SILENT)
    assert found(bench) == []
    assert counters(bench.db)["holes_silence"] == 1


def test_what_an_agent_tells_of_a_port_ends_no_hole(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    heard(bench, 0)
    bench.arrive(rows("event", ["console_silent"], ["text"], [SILENT, None, "not a byte"]))
    heard(bench, SILENT + 1)
    assert found(bench, T0) == [HoleRow("dev-1", "gateway", T0, T0 + SILENT + 1, "silence", 0)]


def test_a_device_that_speaks_seldom_has_no_hole_between_two_words(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.arrive(About("dev-1", 1, {}, {"silent_after_s": 900}))
    heard(bench, 0)
    heard(bench, 900_000)
    assert holes(bench.db, (0, T0 + 1_799_999), T0 + 1_799_999 - SILENT) == []
    assert len(holes(bench.db, (0, T0 + 1_800_000), T0 + 1_800_000 - SILENT)) == 1


def test_a_gap_inside_one_frame_is_seen(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.arrive(
        rows("heap", ["h"], ["free"], [0, 0, 1], [10 * SILENT, 10 * SILENT, 1]),
        rows("heap", ["other"], ["free"], [SILENT, SILENT, 1], [2 * SILENT, 2 * SILENT, 1]),
    )
    assert found(bench) == [HoleRow("dev-1", "gateway", T0 + 2 * SILENT, T0 + 10 * SILENT, "silence", 0)]


def test_lost_frames_are_a_hole_of_every_device_of_their_agent(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    heard(bench, 0)
    heard(bench, 1_000, device="dev-2")
    heard(bench, 0, device="other", agent="another")
    lose(bench, 4)
    lose(bench, 2)
    assert found(bench) == [
        HoleRow("dev-2", "gateway", T0 + 1_000, None, "lost", 6),
        HoleRow("dev-1", "gateway", T0, None, "lost", 6),
    ]
    heard(bench, 9_000)
    bench.restart()
    heard(bench, 11_000, device="dev-2")
    heard(bench, 12_000, device="dev-2")
    assert found(bench) == [
        HoleRow("dev-2", "gateway", T0 + 1_000, T0 + 11_000, "lost", 6),
        HoleRow("dev-1", "gateway", T0, T0 + 9_000, "lost", 6),
    ]
    assert found(bench, device="dev-1")[0].device == "dev-1"
    assert counters(bench.db)["holes_lost"] == 2


def test_what_was_lost_before_a_device_was_first_heard_is_its_hole_unless_it_came_later(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    lose(bench, 3)
    lose(bench, 2)
    bench.restart()
    heard(bench, -9 * SILENT, 0)
    heard(bench, SILENT, device="dev-2")
    heard(bench, SILENT + 1, device="came-later")
    heard(bench, 0, device="other", agent="another")
    assert [hole for hole in found(bench, T0 + SILENT) if hole.cause == "lost"] == [
        HoleRow("dev-2", "gateway", 0, T0 + SILENT, "lost", 5),
        HoleRow("dev-1", "gateway", 0, T0 - 9 * SILENT, "lost", 5),
    ]
    assert counters(bench.db)["holes_lost"] == 2
    later = holes(bench.db, (T0, T0 + 10**12), T0)
    assert [hole.device for hole in later if hole.cause == "lost"] == ["dev-2"]


def test_old_readings_that_come_late_make_no_hole(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    heard(bench, 10 * SILENT)
    heard(bench, 0, 1_000)
    heard(bench, 10 * SILENT + 1)
    assert found(bench, T0) == []


def test_a_retired_device_has_no_hole(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    heard(bench, 0)
    bench.arrive(About("dev-1", 1, {"retired": "yes"}))
    assert found(bench, T0 + 10 * SILENT) == []


def test_agents_tell_how_they_are(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    fields = ["outbox_depth", "clock", "version"]
    bench.arrive(rows("agent", [], fields, [0, 0, 3, "synchronised", "1.0"], device="gateway"))
    heard(bench, 0)
    heard(bench, 0, device="dev-2")
    told = agent_readings(bench.db)
    assert list(told) == ["gateway"]
    assert told["gateway"].values == {"outbox_depth": 3, "clock": "synchronised", "version": "1.0"}
    assert devices_by_agent(bench.db) == {"gateway": 2}
