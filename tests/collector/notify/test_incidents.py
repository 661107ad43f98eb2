"""Who is told what of an incident, and when: routes, growth, repeats, pace, evidence, the heartbeat."""

from __future__ import annotations

import base64
import io
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageColor

from collector.config import Notify, Route
from collector.judge.incidents import Incidents
from collector.notify import chart, heartbeat
from collector.notify.channels import make_channels, make_targets
from collector.notify.evidence import Evidence
from collector.notify.heartbeat import beat, start_heartbeat
from collector.notify.outbox import LEFT_OUT, WAITS
from collector.notify.process import Maker
from collector.notify.routes import wants
from collector.records import Incident
from telemetry.clock import wall_ms
from tests.collector.judge.stream import START_MS, Bench, rows
from tests.collector.notify.receiver import receiving
from tests.collector.notify.test_process import LOG, NOW, Journals, deliveries, finding, messages, notifying, settings
from tests.collector.web.seeding import Collector, alert, esp32
from tests.waiting import LIMIT_S, wait_until

MINUTE = 60_000


LOW = """
[[rule]]
name = "heap-low"
kind = "heap"
severity = "warning"
when = "free < 0.10 * size"
clear = "free > 0.15 * size"
for = "10s"
keep_firing_for = "2m"
reason = "Only {free:size} are free."
"""


@pytest.fixture
def journals(tmp_path: Path) -> Iterator[Journals]:
    made = Journals(tmp_path)
    yield made
    made.findings.close()
    made.desk.close()


Make = Callable[..., Maker]


@pytest.fixture
def make(journals: Journals, tmp_path: Path) -> Iterator[Make]:
    made = []

    def build(**more: Any) -> Maker:
        made.append(Maker(tmp_path, settings(**more), LOG, 10_000))
        return made[-1]

    yield build
    for maker in made:
        maker.close()


def titles(directory: Path) -> list[str]:
    return [title for title, _ in messages(directory)]


def test_an_incident_is_told_again_when_it_has_doubled(journals: Journals, make: Make, tmp_path: Path) -> None:
    maker = make()
    journals.say(*(finding(f"board-{n}") for n in range(4)))
    maker.step(NOW)
    maker.step(NOW + 10_000)
    for n in range(4, 9):
        journals.say(finding(f"board-{n}", since_ms=NOW + n * MINUTE), at_ms=NOW + n * MINUTE)
        maker.step(NOW + n * MINUTE)
        maker.step(NOW + n * MINUTE + 10_000)
    assert titles(tmp_path) == ["heap low on 4 devices (lab)", "grown: heap low on 8 devices (lab)"]
    assert "It was 4 when last told." in messages(tmp_path)[1][1]


def test_an_incident_that_gets_worse_is_told_even_when_acknowledged(
    journals: Journals, make: Make, tmp_path: Path
) -> None:
    maker = make()
    journals.say(finding())
    maker.step(NOW)
    maker.step(NOW + 10_000)
    (key,) = journals.incidents.open
    journals.ask("acknowledge", key, at_ms=NOW + MINUTE)
    worse = msgspec.structs.replace(finding("board-2", since_ms=NOW + MINUTE), severity="critical")
    journals.say(worse, at_ms=NOW + MINUTE)
    maker.step(NOW + MINUTE)
    maker.step(NOW + 2 * MINUTE)
    assert titles(tmp_path) == ["heap low on board-1 (lab)", "worse: heap low on 2 devices (lab)"]


def test_open_incidents_are_repeated_until_acknowledged(journals: Journals, make: Make, tmp_path: Path) -> None:
    maker = make(repeat_s=3600)
    journals.say(finding())
    for minute in range(0, 150, 5):
        maker.step(NOW + minute * MINUTE)
    assert titles(tmp_path) == ["heap low on board-1 (lab)", *["still: heap low on board-1 (lab)"] * 2]
    assert len({body.splitlines()[-1] for _, body in messages(tmp_path)}) == 3
    (key,) = journals.incidents.open
    journals.ask("acknowledge", key, at_ms=NOW + 150 * MINUTE)
    for minute in range(150, 400, 10):
        maker.step(NOW + minute * MINUTE)
    journals.say(finding(status="resolved"), at_ms=NOW + 400 * MINUTE)
    maker.step(NOW + 400 * MINUTE)
    maker.step(NOW + 401 * MINUTE)
    assert titles(tmp_path)[3:] == ["resolved: heap low on board-1, after 6.7 hours (lab)"]


