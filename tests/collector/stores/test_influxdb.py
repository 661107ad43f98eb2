"""The store of InfluxDB: API 1 on the real server, API 2 and 3 on one that answers by their documentation."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.config import StoreConfig
from collector.stores.report import gone, refused
from memfleet.doctor.stores import check_waiting
from telemetry.wire import Rows
from tests.collector.stores.fake_influx import Reply, fake_influx
from tests.collector.stores.made import ABOUT, T0, Journals, Running, counting, finding, heap
from tests.servers import InfluxDB, influxd
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxDB]:
    with influxd(tmp_path_factory.mktemp("servers")) as running:
        yield running


def config(url: str, **changes: object) -> StoreConfig:
    return StoreConfig(**{"name": "long", "kind": "influxdb", "url": url, **changes})  # type: ignore[arg-type]


def test_every_kind_of_row_can_be_read_back_by_influxql(server: InfluxDB, tmp_path: Path) -> None:
    journals = Journals(tmp_path)
    event = Rows("esp-1", 1, "event", ("alloc_failed",), 0, 1, T0, 5, ("size", "caller"), [[0, 0, 77, 'f("a\\b")']])
    log = Rows("esp-1", 1, "log", (), 0, 1, T0, 5, ("level", "text"), [[0, 0, "W", "first\nsecond"]])
    device = Rows("esp-1", 2, "device", (), 0, 1, T0, None, ("boots", "firmware"), [[0, None, 2, "2.0"]])
    largest = heap([[0, 0, 2**63 - 1, -(2**63)]], name="ünï = c,o d")
    journals.arrive([ABOUT, *(counting(4000, start=n * 4000) for n in range(3))], [event, log, device, largest])
    journals.find(finding(), finding("resolved", T0 + 60_000))
    running = Running(tmp_path, config(server.url, database='all "kinds"'))
    running.drain()

    def ask(measurement: str, where: str = "") -> list[dict[str, object]]:
        return server.query(f"SELECT * FROM memfleet_{measurement} {where}", 'all "kinds"')

    rows = ask("heap", "WHERE heap = 'internal, 8bit'")
    assert [(row["time"], row["free"], row["largest_free"], row["uptime"]) for row in rows] == [
        (T0 + n * 1000, n, n // 2, 5_000 + n * 1000) for n in range(12_000)
    ]
    assert {(row["device"], row["fleet"], row["platform"], row["boot"]) for row in rows} == {
        ("esp-1", "demo", "esp32", 1)
    }
    (extreme,) = ask("heap", "WHERE heap = 'ünï = c,o d'")
    assert (extreme["free"], extreme["largest_free"]) == (2**63 - 1, -(2**63))
    (failed,) = ask("event")
    assert (failed["type"], failed["size"], failed["caller"]) == ("alloc_failed", 77, 'f("a\\b")')
    assert (failed["firmware"], failed["board"]) == ("1.4.2", "devkit c")
    assert [row["text"] for row in ask("log")] == ["first\\nsecond"]
    assert [(row["boots"], row["firmware"]) for row in ask("device")] == [(2, "2.0")]
    assert [(row["state"], row["slope"], row["rule"], row["heap"]) for row in ask("verdict")] == [
        (1, 1536.25, "leak", "internal"),
        (0, 1536.25, "leak", "internal"),
    ]
    report = running.report()
    assert (report.state, report.pending, report.counters["stored_rows"]) == ("ok", 0, 12_006)
    running.close()


def test_a_bad_line_is_refused_with_the_reason_and_the_others_stored(server: InfluxDB, tmp_path: Path) -> None:
    post(server, "/query", q="CREATE DATABASE mixed")
    post(server, "/write?db=mixed&precision=ms", f"memfleet_stack,device=esp-1,thread=t min_free=1.5 {T0}")
    journals = Journals(tmp_path)
    stack = Rows("esp-1", 1, "stack", ("main",), 0, 1, T0, None, ("min_free",), [[0, None, 7]])
    journals.arrive([counting(1500), stack, counting(1500, start=1500)])
    running = Running(tmp_path, config(server.url, database="mixed"))
    running.drain()
    ((_, line, reason),) = refused(running.path)
    assert line.startswith("memfleet_stack,device=esp-1")
    assert "field type conflict" in reason
    assert server.query("SELECT count(free) FROM memfleet_heap", "mixed")[0]["count"] == 3000
    report = running.report()
    assert (report.counters["stored_rows"], report.counters["refused_rows"]) == (3000, 1)
    running.close()


def test_a_server_killed_in_the_middle_gets_everything_and_nothing_twice(tmp_path: Path) -> None:
    journals = Journals(tmp_path)
    with influxd(tmp_path) as server:
        running = Running(tmp_path, config(server.url, batch_rows=100))
        journals.arrive(*[[counting(50, start=n * 50)] for n in range(10)])
        for _ in range(2):
            running._runner.step()
        server.kill()
        running.drain()
        journals.arrive(*[[counting(50, start=500 + n * 50)] for n in range(10)])
        running.later(1000)
        report = running.report()
        assert (report.state, report.counters["stored_rows"], report.pending) == ("waiting", 200, 800)
        assert "no answer from" in report.reason
        server.start()
        running.later(60_000)
        frees = [row["free"] for row in server.query("SELECT free FROM memfleet_heap", "memfleet")]
        assert frees == list(range(1000))
        assert running.report().counters["stored_rows"] == 1000
        running.close()


def test_a_runner_that_dies_goes_on_from_its_last_commit(server: InfluxDB, tmp_path: Path) -> None:
    journals = Journals(tmp_path)
    journals.arrive([ABOUT], *[[counting(10, start=n * 10)] for n in range(10)])
    first = Running(tmp_path, config(server.url, database="resumed", batch_rows=30))
    first._runner.step()
    first.store.close()  # and no close(): as if killed
    second = Running(tmp_path, config(server.url, database="resumed", batch_rows=30))
    second.drain()
    rows = server.query("SELECT free, platform FROM memfleet_heap", "resumed")
    assert [(row["free"], row["platform"]) for row in rows] == [(n, "esp32") for n in range(100)]
    assert second.report().counters["stored_rows"] == 100
    second.close()


def test_login_by_user_and_password(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("se cret:\n")
    Journals(tmp_path).arrive([counting(3)])
    with influxd(tmp_path, INFLUXDB_HTTP_AUTH_ENABLED="true") as server:
        post(server, "/query", q="CREATE USER admin WITH PASSWORD 'se cret:' WITH ALL PRIVILEGES")
        stranger = Running(tmp_path, config(server.url, name="stranger"))
        stranger.drain()
        report = stranger.report()
        assert (report.state, report.pending, "check token_file" in report.reason) == ("held", 3, True)
        stranger.close()
        known = Running(tmp_path, config(server.url, username="admin", password_file=str(password)))
        known.drain()
        assert known.report().counters["stored_rows"] == 3
        rows = server.query("SELECT free FROM memfleet_heap", "memfleet", u="admin", p="se cret:")
        assert [row["free"] for row in rows] == [0, 1, 2]
        known.close()


@pytest.mark.parametrize(
    ("api", "path", "login"),
    [
        (2, "/api/v2/write?org=acme&bucket=telemetry&precision=ms", "Token secret"),
        (3, "/api/v3/write_lp?db=memfleet&precision=millisecond", "Bearer secret"),
    ],
)
def test_path_parameters_and_login_of_api_2_and_3(tmp_path: Path, api: int, path: str, login: str) -> None:
    (tmp_path / "token").write_text("secret\n")
    Journals(tmp_path).arrive([ABOUT, counting(7)])
    with fake_influx(token="secret") as fake:
        settings = config(fake.url, api=api, org="acme", bucket="telemetry", token_file=str(tmp_path / "token"))
        running = Running(tmp_path, settings)
        running.drain()
        assert len(fake.points) == 7
        ((asked, headers, _),) = fake.requests
        assert (asked, headers["Authorization"], headers["Content-Encoding"]) == (path, login, "gzip")
        assert running.report().counters["stored_rows"] == 7
        running.close()


@pytest.mark.parametrize(("refusal", "partial"), [(422, False), (400, False), (400, True)])
@pytest.mark.parametrize("api", [1, 2, 3])
def test_bad_lines_are_found_on_every_api(tmp_path: Path, api: int, refusal: int, partial: bool) -> None:
    Journals(tmp_path).arrive([counting(500)])
    with fake_influx(refusal=refusal, partial=partial, bad=lambda line: " free=77i" in line) as fake:
        running = Running(tmp_path, config(fake.url, api=api, org="acme"))
        running.drain()
        assert len(fake.points) == 499
        ((_, line, reason),) = refused(running.path)
        assert " free=77i" in line
        assert reason.startswith(str(refusal))
        assert running.report().counters == {"accepted_rows": 500, "stored_rows": 499, "refused_rows": 1}
        running.close()


def test_too_large_requests_are_split(tmp_path: Path) -> None:
    Journals(tmp_path).arrive([counting(2000)])
    with fake_influx(most_bytes=20_000) as fake:
        running = Running(tmp_path, config(fake.url, api=2))
        running.drain()
        assert len(fake.points) == 2000
        assert running.report().state == "ok"
        running.close()


def test_a_storm_of_503_is_waited_out_as_long_as_it_takes(tmp_path: Path) -> None:
    Journals(tmp_path).arrive([counting(10)])
    with fake_influx() as fake:
        fake.script.extend(Reply(503, {"Retry-After": "40"}) if n == 3 else Reply(503) for n in range(20))
        running = Running(tmp_path, config(fake.url, api=2))
        pauses = []
        while not fake.points:
            before = running.hand.ms
            sent = len(fake.requests)
            while len(fake.requests) == sent:
                running.later(100)
            pauses.append(running.hand.ms - before)
        assert pauses[1:8] == [500, 1000, 2000, 40_000, 8000, 16_000, 32_000]
        assert set(pauses[8:]) == {60_000}
        assert running.report().counters == {"accepted_rows": 10, "stored_rows": 10}
        running.close()


def test_an_answer_lost_after_the_write_is_written_again_to_the_same_points(tmp_path: Path) -> None:
    Journals(tmp_path).arrive([counting(10)])
    with fake_influx() as fake:
        fake.script.append(Reply(204, store=True, hang=True))
        settings = config(fake.url, api=2)
        running = Running(tmp_path, settings)
        patient = running.store._connection
        running.store._connection = type(patient)(settings, timeout_ms=(60_000, 200))
        running.drain()
        assert running.report().state == "waiting"
        wait_until(lambda: len(fake.points) == 10, "the server has it")
        running.store._connection = patient
        running.later(1000)
        assert len(fake.requests) == 2
        assert fake.requests[0][2] == fake.requests[1][2]
        assert len(fake.points) == 10
        assert running.report().counters == {"accepted_rows": 10, "stored_rows": 10}
        running.close()


def test_a_revoked_token_holds_and_goes_on_when_it_is_restored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What it waits for stands in the collector's log, once, and that it is over."""
    caplog.set_level("INFO")
    journals = Journals(tmp_path)
    (tmp_path / "token").write_text("old")
    with fake_influx(token="new") as fake:
        running = Running(tmp_path, config(fake.url, api=2, token_file=str(tmp_path / "token")))
        journals.arrive([counting(10)])
        running.drain()
        assert running.report().state == "held"
        running.later(600_000)
        assert running.report().state == "held"
        fake.token = "old"
        running.later(60_000)
        assert (running.report().state, len(fake.points)) == ("ok", 10)
        running.close()
    held_, again = [record.getMessage() for record in caplog.records if record.name == "memfleet.store"]
    assert "token" in held_
    assert again == "store long: takes readings again"


