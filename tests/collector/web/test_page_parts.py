"""The pure parts of the page: charts and texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.series.points import extremes
from collector.series.rows import DeviceRow, EventRow, HoleRow, Points
from collector.series.runs import RunRow
from collector.web.page import charts, text
from collector.web.page.agents import holes_html
from collector.web.page.firmware import verdict_html
from collector.web.page.fleet import row_html
from collector.web.page.panels import Seen, panels_of
from collector.web.page.timeline import timeline_html
from collector.web.page.window import Window, window_of
from telemetry.readings import Value

KIB = 1024
_PROCESS = Seen("process", (), {"total": 9, "user_mode": 5, "peak_user_mode": 6})


def test_an_azure_sphere_device_gets_three_lines_a_limit_and_triangles() -> None:
    (panel,) = panels_of([_PROCESS], {})
    assert [line.field for line in panel.lines] == ["total", "user_mode", "peak_user_mode"]
    assert panel.limit == 256 * KIB
    times, boots, peaks = [0, 1000, 2000], [1, 1, 1], [KIB, KIB, 2 * KIB]
    triangles: list[charts.Pair] = [[times[i], peaks[i] / KIB] for i in charts.new_peaks(times, boots, peaks)]
    lines = [charts.pairs(times, boots, peaks, panel.unit, 0) for _ in panel.lines]
    options = charts.chart_options(panel, [*lines, triangles], [], (0, 2000))
    assert [one["type"] for one in options["series"]] == ["line", "line", "line", "scatter"]
    assert options["series"][3]["data"] == [[2000, 2.0]]
    assert options["series"][0]["markLine"]["data"][-1]["yAxis"] == 256


def test_unlike_things_get_charts_of_their_own() -> None:
    series = [
        Seen("heap", ("DRAM",), {"size": 320 * KIB, "free": 1, "largest_free": 1}),
        Seen("heap", ("SPIRAM",), {"size": 2048 * KIB, "free": 1}),
        Seen("task", ("wifi", "DRAM"), {"current": 5}),
        Seen("stack", ("main",), {"size": 1024, "min_free": 100}),
        Seen("log", (), {"text": "x"}),
    ]
    titles = [panel.title for panel in panels_of(series, {})]
    assert titles == ["Heap SPIRAM, 2,048 KiB", "Heap DRAM, 320 KiB", "Memory held by tasks", "Stack never used yet"]


def test_a_reboot_and_a_pause_break_the_line() -> None:
    times = [0, 1000, 2000, 3000, 60_000, 61_000]
    boots = [1, 1, 2, 2, 2, 2]
    drawn = charts.pairs(times, boots, [KIB] * 6, "KiB", charts.longest_pause(times, 6, 1))
    assert [point[0] for point in drawn if point[1] is None] == [1001, 3001]
    assert charts.boot_marks(times, boots) == [(2000, 2)]


@pytest.mark.parametrize("columns", [1, 3])
def test_a_thinned_line_is_not_broken_and_an_outage_in_it_is(columns: int) -> None:
    times = [i * 1000 + (40_000_000 if i >= 10_000 else 0) for i in range(20_000)]
    values = [[i * (1 + column) for i in range(20_000)] for column in range(columns)]
    kept = extremes(values, 600)
    thin = [times[i] for i in kept]
    drawn = charts.pairs(thin, [1] * len(thin), thin, "bytes", charts.longest_pause(thin, len(times), columns))
    (broken_at,) = [point[0] for point in drawn if point[1] is None]
    assert broken_at is not None
    assert 9_800_000 < broken_at <= 9_999_001


@given(st.lists(st.integers(0, 2**20), min_size=1, max_size=60))
def test_new_peaks_of_one_boot_are_the_rises_of_the_running_maximum(values: list[int]) -> None:
    found = charts.new_peaks(range(len(values)), [1] * len(values), values)
    assert found == [i for i in range(1, len(values)) if values[i] > max(values[:i])]


def test_a_new_boot_begins_its_peaks_anew_and_the_known_peak_counts() -> None:
    assert charts.new_peaks([0, 1, 2], [1, 2, 2], [9, 3, 4]) == [2]
    assert charts.new_peaks([5, 6], [1, 1], [8, 10], known=9) == [1]
    assert charts.new_peaks([5], [1], [10], known=9) == [0]


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (0, "now"),
        (9_999, "now"),
        (59_000, "50 s ago"),
        (61_000, "1 min ago"),
        (7_380_000, "2 h 3 min ago"),
        (172_800_000, "2 d ago"),
    ],
)
def test_ago(passed: int, words: str) -> None:
    assert text.ago(1_000, 1_000 + passed) == words


def test_sizes_are_read_as_people_write_them() -> None:
    assert [text.kib(size) for size in (None, 0, 1536, 200 * KIB, 2**30)] == ["–", "0.0", "1.5", "200", "1,048,576"]


def test_names_from_outside_are_escaped() -> None:
    device = DeviceRow(
        "d", "<b>", "<script>alert(1)</script>", '"><img src=x>', "a", "ok", 1, 2, "heap <i>", 0, 1, 1, 1
    )
    html = row_html(device, None, 2)
    assert "<script>" not in html
    assert "<img" not in html
    assert "<i>" not in html.replace('<i style="width:50%">', "")


def test_heaps_are_added_up_as_each_was_last_read_in_the_boot() -> None:
    def heap(times: list[int], boots: list[int], sizes: list[Value | None]) -> Points:
        return Points("heap", (), times, boots, [None] * len(times), [0] * len(times), {"used": sizes}, len(times))

    heaps = heap([0, 10, 20], [1, 1, 2], [5, 6, 7]), heap([10, 15, 30], [1, 1, 2], [100, None, 300])
    total = charts.summed(heaps, "used")
    assert (total.t, total.boot, total.values) == ([0, 10, 20, 30], [1, 1, 2, 2], {"used": [5, 106, 7, 307]})


def test_a_window_is_zoomed_and_moved_and_slides_again_where_it_reaches_now() -> None:
    minute, now = 60_000, 10_000_000_000
    window = window_of(now - 90 * minute, now - 60 * minute, now)
    assert window.between(now) == (now - 90 * minute, now - 60 * minute)
    assert window.zoomed(0.5, now).between(now) == (now - 82.5 * minute, now - 67.5 * minute)
    assert window.moved(1, now).between(now) == (now - 60 * minute, now - 30 * minute)
    assert window.moved(3, now) == Window(30 * minute)
    assert window.zoomed(8, now) == Window(240 * minute)
    assert Window(30 * minute).zoomed(0.5, now) == Window(15 * minute)
    assert window_of(0, 0, now) == Window()
    assert window_of(now - 20 * minute, 0, now) == Window(20 * minute)


def test_the_time_line_shows_boots_and_what_ended_them() -> None:
    runs = [RunRow(1, 0, 40, "1.0", "power on"), RunRow(2, 50, 100, "<b>", ""), RunRow(3, 300, 400, "", "")]
    events = [EventRow(40, 1, None, "panic", {"reason": "x"}), EventRow(41, 1, None, "heap_dump", {})]
    html = timeline_html(runs, events, (0, 100))
    assert html.count("<button") == 2
    assert 'style="left:50.000%;width:50.000%"' in html
    assert "began by power on" in html
    assert '<i class="bad" style="left:40.000%" title="panic: reason x">' in html
    assert html.count("<i") == 1
    assert "<b>" not in html
    assert "No reading" in timeline_html(runs, events, (150, 250))


def test_the_verdict_on_a_version_says_what_cannot_be_told() -> None:
    def one(verdict: str, older: int = 0) -> dict[str, object]:
        return {
            "verdict": verdict, "kind": "heap", "names": ["dram"], "of": "", "measure": "level", "older": older,
        }  # fmt: skip

    assert "have nothing in common" in verdict_html([], "1", "2")
    assert "too few" not in verdict_html([one("worse"), one("better")], "1", "2")
    assert verdict_html([one("worse"), one("unknown")], "1", "2") == (
        "<b>2 needs more than 1</b>: heap / dram (level). Of 1 measure there are too few devices to tell."
    )
    assert "2 needs less than 1" in verdict_html([one("better")], "1", "2")
    assert "Nothing says that 2 needs more than 1." in verdict_html([one("same")], "1", "2")
    assert "Of 2 measures it is unclear" in verdict_html([one("same"), one("unclear"), one("unclear")], "1", "2")
    assert "So few devices" in verdict_html([one("unknown")], "1", "2")
    assert "Only 2 has heap / dram." in verdict_html([one("same"), one("added")], "1", "2")
    assert "Only 1 has heap / dram." in verdict_html([one("removed")], "1", "2")
    assert "not seen at the same uptimes" in verdict_html([one("same", -1)], "1", "2")


def test_a_hole_that_began_nobody_knows_when_is_not_as_long_as_time() -> None:
    html = holes_html([HoleRow("pump-1", "gw", 0, 1_795_000_000_000, "lost", 7)], 1_795_000_000_000)
    assert ">not known</td>" in html
    assert ">–</td>" in html
