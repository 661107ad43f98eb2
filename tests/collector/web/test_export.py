"""Export and incidents over a page that really runs; what is exported can be judged again."""

from __future__ import annotations

import contextlib
import csv
import functools
import json
import re
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from collector.records import Incident, encode_finding
from collector.series.export import export
from memfleet.cli import main
from telemetry import ndjson
from telemetry.clock import wall_ms
from telemetry.readings import About
from tests.collector.web.seeding import Collector, alert, rows, seed_fleet
from tests.collector.web.server import page_process
from tests.waiting import LIMIT_S

KEY = "leak|mt3620|1.5|process@7"
ask = functools.partial(httpx.get, timeout=LIMIT_S)


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    directory: Path = tmp_path_factory.mktemp("exported")
    collector = Collector(directory)
    now_ms = wall_ms()
    seed_fleet(collector, now_ms, others=3)
    for device in ("meter-1", "meter-2"):
        collector.find(alert(device, "It leaks.", key=f"leak|{device}|process|", incident=KEY))
    said = {"level": ["W"], "module": ["app"], "text": ["first sign"]}
    collector.arrive([rows("meter-1", "log", (), [now_ms - 5000], said)])
    incident = Incident(
        KEY, "firing", "leak", "critical", now_ms - 9000, now_ms, 2, 2, "meter-1", "meter-2", "It leaks.", "process"
    )
    with collector.findings.transaction():
        collector.findings.append([(encode_finding(incident), 0)])
    collector.settle()
    yield collector
    collector.close()


@pytest.fixture(scope="module")
def address(collector: Collector) -> Iterator[str]:
    with page_process(collector.directory) as url:
        yield url


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["memfleet", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_every_stored_reading_is_exported(address: str) -> None:
    lines = ask(f"{address}/api/v1/export").content.splitlines()
    readings = [ndjson.decode(line) for line in lines]
    about, reading = next(item for item in readings if item[1].device == "meter-0042")
    assert about.texts["platform"] == "mt3620"
    assert about.limits == {"user_mode": 262_144}
    assert set(reading.values) == {"total", "user_mode", "peak_user_mode"}
    assert {reading.kind for _, reading in readings} == {"process", "heap", "task", "stack", "log", "event"}
    assert len([1 for _, reading in readings if reading.device == "meter-0042"]) == 360


def test_a_reading_is_exported_beside_the_firmware_of_its_boot(tmp_path: Path) -> None:
    collector = Collector(tmp_path)
    now_ms = wall_ms()
    for boot, firmware in enumerate(("1.0", "2.0"), start=1):
        about = About("plug-9", boot, {"platform": "esp32", "firmware": firmware}, {})
        heap = rows("plug-9", "heap", ("dram",), [now_ms - 9000 + boot], {"free": [5]})
        collector.arrive([about, msgspec.structs.replace(heap, boot=boot)])
    collector.settle()
    collector.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "series.db")) as db:
        found = [(reading.boot, about.texts) for reading, about in export(db, (0, now_ms))]
    assert found == [(n, {"platform": "esp32", "firmware": f"{n}.0"}) for n in (1, 2)]


def test_export_can_be_narrowed(address: str) -> None:
    query = {"device": "kitchen-1", "kind": "heap"}
    found = [ndjson.decode(line)[1] for line in ask(f"{address}/api/v1/export", params=query).content.splitlines()]
    assert {(one.device, one.kind) for one in found} == {("kitchen-1", "heap")}
    late = {**query, "start": str(found[-1].time_ms)}
    assert len(ask(f"{address}/api/v1/export", params=late).content.splitlines()) == 2
    assert ask(f"{address}/api/v1/export", params={"kind": "heep"}).status_code == 400
    assert ask(f"{address}/api/v1/export", params={"start": "9", "end": "8"}).status_code == 400


def test_export_has_forms_for_spreadsheets_and_databases(address: str) -> None:
    def lines(**query: str) -> list[str]:
        return ask(f"{address}/api/v1/export", params=query).text.splitlines()

    table = list(csv.DictReader(lines(format="csv", kind="task", device="kitchen-1")))
    assert len(table) == 3 * 360
    assert {row["task"] for row in table} == {"wifi", "mqtt", "sensor"}
    assert table[0]["time"].endswith("+00:00")
    assert int(table[0]["peak"]) >= int(table[0]["current"])
    (event,) = csv.DictReader(lines(format="csv", kind="event", device="kitchen-1"))
    assert (event["type"], event["caller"], event["more"]) == ("alloc_failed", "camera_grab", "{}")
    assert ask(f"{address}/api/v1/export", params={"format": "csv"}).status_code == 400
    written = lines(format="line", kind="process", device="meter-0042")
    assert len(written) == 360
    assert re.fullmatch(
        r"memfleet_process,device=meter-0042,fleet=test,platform=mt3620 total=\d+i,user_mode=\d+i,"
        r"peak_user_mode=\d+i,boot=1i,uptime=600000i \d{13}",
        written[0],
    )


