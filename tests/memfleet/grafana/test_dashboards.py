"""The dashboards: what is committed is what the code makes, and every query answers on real servers."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from memfleet.grafana.__main__ import files
from memfleet.grafana.alerts import rule_group
from memfleet.grafana.sets import SETS
from telemetry.readings import MT3620_LIMIT
from tests.memfleet.grafana.seeded import ALL, INFLUXQL, METRICS, Seeded, ask, panel_of
from tests.servers import VictoriaMetrics

FOLDER = Path(__file__).parents[3] / "deploy" / "grafana" / "dashboards"
INFLUXQL_PANELS = [(uid, panel["title"]) for uid, model in INFLUXQL.items() for panel in model["panels"]]


def test_the_committed_dashboards_are_those_that_the_code_makes() -> None:
    committed = {str(path.relative_to(FOLDER)): path.read_text() for path in FOLDER.rglob("*.json")}
    assert committed == files(), "stale: run `make docs`"


@pytest.mark.parametrize("uid", ALL)
def test_panels_have_places_of_their_own_within_the_width(uid: str) -> None:
    taken: set[tuple[int, int]] = set()
    panels = ALL[uid]["panels"]
    assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))
    for panel in panels:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells


@pytest.mark.parametrize("uid", ALL)
def test_every_panel_reads_from_the_chosen_source_and_says_what_it_shows(uid: str) -> None:
    kind = "prometheus" if uid in METRICS else "influxdb"
    titles = [panel["title"] for panel in ALL[uid]["panels"]]
    assert len(titles) == len(set(titles))
    for panel in ALL[uid]["panels"]:
        assert panel["description"]
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${ds}"}
        assert panel["datasource"]["type"] == kind


@pytest.mark.parametrize("uid", INFLUXQL)
def test_queries_keep_to_what_all_three_generations_of_influxdb_know(uid: str) -> None:
    """Not in 3.x: https://docs.influxdata.com/influxdb3/core/reference/influxql/feature-support/"""
    text = json.dumps(ALL[uid])
    assert not re.search(r"\b(SLIMIT|SOFFSET|integral|sample|holt_winters|INTO|CARDINALITY)\b", text)


@pytest.mark.parametrize(("uid", "title"), INFLUXQL_PANELS)
def test_every_query_of_every_panel_returns_rows(seeded: Seeded, uid: str, title: str) -> None:
    for rows in seeded.panel(title, uid):
        assert rows
        assert all(any(value is not None for name, value in row.items() if name != "time") for row in rows)


@pytest.mark.parametrize("uid", INFLUXQL)
def test_every_annotation_and_variable_returns_rows(seeded: Seeded, uid: str) -> None:
    model = INFLUXQL[uid]
    queries = [one["target"]["query"] for one in model["annotations"]["list"]]
    queries += [one["query"] for one in model["templating"]["list"] if one["type"] == "query"]
    assert all(seeded.rows(query) for query in queries)


def test_devices_alive_are_counted_once_each(seeded: Seeded) -> None:
    (rows,) = seeded.panel("Devices alive")
    assert {row["device"] for row in rows} == {f"{name}-{n}" for name in ("azure", "esp", "zephyr") for n in (1, 2)}


def test_only_what_still_fires_is_listed_and_counted(seeded: Seeded) -> None:
    (rows,) = seeded.panel("Verdicts")
    assert {(row["device"], row["rule"], row["heap"], row["reason"]) for row in rows} == {
        ("esp-2", "leak", "internal", "leak at esp-2"), ("zephyr-2", "silent", "", "silent at zephyr-2"),
        ("azure-2", "reboots", "", "reboots at azure-2"),
    }  # fmt: skip
    assert {(row["severity"], row["devices"]) for row in seeded.panel("Devices in trouble")[0]} == {("warning", 3)}


def test_a_leak_is_told_with_its_rate_and_the_hours_left(seeded: Seeded) -> None:
    (rows,) = seeded.panel("Leaks")
    assert [(row["device"], row["hours left"], row["bytes/hour"]) for row in rows] == [("esp-2", 9.5, 12_000)]
    assert panel_of("memfleet-fleet", "Leaks")["options"]["sortBy"] == [{"desc": False, "displayName": "hours left"}]


def test_the_silent_device_is_the_one_that_nobody_hears(seeded: Seeded) -> None:
    assert [row["device"] for row in seeded.panel("Silent devices")[0]] == ["zephyr-2"]


def test_firmware_versions_stand_side_by_side(seeded: Seeded) -> None:
    assert {(row["firmware"], row["devices"]) for row in seeded.panel("Firmware")[0]} == {("1.0", 3), ("2.0", 3)}
    (rows,) = seeded.panel("Verdicts by firmware", "memfleet-firmware")
    assert ("2.0", "leak", 1, 12_000, 9.5) in {
        (row["firmware"], row["rule"], row["firing"], row["mean bytes/hour"], row["least hours left"]) for row in rows
    }