def test_what_the_quota_took_before_it_was_read_is_counted_to_the_row(tmp_path: Path) -> None:
    with fake_influx() as fake:
        fake.script.extend(Reply(503) for _ in range(3))
        running = Running(tmp_path, config(fake.url, api=2, batch_rows=20))
        journals = Journals(tmp_path, quota_bytes=5_000)
        for n in range(30):
            journals.arrive([counting(1 + n % 7, start=n * 10)])
            with journals.readings.transaction():
                journals.readings.evict()
            running.later(1000)
        running.later(60_000)
        running.later(60_000)
        report = running.report()
        assert report.pending == 0
        assert report.counters["accepted_rows"] == sum(1 + n % 7 for n in range(30))
        assert report.counters["stored_rows"] == len(fake.points)
        evicted = report.counters.get("evicted_rows", 0)
        # an outage longer than the quota
        fake.script.extend(Reply(503) for _ in range(1000))
        for n in range(100):
            journals.arrive([counting(1 + n % 7, start=10_000 + n * 10)])
            with journals.readings.transaction():
                journals.readings.evict()
            running.later(1000)
        report = running.report()
        lost = gone(running.path)
        assert (0 < lost < report.pending, report.counters.get("evicted_rows", 0)) == (True, evicted)
        found = check_waiting(tmp_path, config(fake.url, api=2))
        assert found is not None
        assert found.state == "wrong"
        assert found.sentence.startswith(f"of {report.pending:,} rows that wait for it {lost:,} are gone")
        fake.script.clear()
        journals.tick()
        running.later(60_000)
        running.later(60_000)
        report = running.report()
        all_rows = sum(1 + n % 7 for n in range(30)) + sum(1 + n % 7 for n in range(100))
        assert report.counters["accepted_rows"] == all_rows
        assert report.counters["stored_rows"] == len(fake.points)
        assert report.counters["evicted_rows"] == all_rows - len(fake.points) > 0
        assert report.counters["evicted_frames"] > 0
        assert gone(running.path) == 0
        assert lost - 20 <= report.counters["evicted_rows"] - evicted <= lost, "but for the batch that was in hand"
        found = check_waiting(tmp_path, config(fake.url, api=2))
        assert found is not None
        assert found.state == "ok"
        running.close()