def test_what_devices_of_an_incident_said(address: str) -> None:
    said = ask(f"{address}/api/v1/incident/lines", params={"key": KEY, "reach_ms": "3600000"}).json()["lines"]
    assert [one["text"] for one in said] == ["first sign"]
    assert ask(f"{address}/api/v1/incident/lines", params={"key": "none"}).status_code == 404


def test_an_export_is_judged_as_the_stored_history_is(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "fleet.ndjson.gz"
    assert run(monkeypatch, "export", "meter-0042", "--from", "2h", "--out", str(file), "--url", address) == 0
    capsys.readouterr()
    assert run(monkeypatch, "backtest", "--tick", "10s", "--input", str(file)) == 0
    from_file = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"user-memory-high", "user-memory-leak"} & {one["rule"] for one in from_file}
    assert run(monkeypatch, "backtest", "--tick", "10s", "--from", "2h", "--url", address) == 0
    stored = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {one["rule"] for one in from_file} <= {one["rule"] for one in stored}


@pytest.mark.parametrize("form", [(), ("--format", "csv", "--kind", "heap")])
def test_that_nothing_was_exported_is_said(
    form: tuple[str, ...], address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    words = ("export", *form, "--from", "9d", "--to", "8d", "--url", address)
    for out in ((), ("--out", str(tmp_path / "nothing"))):
        assert run(monkeypatch, *words, *out) == 0
        assert capsys.readouterr().err == "no reading of that time is there\n"


def test_incidents_are_listed_with_their_members(address: str) -> None:
    (incident,) = ask(f"{address}/api/v1/incidents").json()["incidents"]
    assert (incident["key"], incident["devices"], incident["lasted_ms"]) == (KEY, 2, 9000)
    one = ask(f"{address}/api/v1/incident", params={"key": KEY}).json()
    assert [member["device"] for member in one["members"]] == ["meter-1", "meter-2"]
    assert ask(f"{address}/api/v1/incident", params={"key": "none"}).status_code == 404


def test_incidents_are_shown_acknowledged_and_silenced(
    address: str, collector: Collector, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def say(*words: str, status: int = 0) -> str:
        assert run(monkeypatch, "incidents", *words, "--url", address) == status
        said = capsys.readouterr()
        return said.err if status else said.out

    assert "meter-2: It leaks." in say()
    assert json.loads(say("--json"))[0]["key"] == KEY
    assert "meter-1" in say("show", KEY)
    assert say("acknowledge", KEY) == f"acknowledged {KEY}\n"
    assert say("silence", "--firmware", "1.5", "--for", "2h").startswith("silenced *|*|1.5|* until ")
    assert say("silence", "--device", "meter-*").startswith("silenced *|meter-*|* until ")
    assert "say what to silence" in say("silence", status=2)
    collector.settle()
    assert [one["pattern"] for one in json.loads(say("silences", "--json"))] == ["*|*|1.5|*", "*|meter-*|*"]
    assert say("unsilence", "*|*|1.5|*") == "no longer silenced: *|*|1.5|*\n"
    collector.settle()
    assert "*|meter-*|*" in say("silences")
    assert "no silence of '*|*|1.5|*' is in force; there are *|meter-*|*" in say("unsilence", "*|*|1.5|*", status=2)
    assert say("unsilence", "*|meter-*|*") == "no longer silenced: *|meter-*|*\n"  # of alerts, ended alike


def test_lines_around_an_incident_are_printed(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "logs", "--around", KEY, "--url", address) == 0
    assert capsys.readouterr().out.endswith(" meter-1 warning app: first sign\n")
    assert run(monkeypatch, "logs", "meter-2", "--around", KEY, "--json", "--url", address) == 0
    assert capsys.readouterr().out == ""
    assert run(monkeypatch, "logs", "--url", address) == 2
    assert "name a device, or an incident with --around KEY" in capsys.readouterr().err