def test_a_channel_that_cannot_be_reached_is_not_reminded_of_what_it_does_not_know(
    journals: Journals, tmp_path: Path
) -> None:
    with closing(Maker(tmp_path, settings(repeat_s=3600), [*LOG, ("json://down", None)], 10_000)) as maker:
        journals.say(finding())
        maker.step(NOW)
        maker.step(NOW + 10_000)
        due = maker.outbox.next_due("json://down", NOW + 10_000)
        assert due is not None
        maker.outbox.settle(due, "json://down", WAITS, error="it answered 500")
        maker.step(NOW + 61 * MINUTE)
    assert titles(tmp_path) == ["heap low on board-1 (lab)", "still: heap low on board-1 (lab)"]
    assert deliveries(tmp_path) == [*[("json://down", state) for state in (WAITS, LEFT_OUT)], *[("log", WAITS)] * 2]


def test_an_incident_that_was_calm_for_a_while_is_repeated_when_it_comes_back(
    journals: Journals, make: Make, tmp_path: Path
) -> None:
    maker = make(repeat_s=3600)

    def say(status: str, minute: int) -> None:
        ended = msgspec.structs.replace(finding(status=status), settle_ms=10 * 60 * MINUTE, reason=f"{status}.")
        journals.say(ended, at_ms=NOW + minute * MINUTE)

    say("firing", 0)
    for minute in range(0, 300, 5):
        if minute in (30, 200):
            say("resolved" if minute == 30 else "firing", minute)
        maker.step(NOW + minute * MINUTE)
    assert titles(tmp_path) == ["heap low on board-1 (lab)", "still: heap low on board-1 (lab)"]
    say("resolved", 300)
    journals.say(at_ms=NOW + 900 * MINUTE)
    maker.step(NOW + 900 * MINUTE)
    maker.step(NOW + 901 * MINUTE)
    title, body = messages(tmp_path)[-1]
    assert title == "resolved: heap low on board-1, after 5.0 hours (lab)"
    assert "firing. Since then: resolved. It has not happened again for 10.0 hours." in body


def test_a_channel_gets_one_message_an_interval(journals: Journals, make: Make, tmp_path: Path) -> None:
    maker = make(interval_s=60)
    for second in range(120):
        firmware = f"1.{second}"
        found = msgspec.structs.replace(finding(f"b{second}", since_ms=NOW + second * 1000), firmware=firmware)
        journals.say(found, at_ms=NOW + second * 1000)
        maker.step(NOW + second * 1000)
    maker.step(NOW + 130_000)
    maker.step(NOW + 250_000)
    assert titles(tmp_path) == [
        "heap low on b0 (lab)",
        "60 incidents: heap low on b1, ... (lab)",
        "59 incidents: heap low on b61, ... (lab)",
    ]
    assert messages(tmp_path)[1][1].splitlines()[-3] == "... and 50 more incidents"


def test_a_clock_that_is_set_back_holds_no_message_up(journals: Journals, make: Make, tmp_path: Path) -> None:
    maker = make(interval_s=60)
    for at_ms in (NOW, NOW - 10**10):
        journals.say(finding(f"b{at_ms}", since_ms=at_ms, rule=f"rule-{at_ms}"), at_ms=at_ms)
        maker.step(at_ms)
        maker.step(at_ms + 10_000)
    assert len(titles(tmp_path)) == 2


def test_a_value_that_swings_around_its_threshold_is_told_twice_at_most(tmp_path: Path) -> None:
    """From the very readings: ten minutes of swinging, whatever the pace."""
    for period_s in (4, 120):
        directory = tmp_path / str(period_s)
        journals = Journals(directory)
        journals.incidents = Incidents(600_000)
        maker = Maker(directory, settings(), LOG, 10_000)
        bench = Bench(LOW)
        for second in range(0, 1400, 2):
            low = second < 600 and second % period_s < period_s / 2
            values = {"size": 22_528, "free": 2000 if low else 4000}
            found = bench.second(rows("board-1", "heap", ("main",), bench.now_ms + 1900, values), seconds=2)
            if found or second % 100 == 0:
                journals.say(*found, at_ms=bench.now_ms)
            if second % 10 == 0:
                maker.step(bench.now_ms)
        told = titles(directory)
        maker.close()
        journals.findings.close()
        journals.desk.close()
        assert told[:1] == (["heap low on board-1 (lab)"] if period_s > 4 else told[:1])
        assert len(told) <= 2, f"period {period_s} s"