def test_frames_that_came_and_went_while_the_process_was_down_are_counted(tmp_path: Path) -> None:
    journals = Journals(tmp_path, quota_bytes=3_000)
    with fake_influx() as fake:
        first = Running(tmp_path, config(fake.url, api=2))
        journals.arrive([counting(5)])
        first.drain()
        first.close()
        for n in range(100):
            journals.arrive([counting(5, start=10 + n * 5)])
        with journals.readings.transaction():
            journals.readings.evict()
        second = Running(tmp_path, config(fake.url, api=2))
        second.drain()
        report = second.report()
        assert report.counters["stored_rows"] == len(fake.points)
        assert report.counters["evicted_frames"] == 100 - (len(fake.points) - 5) // 5 > 0
        second.close()


def test_a_damaged_journal_is_read_again_from_its_oldest_frame(tmp_path: Path) -> None:
    journals = Journals(tmp_path)
    journals.arrive([ABOUT], [counting(50)])
    with fake_influx() as fake:
        running = Running(tmp_path, config(fake.url, api=2))
        running.drain()
        journals.readings.close()
        for path in tmp_path.glob("readings.journal*"):
            path.rename(tmp_path / f"old-{path.name}")
        again = Journals(tmp_path)
        again.arrive([ABOUT], [counting(70)])
        running.later(1000)
        assert len(fake.points) == 70
        assert running.report().counters == {"accepted_rows": 120, "stored_rows": 120, "journal_restarts": 1}
        running.close()