def test_holes_are_the_longest_gap_of_each_device(seeded: Seeded) -> None:
    assert {row["gap"] for row in seeded.panel("Holes")[0]} == {60}


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


def test_fragmentation_is_the_free_memory_outside_of_the_largest_block(seeded: Seeded) -> None:
    query = panel_of("memfleet-device", "Fragmentation")["targets"][0]["query"]
    rows = [row for row in seeded.rows(query, "esp-1") if row["heap"] == "psram"]
    (value,) = {round(next(v for k, v in row.items() if k.startswith("last")), 3) for row in rows}
    assert value == pytest.approx(100 - 100 * 2_900_000 / 3_000_000, abs=0.001)


def test_curves_have_one_line_for_each_thing(seeded: Seeded) -> None:
    assert len({(row["device"], row["heap"]) for row in seeded.panel("Heap free")[0]}) == 6
    assert len({(row["device"], row["thread"]) for row in seeded.panel("Stack never used")[0]}) == 4
    assert len(seeded.panel("MT3620 memory")) == 3


def test_events_say_what_happened(seeded: Seeded) -> None:
    events = {(row["device"], row["type"], row["size"], row["caller"]) for row in seeded.panel("Events")[0]}
    assert events == {
        ("esp-1", "alloc_failed", 4096, "app_main"),
        ("azure-2", "oom_kill", None, None),
        ("azure-1", "new_peak", 250_000, None),
        ("esp-1", "port_lost", None, None),
    }


def test_a_port_that_was_lost_is_no_failure_of_a_firmware(seeded: Seeded) -> None:
    failed = {(row["firmware"], row["type"]) for row in seeded.panel("Failures", "memfleet-firmware")[0]}
    assert failed == {("1.0", "alloc_failed"), ("2.0", "oom_kill")}


def test_choosing_a_device_leaves_the_others_out(seeded: Seeded) -> None:
    query = panel_of("memfleet-fleet", "Heap free")["targets"][0]["query"]
    assert {row["device"] for row in seeded.rows(query, "(esp-1)")} == {"esp-1"}


def test_variables_offer_the_fleets_and_devices_that_are_there(seeded: Seeded) -> None:
    queries = {v["name"]: v["query"] for v in ALL["memfleet-fleet"]["templating"]["list"] if v["type"] == "query"}
    assert {row["value"] for row in seeded.rows(queries["fleet"])} == {"lab"}
    assert len({row["value"] for row in seeded.rows(queries["device"])}) == 7


def test_annotations_mark_where_alerts_began_and_where_peaks_were_new(seeded: Seeded) -> None:
    marks = {one["name"]: one for one in ALL["memfleet-device"]["annotations"]["list"]}
    assert {row["reason"] for row in seeded.rows(marks["Alerts"]["target"]["query"])} == {
        "leak at esp-2", "low_stack at zephyr-1", "silent at zephyr-2", "reboots at azure-2",
    }  # fmt: skip
    assert [row["device"] for row in seeded.rows(marks["New peaks"]["target"]["query"])] == ["azure-1"]


def test_an_incident_is_one_mark_from_its_beginning_to_its_end(seeded: Seeded, start_ms: int) -> None:
    (mark,) = ALL["memfleet-fleet"]["annotations"]["list"]
    found = {(row["reason"], row["time"], row["end_ms"]) for row in seeded.rows(mark["target"]["query"])}
    assert found == {
        ("leak at esp-2", start_ms + 30 * 60_000, None),
        ("low_stack at zephyr-1", start_ms + 20 * 60_000, start_ms + 40 * 60_000),
    }


def test_the_collector_shows_its_rate_and_what_it_refused(seeded: Seeded) -> None:
    rates = {row["non_negative_derivative"] for row in seeded.panel("Ingest rate", "memfleet-itself")[0]}
    assert max(rates) == pytest.approx(1000 / 60, rel=0.01)
    assert {(row["reason"], row["max"]) for row in seeded.panel("Refused", "memfleet-itself")[0]} == {("crc", 2)}
    assert {row["process"] for row in seeded.panel("Lag", "memfleet-itself")[0]} == {"series", "store:long"}


def test_what_alert_rules_ask_for_is_there_in_both_languages(
    seeded: Seeded, metrics: VictoriaMetrics, start_ms: int
) -> None:
    for rule in rule_group("influxdb", "memfleet_", "memfleet", "memfleet")["rules"]:
        assert seeded.rows(rule["data"][0]["model"]["query"])
    for rule in rule_group("victoriametrics", "memfleet_", "memfleet", "memfleet")["rules"]:
        assert ask(metrics, rule["data"][0]["model"]["expr"], start_ms)


@pytest.mark.parametrize("kind", SETS)
def test_another_prefix_reaches_every_query(kind: str) -> None:
    text = json.dumps([model["panels"] for model in SETS[kind]("site_")])
    assert "memfleet_" not in text