def test_a_silence_may_name_a_rollout(journals: Journals, make: Make, tmp_path: Path) -> None:
    maker = make()
    journals.ask("silence", "*|*|1.5.0|*", until_ms=NOW + 10**7)
    journals.say(
        msgspec.structs.replace(finding("new"), firmware="1.5.0"),
        msgspec.structs.replace(finding("old"), firmware="1.4.1"),
    )
    maker.step(NOW)
    maker.step(NOW + 10_000)
    assert titles(tmp_path) == ["heap low on old (lab)"]


def test_short_troubles_that_end_before_they_are_told_are_kept_to_ourselves(
    journals: Journals, make: Make, tmp_path: Path
) -> None:
    journals.incidents = Incidents(600_000)
    maker = make()
    journals.say(finding())
    journals.say(finding(status="resolved"), at_ms=NOW + 5_000)
    maker.step(NOW + 5_000)
    maker.step(NOW + 60_000)
    assert messages(tmp_path) == []
    journals.say(finding(since_ms=NOW + 90_000), at_ms=NOW + 90_000)  # it comes back, and stays
    maker.step(NOW + 90_000)
    maker.step(NOW + 100_000)
    assert titles(tmp_path) == ["heap low on board-1 (lab)"]


# -- routes ------------------------------------------------------------------------------------------------------------


def test_routes_match_severity_device_and_labels() -> None:
    ulm = msgspec.structs.replace(finding(), labels={"site": "ulm-2"}, severity="critical")
    assert wants(None, "info", [])
    assert wants(Route(severity="warning", device="board-*", labels=("site=ulm*",)), "critical", [ulm])
    assert not wants(Route(severity="critical"), "warning", [ulm])
    assert not wants(Route(labels=("site=bonn",)), "critical", [ulm])
    assert not wants(Route(labels=("ring=*",)), "critical", [ulm])
    assert not wants(Route(rule="silent"), "critical", [ulm])
    assert wants(Route(labels=("site=ulm-2",)), "critical", [finding("elsewhere"), ulm])


def test_each_channel_gets_what_is_routed_to_it(journals: Journals, tmp_path: Path) -> None:
    with receiving(200) as everybody, receiving(200) as pager:
        routes = (Route(urls=(pager.url,), severity="critical"),)
        with notifying(tmp_path, settings(everybody.url, routes=routes)):
            journals.say(finding("board-1"), msgspec.structs.replace(finding("b2", rule="panic"), severity="critical"))
            wait_until(lambda: everybody.taken and pager.taken, "both are told")
    assert everybody.taken[0]["title"] == "2 incidents: panic on b2, ... (lab)"
    assert pager.taken[0]["title"] == "panic on b2 (lab)"


def test_a_channel_of_two_routes_is_one_channel() -> None:
    config = Notify(routes=(Route(urls=("json://127.0.0.1",), rule="a"), Route(urls=("json://127.0.0.1",), rule="b")))
    assert len(make_targets(config, "test")) == 3
    assert len(make_channels(config, "test")) == 2


# -- evidence ----------------------------------------------------------------------------------------------------------


def test_a_message_holds_numbers_log_lines_link_and_chart(tmp_path: Path) -> None:
    collector = Collector(tmp_path)
    now_ms = wall_ms()
    collector.arrive(list(esp32("kitchen-1", now_ms)))
    found = alert(
        "kitchen-1", "It leaks.", key="leak|kitchen-1|heap|DRAM", rule="leak", kind="heap", names=("DRAM",),
        numbers={"leak_rate": 1200.5},
    )  # fmt: skip
    named, incidents = Incidents(0).take([found], now_ms)
    for each in (*named, *incidents):
        collector.find(each)  # type: ignore[arg-type]
    collector.settle()
    with receiving(200) as receiver, notifying(tmp_path, settings(receiver.url)):
        wait_until(lambda: receiver.taken, "it is told")
    collector.close()
    message: dict[str, Any] = receiver.taken[0]  # type: ignore[assignment]
    lines = message["message"].splitlines()
    assert lines[0] == "kitchen-1 DRAM: It leaks."
    assert lines[1] == "numbers: leak rate 1.2 KiB/h"
    assert [line.split("Z ")[1] for line in lines if "Z " in line] == [
        "warning heap: heap largest block below 64 KiB",
        "warning mqtt: reconnecting to broker",
        "warning sensor: sensor timeout, retry 1",
    ]
    (link,) = (line for line in lines if line.startswith("http"))
    assert link == f"http://127.0.0.1:8080/incident?key={quote(incidents[0].key, safe='')}"
    (picture,) = message["attachments"]
    assert base64.b64decode(picture["base64"]).startswith(b"\x89PNG\r\n")