def test_a_store_file_that_is_no_database_is_begun_anew(tmp_path: Path) -> None:
    Journals(tmp_path).arrive([counting(50)])
    (tmp_path / "store-long.db").write_bytes(b"no database" * 1000)
    with fake_influx() as fake:
        running = Running(tmp_path, config(fake.url, api=2))
        running.drain()
        assert len(fake.points) == 50
        assert running.report().counters["damaged_files"] == 1
        running.close()


def test_a_frame_that_cannot_be_decoded_is_refused_and_passed_over(tmp_path: Path) -> None:
    journals = Journals(tmp_path)
    for journal in (journals.readings, journals.findings):
        with journal.transaction():
            journal.append([(b"\xc1 of another version", 2)])
    journals.arrive([counting(5)])
    with fake_influx() as fake:
        running = Running(tmp_path, config(fake.url, api=2))
        running.drain()
        assert len(fake.points) == 5
        assert running.report().counters == {"accepted_rows": 9, "stored_rows": 5, "refused_rows": 4}
        assert "cannot be decoded" in refused(running.path)[0][2]
        running.close()


def test_a_store_added_later_misses_nothing_it_could_have_had(tmp_path: Path) -> None:
    journals = Journals(tmp_path)
    journals.arrive(*[[counting(5, start=n * 5)] for n in range(10)])
    with journals.readings.transaction():
        journals.readings.trim(4)
    with fake_influx() as fake:
        running = Running(tmp_path, config(fake.url, api=2))
        running.drain()
        assert running.report().counters == {"accepted_rows": 30, "stored_rows": 30}
        running.close()


def post(server: InfluxDB, path: str, body: str = "", **form: str) -> None:
    data = body.encode() or urllib.parse.urlencode(form).encode()
    try:
        with urllib.request.urlopen(server.url + path, data=data) as answer:
            text = answer.read()
    except urllib.error.HTTPError as error:
        raise AssertionError(error.read()) from None
    assert not text or "error" not in json.loads(text)["results"][0], text
