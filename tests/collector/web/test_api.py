"""The HTTP API on a page process that really runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from collector.records import Desk, decode_desk
from telemetry.clock import wall_ms
from telemetry.journal import START, JournalReader
from telemetry.topics import shard_of
from tests.collector.web.conftest import Running
from tests.collector.web.seeding import Collector, rows
from tests.collector.web.server import client_of, page_process
from tests.waiting import wait_until


def test_devices_come_worst_first(running: Running) -> None:
    answer = running.http.get("/api/v1/devices").json()
    names = [one["device"] for one in answer["devices"]]
    assert names[:3] == ["meter-0042", "kitchen-1", "lock-18"]  # critical, warning, silent
    assert answer["total"] == len(names) == 13
    assert answer["states"] == {"critical": 1, "warning": 1, "silent": 1, "ok": 10}


def test_devices_are_filtered_and_paged(running: Running) -> None:
    def names(**query: Any) -> list[str]:
        return [one["device"] for one in running.http.get("/api/v1/devices", params=query).json()["devices"]]

    assert names(text="NRF52840 lock-17") == ["lock-17"]
    assert names(state=["critical", "silent"]) == ["meter-0042", "lock-18"]
    assert set(names(platform="esp32")) == {"kitchen-1", "sensor-1001", "sensor-1004", "sensor-1007"}
    everything = names()
    assert names(order="device") == sorted(everything)
    assert names(order="-device") == sorted(everything, reverse=True)
    assert names(order="heard")[-1] == "lock-18"
    assert names(order="fullest")[0] == "meter-0042"
    assert names(order="-worst") == everything[::-1]
    assert names(limit=5) + names(limit=1000, offset=5) == everything


def test_a_device_comes_with_its_alerts_and_limits(running: Running) -> None:
    device = running.http.get("/api/v1/devices/meter-0042").json()
    assert device["state"] == "critical"
    assert device["limits"] == {"user_mode": 256 * 1024}
    assert [one["rule"] for one in device["open_alerts"]] == ["leak"]


def test_points_are_those_that_arrived(running: Running) -> None:
    query: dict[str, Any] = {"device": "meter-0042", "kind": "process", "start": running.seeded_ms - 4_000_000}
    points = running.http.get("/api/v1/points", params=query).json()
    assert len(points["t"]) == points["total"] == 360
    assert points["t"][-1] == running.seeded_ms - 10_000
    assert sorted(set(points["boot"])) == [1, 2]
    assert max(points["values"]["user_mode"]) == points["values"]["peak_user_mode"][-1]


def test_thinned_points_keep_the_highest(running: Running) -> None:
    query: dict[str, Any] = {
        "device": "kitchen-1",
        "kind": "heap",
        "name": "DRAM",
        "start": running.seeded_ms - 4_000_000,
    }
    whole = running.http.get("/api/v1/points", params=query).json()
    thin = running.http.get("/api/v1/points", params=query | {"max_points": 40}).json()
    assert len(thin["t"]) <= 40 < len(whole["t"])
    for field in ("free", "largest_free"):
        assert max(thin["values"][field]) == max(whole["values"][field])
        assert min(thin["values"][field]) == min(whole["values"][field])


def test_series_logs_and_events(running: Running) -> None:
    series = running.http.get("/api/v1/devices/kitchen-1/series").json()["series"]
    assert {(one["kind"], *one["names"]) for one in series} >= {
        ("heap", "DRAM"),
        ("heap", "SPIRAM"),
        ("task", "wifi", "DRAM"),
    }
    logs = running.http.get("/api/v1/logs", params={"device": "kitchen-1"}).json()["logs"]
    assert [one["text"] for one in logs][-1] == "sensor timeout, retry 1"
    (event,) = running.http.get("/api/v1/events", params={"device": "kitchen-1"}).json()["events"]
    assert (event["type"], event["values"]) == ("alloc_failed", {"size": 65536, "caller": "camera_grab"})


def test_lines_of_the_fleet_are_searched(running: Running) -> None:
    def texts(**query: Any) -> list[str]:
        return [one["text"] for one in running.http.get("/api/v1/lines", params=query).json()["lines"]]

    assert texts(device="kitchen-1") == [
        "heap largest block below 64 KiB",
        "size 65536, caller camera_grab",
        "reconnecting to broker",
        "sensor timeout, retry 1",
    ]
    assert texts(text="BROKER kitchen-1") == ["reconnecting to broker"]
    assert texts(text="text") == [], "the names of fields are no text"
    assert set(texts(level="error")) == {"size 65536, caller camera_grab"}
    assert texts(level="warning", device="lock-17") == []


def test_boots_of_a_device(running: Running) -> None:
    first, second = running.http.get("/api/v1/devices/meter-0042/boots").json()["boots"]
    assert (first["boot"], second["boot"], second["firmware"]) == (1, 2, "24.09-3")
    assert first["from_ms"] == running.seeded_ms - 3_600_000
    assert second["from_ms"] - first["to_ms"] == 10_000


def test_quarantine_lists_and_gives_the_bytes(running: Running) -> None:
    (entry,) = running.http.get("/api/v1/quarantine", params={"reason": "underflow"}).json()["quarantine"]
    assert entry["size"] == 9
    assert running.http.get(f"/api/v1/quarantine/{entry['id']}/body").content == b"\x91\x00refused"
    assert running.http.get("/api/v1/quarantine", params={"agent": "nobody"}).json() == {"quarantine": []}
    assert running.http.get("/api/v1/quarantine/999/body").status_code == 404


def test_what_people_ask_for_stands_in_the_desk_journal(running: Running) -> None:
    until_ms = running.seeded_ms + 3_600_000
    calls = {
        "/api/v1/alerts/acknowledge": {"key": "leak|meter-0042|process|", "by": "ann"},
        "/api/v1/silences": {"pattern": "*|kitchen-1|*", "until_ms": until_ms},
        "/api/v1/quarantine/retry": {"ids": [1, 999]},
        "/api/v1/quarantine/purge": {"ids": [2]},
    }
    for path, body in calls.items():
        assert running.http.post(path, json=body).status_code == 202
    frames, _ = JournalReader(running.collector.directory / "desk.journal").read(START)
    written = [msgspec.structs.replace(decode_desk(frame.data), at_ms=0) for frame in frames[-len(calls) :]]
    assert written == [
        Desk("acknowledge", 0, "ann", key="leak|meter-0042|process|"),
        Desk("silence", 0, "127.0.0.1", key="*|kitchen-1|*", until_ms=until_ms),
        Desk("quarantine_retry", 0, "127.0.0.1", ids=(1,)),
        Desk("quarantine_purge", 0, "127.0.0.1", ids=(2,)),
    ]


@pytest.mark.parametrize(
    ("path", "wish", "said"),
    [
        ("alerts/acknowledge", {"key": "leak|nobody|heap|"}, "there is no incident and no alert 'leak|nobody|heap|'"),
        ("silences/end", {"pattern": "*|nobody|*"}, "no silence of '*|nobody|*' is in force; there "),
        ("devices/retire", {"device": "nobody"}, "no device named 'nobody' has reported"),
    ],
)
def test_what_is_not_there_can_be_asked_for_nothing(running: Running, path: str, wish: dict, said: str) -> None:
    answer = running.http.post(f"/api/v1/{path}", json=wish)
    assert answer.status_code == 404
    assert answer.json()["error"].startswith(said)


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/api/v1/lines?end=99999999999999999999", 400, "end: Input should be less than"),
        ("/api/v1/quarantine/99999999999999999999/body", 400, "id: Input should be less than"),
        ("/api/v1/devices/nobody", 404, "no device named 'nobody' has reported"),
        ("/api/v1/devices/nobody/series", 404, "no device named"),
        ("/api/v1/points?device=a&kind=weather", 400, "'weather' is none of process, heap"),
        ("/api/v1/points?device=a&kind=task&name=wifi", 400, "task takes 2 (the task and the heap), 1 given"),
        ("/api/v1/points?device=a&kind=process&start=2001&end=1001", 400, "start 1970-01-01 00:00:02Z is after end"),
        ("/api/v1/points?device=a&kind=log", 400, "has no points"),
        ("/api/v1/devices?limit=0", 400, "limit: "),
        ("/api/v1/devices?state=crit", 400, "state: Input should be 'critical', 'warning', 'silent' or 'ok'"),
        ("/api/v1/export?device=kitchen-1&device=kitchn-1", 404, "no device named 'kitchn-1' has reported"),
        ("/api/v1/logs", 400, "device: "),
        ("/api/v1/nonsense", 404, "the API has no /api/v1/nonsense"),
    ],
)
def test_a_wrong_request_gets_one_clear_sentence(running: Running, path: str, status: int, words: str) -> None:
    answer = running.http.get(path)
    assert answer.status_code == status
    assert words in answer.json()["error"]


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("POST", "devices", 405, "/api/v1/devices is asked with GET, not POST"),
        ("DELETE", "silences", 405, "/api/v1/silences is asked with GET, POST, not DELETE"),
        ("GET", "alerts/acknowledge", 405, "/api/v1/alerts/acknowledge is asked with POST, not GET"),
        ("PUT", "nonsense", 404, "the API has no /api/v1/nonsense"),
    ],
)
def test_what_is_asked_the_wrong_way_is_not_answered_by_the_page(
    running: Running, method: str, path: str, status: int, said: str
) -> None:
    answer = running.http.request(method, f"/api/v1/{path}")
    assert (answer.status_code, answer.json()["error"]) == (status, said)
    assert answer.headers.get("Allow", "") == (said.partition(" with ")[2].partition(", not")[0])


def test_agents_whose_shards_have_moved_are_another_collectors(tmp_path: Path) -> None:
    collector = Collector(tmp_path)
    for agent in ("gw-1", "gw-2"):
        collector.arrive([rows(agent, "agent", (), [wall_ms()], {"outbox_depth": [0]})], agent)
    assert shard_of("gw-1") != shard_of("gw-2")
    with page_process(tmp_path, {"shards": [shard_of("gw-2")]}) as address, client_of(address) as http:
        collector.settle()
        wait_until(lambda: http.get("/api/v1/agents").json()["agents"], "it is listed")
        assert [one["agent"] for one in http.get("/api/v1/agents").json()["agents"]] == ["gw-2"]
    collector.close()


def test_only_what_there_is_can_be_acknowledged(running: Running) -> None:
    answer = running.http.post("/api/v1/alerts/acknowledge", json={"key": "leak|meter-42|process|"})
    assert answer.status_code == 404
    assert answer.json()["error"] == "there is no incident and no alert 'leak|meter-42|process|'"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/alerts/acknowledge", {"key": ""}),
        ("/api/v1/silences", {"pattern": "*", "until_ms": 1}),
        ("/api/v1/silences", {"pattern": "*", "until_ms": 10**20}),
        ("/api/v1/alerts/acknowledge", {"key": "k", "by": "x" * 300}),
        ("/api/v1/quarantine/purge", {"ids": []}),
        ("/api/v1/quarantine/retry", {"ids": ["x"]}),
        ("/api/v1/quarantine/retry", {"ids": [10**20]}),
    ],
)
def test_a_wrong_wish_is_refused(running: Running, path: str, body: dict[str, object]) -> None:
    answer = running.http.post(path, json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_metrics_are_what_the_files_counted(running: Running) -> None:
    running.collector.arrive([])
    families = {family.name: family for family in text_string_to_metric_families(running.http.get("/metrics").text)}
    counts = {(s.labels["process"], s.labels["name"]): s.value for s in families["memfleet_events"].samples}
    assert counts["intake", "frames"] == running.collector.readings.counters()["frames"]
    running_now = {s.labels["process"]: s.value for s in families["memfleet_process_running"].samples}
    assert running_now == {"intake": 1, "series": 1, "judge": 1, "notify": 0, "page": 1}
    devices = {s.labels["state"]: s.value for s in families["memfleet_devices"].samples}
    assert sum(devices.values()) == 13


def test_status_and_health(running: Running) -> None:
    running.collector.arrive([])
    running.collector.settle()
    assert running.http.get("/healthz").text == "ok\n"
    status = running.http.get("/api/v1/status").json()
    by_process = {one["process"]: one for one in status["processes"]}
    assert by_process["series"]["counters"]["series_findings"] == 2
    assert by_process["intake"]["frames"] >= 26
    assert not by_process["notify"]["running"]


def test_every_route_is_in_the_openapi_document(running: Running) -> None:
    document = running.http.get("/api/v1/openapi.json").json()
    assert {"/api/v1/devices", "/api/v1/points", "/api/v1/silences"} <= set(document["paths"])


def test_nothing_is_loaded_from_elsewhere(running: Running) -> None:
    answer = running.http.get("/")
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "https://" not in answer.text