def test_of_a_restart_the_lines_before_it_are_told(tmp_path: Path) -> None:
    collector = Collector(tmp_path)
    now_ms = wall_ms()
    lines = [(1, "heap is low"), (1, "abort() was called"), (2, "boot: ESP-IDF v5"), (2, "wifi: connected")]
    collector.arrive(
        [
            rows("kitchen-1", "log", (), now_ms - 5000 + 1000 * place, {"level": "info", "text": text}, boot=boot)
            for place, (boot, text) in enumerate(lines)
        ]
    )
    collector.settle()
    told, evidence = {"resets_1h": 6.0}, Evidence(tmp_path / "series.db")
    (of_restarts, of_other) = (
        Incident("k", "firing", "r", "critical", now_ms, now_ms, 1, 1, "kitchen-1", "kitchen-1", "?", "device",
                 numbers=numbers) for numbers in (told, {"silent_s": 300.0})
    )  # fmt: skip
    assert [line.split("Z ")[1] for line in evidence.log_lines(of_restarts)] == [
        "info: heap is low", "info: abort() was called",
    ]  # fmt: skip
    assert len(evidence.log_lines(of_other)) == 4
    evidence.close()
    collector.close()


def test_a_chart_of_a_minute_tells_its_moments_to_the_second() -> None:
    def moments(span_ms: int) -> list[bytes]:
        with Image.open(io.BytesIO(chart.draw("d", [0, span_ms], [1, 2]))) as picture:
            below = np.asarray(picture)[chart.HEIGHT - 22 :]
        return [below[:, middle - 26 : middle + 26].tobytes() for middle in (220, 355, 490)]

    assert len(set(moments(60_000))) == 3
    assert len(set(moments(6 * 3_600_000))) == 3


def test_a_chart_is_a_picture_with_a_line_in_it_and_the_limit_across() -> None:
    def inked(limit: int | None, colour: str) -> NDArray[np.int64]:
        with Image.open(io.BytesIO(chart.draw("d / heap", [0, 10, 20, 30], [100, None, 50, 0], limit))) as picture:
            assert picture.format == "PNG"
            return np.argwhere((np.asarray(picture) == ImageColor.getrgb(colour)).all(axis=2))

    rows, columns = inked(None, chart.INK).T
    height = rows.max() - rows[columns == columns.min()].min()
    assert rows[columns > 0.8 * columns.max()].min() > rows.max() - 0.6 * height  # from 50 down to 0
    between = (columns > columns.min() + 5) & (columns < 0.6 * columns.max())
    assert not between.any(), "the gap"
    assert len(inked(150, chart.LIMIT))
    assert not len(inked(900, chart.LIMIT)), "so far away that the line would lie on the ground"


# -- the heartbeat -----------------------------------------------------------------------------------------------------


class Switch(BaseHTTPRequestHandler):
    beats = 0

    def do_GET(self) -> None:
        type(self).beats += 1
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


def test_the_heart_beats_only_while_the_judge_judges(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "findings.journal")) as db:
        db.execute("CREATE TABLE judge_time(only_ INTEGER, tick_ms INTEGER)")
        db.execute("INSERT INTO judge_time VALUES(0, ?)", (START_MS,))
        db.commit()
    with HTTPServer(("127.0.0.1", 0), Switch) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        assert beat(url, tmp_path, START_MS + 1000) == ""
        assert "has not judged for 300 s" in beat(url, tmp_path, START_MS + 300_000)
        assert Switch.beats == 1
        stop = threading.Event()
        config = Notify(heartbeat_url=url, heartbeat_s=1, private_networks=("127.0.0.1",))
        thread = start_heartbeat(config, tmp_path, stop, lambda: START_MS)
        wait_until(lambda: Switch.beats >= 3, "two more beats")
        stop.set()
        thread.join(LIMIT_S)
        server.shutdown()
    assert "cannot be fetched" in beat("http://127.0.0.1:9/", tmp_path, START_MS)
    assert heartbeat.last_tick_ms(tmp_path / "nothing") == 0
