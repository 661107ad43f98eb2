"""The dashboards: what is committed is what the code makes, and every query answers on a real InfluxDB."""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from memfleet.grafana.__main__ import written
from memfleet.grafana.fleet import dashboard
from telemetry.readings import MT3620_LIMIT
from tests.memfleet.grafana.seed import HOUR_MS, lines
from tests.servers import InfluxDB, influxd

FILE = Path(__file__).parents[3] / "deploy" / "grafana" / "dashboards" / "fleet.json"


def test_the_committed_dashboard_is_the_one_that_the_code_makes() -> None:
    assert FILE.read_text() == written(dashboard()), "stale: run `make docs`"


def test_panels_have_places_of_their_own_within_the_width() -> None:
    taken: set[tuple[int, int]] = set()
    panels = dashboard()["panels"]
    assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))
    for panel in panels:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_every_panel_reads_from_the_chosen_source_and_says_what_it_shows() -> None:
    for panel in dashboard()["panels"]:
        assert panel["description"]
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${ds}"}


class Seeded:
    """A real InfluxDB with an hour of a fleet, asked as Grafana asks it."""

    def __init__(self, server: InfluxDB, start_ms: int) -> None:
        self._server = server
        self._range = f"time >= {start_ms}ms and time <= {start_ms + HOUR_MS}ms"

    def rows(self, query: str, device: str = ".*") -> list[dict[str, Any]]:
        for variable, value in {
            "$timeFilter": self._range, "$__interval": "10m", "$fleet": "(lab)", "$device": device,
        }.items():  # fmt: skip
            query = query.replace(variable, value)
        assert "$" not in query.replace(")$/", "").replace("*$/", "").replace("1$/", "")
        return self._server.query(query, "memfleet")

    def panel(self, title: str) -> list[list[dict[str, Any]]]:
        (found,) = [panel for panel in dashboard()["panels"] if panel["title"] == title]
        return [self.rows(target["query"]) for target in found["targets"]]


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seeded]:
    start_ms = time.time_ns() // 1_000_000 - HOUR_MS
    with influxd(tmp_path_factory.mktemp("grafana")) as server:
        post(server, "/query?" + urllib.parse.urlencode({"q": "CREATE DATABASE memfleet"}), "")
        post(server, "/write?db=memfleet&precision=ms", "\n".join(lines(start_ms)))
        yield Seeded(server, start_ms)


def post(server: InfluxDB, path: str, body: str) -> None:
    request = urllib.request.Request(server.url + path, data=body.encode())
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status in (200, 204)


@pytest.mark.parametrize("title", [panel["title"] for panel in dashboard()["panels"]])
def test_every_query_of_every_panel_returns_rows(seeded: Seeded, title: str) -> None:
    assert all(seeded.panel(title))


def test_devices_alive_are_counted_once_each(seeded: Seeded) -> None:
    (rows,) = seeded.panel("Devices alive")
    assert {row["device"] for row in rows} == {f"{name}-{n}" for name in ("azure", "esp", "zephyr") for n in (1, 2)}


def test_only_what_still_fires_is_listed_and_counted(seeded: Seeded) -> None:
    (rows,) = seeded.panel("Verdicts")
    assert [(row["device"], row["rule"], row["heap"], row["reason"]) for row in rows] == [
        ("esp-2", "leak", "internal", "leak at esp-2")
    ]
    assert [row["alerts"] for row in seeded.panel("Alerts firing")[0]] == [1]


def test_the_lowest_heap_is_the_lowest(seeded: Seeded) -> None:
    assert [row["free"] for row in seeded.panel("Lowest free heap")[0]] == [7941]


def test_the_lowest_heaps_are_named_and_in_order(seeded: Seeded) -> None:
    (rows,) = seeded.panel("Heaps with the least free memory")
    assert {(row["device"], row["heap"]) for row in rows[:2]} == {("zephyr-1", "kernel"), ("zephyr-2", "kernel")}
    assert len(rows) == 6


def test_the_fullest_mt3620_is_measured_against_its_limit(seeded: Seeded) -> None:
    rows = seeded.panel("Fullest MT3620 user memory")[0]
    assert [(row["device"], row["full"]) for row in rows] == [
        (f"azure-{number}", pytest.approx((150_000 + number * 20_000 + 59) * 100 / MT3620_LIMIT)) for number in (2, 1)
    ]


def test_curves_have_one_line_for_each_thing(seeded: Seeded) -> None:
    assert len({(row["device"], row["heap"]) for row in seeded.panel("Heap free")[0]}) == 6
    assert len({(row["device"], row["thread"]) for row in seeded.panel("Stack never used")[0]}) == 4
    assert len(seeded.panel("MT3620 memory")) == 3


def test_events_say_what_happened(seeded: Seeded) -> None:
    events = {(row["device"], row["type"], row["size"], row["caller"]) for row in seeded.panel("Events")[0]}
    assert events == {("esp-1", "alloc_failed", 4096, "app_main"), ("azure-2", "oom_kill", None, None)}


def test_choosing_a_device_leaves_the_others_out(seeded: Seeded) -> None:
    (panel,) = [panel for panel in dashboard()["panels"] if panel["title"] == "Heap free"]
    assert {row["device"] for row in seeded.rows(panel["targets"][0]["query"], "(esp-1)")} == {"esp-1"}


def test_variables_offer_the_fleets_and_devices_that_are_there(seeded: Seeded) -> None:
    queries = {v["name"]: v["query"] for v in dashboard()["templating"]["list"] if v["type"] == "query"}
    assert {row["value"] for row in seeded.rows(queries["fleet"])} == {"lab"}
    assert len({row["value"] for row in seeded.rows(queries["device"])}) == 6


def test_annotations_mark_where_alerts_began(seeded: Seeded) -> None:
    (annotation,) = dashboard()["annotations"]["list"]
    assert {row[annotation["textColumn"]] for row in seeded.rows(annotation["query"])} == {
        "leak at esp-2", "low_stack at zephyr-1",
    }  # fmt: skip


def test_another_prefix_reaches_every_query() -> None:
    assert "memfleet_" not in json.dumps(dashboard("site_"))
