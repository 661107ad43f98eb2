"""`memfleet doctor` on real servers: it says what is wrong and leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import threading
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from collector.config import CollectorConfig, Page, Peer, Retention, StoreConfig
from collector.intake.process import CUT_OFF_MS, Intake
from collector.notify.messages import Message
from collector.notify.outbox import FILE, WAITS, Outbox
from collector.ownfile import COUNTERS, open_own
from collector.stores.ledger import Done, Ledger
from collector.web.process import run
from memfleet.cli import main
from memfleet.doctor.broker import check_broker
from memfleet.doctor.channels import check_channels
from memfleet.doctor.finding import unreadable
from memfleet.doctor.machine import check_clock, check_data_folder, check_series
from memfleet.doctor.page import check_page
from memfleet.doctor.peers import check_peers
from memfleet.doctor.quarantine import check_quarantine
from memfleet.doctor.stores import check_refused
from telemetry.files import add_counts, connect
from telemetry.settings import Broker
from tests.collector.web.seeding import Collector, seed_fleet
from tests.collector.web.server import page_process
from tests.servers import free_port, influxd, mosquitto, victoria_metrics
from tests.waiting import step_until, wait_until

NOW = 1_790_000_000_000
MINUTE = 60_000


@pytest.fixture
def doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(broker: str, stores: str, *words: str) -> tuple[int, dict[str, dict[str, str]]]:
        config = tmp_path / "collector.toml"
        config.write_text(
            f'data_dir = "{tmp_path}/data"\n{stores}\n[broker]\nurl = "{broker}"\n[page]\nport = {free_port()}\n'
        )
        monkeypatch.setattr("sys.argv", ["memfleet", "doctor", "--config", str(config), "--json", *words])
        with pytest.raises(SystemExit) as stop:
            main()
        return int(stop.value.code or 0), {one["what"]: one for one in json.loads(capsys.readouterr().out)}

    return run


def store(name: str, kind: str, url: str, more: str = "") -> str:
    return f'[[stores]]\nname = "{name}"\nkind = "{kind}"\nurl = "{url}"\n{more}'


def test_what_works_is_tried_in_earnest_and_cleaned_up(tmp_path: Path, doctor: Any) -> None:
    with mosquitto(tmp_path) as broker, influxd(tmp_path) as influx, victoria_metrics(tmp_path) as victoria:
        stores = store("long", "influxdb", influx.url) + store("vm", "victoriametrics", victoria.url)
        status, found = doctor(broker.url, stores, "--deep")
        assert status == 0, found
        for name in ("long", "vm"):
            assert found[f"store {name}"]["state"] == "ok"
            assert found[f"store {name}, deep"]["sentence"].startswith("every query of every panel")
        assert influx.query("SHOW MEASUREMENTS", "memfleet") == []
        assert victoria.promql('count({__name__=~"memfleet_.+"})') == []


def test_a_collector_that_runs_keeps_its_connection(tmp_path: Path) -> None:
    """Where the broker knows programs by their logins alone, a guest of its name would end it."""
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-c", "-b", passwords, "col", "secret"], check=True)
    passwords.chmod(0o644)
    lines = f"use_username_as_clientid true\nallow_anonymous false\npassword_file {passwords}\n"
    (secret := tmp_path / "secret").write_text("secret")
    secret.chmod(0o600)
    folder = tmp_path / "data"
    folder.mkdir()
    with mosquitto(tmp_path, configuration=lines) as server:
        broker = Broker(url=server.url, username="col", password_file=str(secret))
        config = CollectorConfig(data_dir=str(folder), broker=broker)
        assert "lets us in" in check_broker(config).sentence
        intake = Intake(config, folder)
        step_until(intake.step, lambda: intake.link.up and intake.journal.last_id() > 0, "intake is connected")
        found = check_broker(config)
        assert (found.state, found.sentence) == (
            "doubtful", f"the collector is connected to {server.url}; it has no word of any agent",
        )  # fmt: skip
        ticks = intake.journal.last_id()
        step_until(intake.step, lambda: intake.journal.last_id() > ticks + 1, "it goes on")
        assert (intake.link.up, intake.link.connections) == (True, 1)
        server.stop()
        step_until(intake.step, lambda: not intake.link.up, "the broker is gone")
        intake._up_at -= CUT_OFF_MS
        step_until(intake.step, lambda: check_broker(config).state == "wrong", "intake says so")
        assert "no agent is heard: broker" in check_broker(config).sentence
        intake.close()


def test_rows_that_were_refused_today_are_told_by_agent(tmp_path: Path) -> None:
    assert list(check_quarantine(tmp_path, NOW)) == []
    intake = Intake(CollectorConfig(), tmp_path)
    for agent, reason, age_h in (("gw-2", "owner", 1), ("gw-2", "time", 2), ("gw-1", "owner", 25)):
        intake.journal.db.execute(
            "INSERT INTO quarantine(received_ms, agent, reason, detail, rows, body) VALUES(?, ?, ?, '', 700, x'00')",
            (NOW - age_h * 60 * MINUTE, agent, reason),
        )
    (found,) = check_quarantine(tmp_path, NOW)
    intake.close()
    assert found.state == "doubtful"
    assert found.sentence == "1,400 rows of agent gw-2 were refused within 24 hours (owner, time)"
    assert "'memfleet quarantine --agent gw-2'" in found.advice


def test_without_deep_nothing_is_written(tmp_path: Path, doctor: Any) -> None:
    with mosquitto(tmp_path) as broker, influxd(tmp_path) as influx:
        status, found = doctor(broker.url, store("long", "influxdb", influx.url))
        assert (status, found["store long"]["state"]) == (0, "ok")
        assert influx.query("SHOW DATABASES") == []


def test_what_is_down_is_named_with_what_to_do(doctor: Any) -> None:
    status, found = doctor(
        f"mqtt://127.0.0.1:{free_port()}", store("long", "influxdb", f"http://127.0.0.1:{free_port()}"), "--deep"
    )
    assert status == 1
    for what in ("broker", "store long"):
        assert found[what]["state"] == "wrong"
        assert found[what]["advice"]
    assert "store long, deep" not in found


def test_a_store_that_does_not_know_us_is_told_from_one_that_is_down(tmp_path: Path, doctor: Any) -> None:
    with mosquitto(tmp_path) as broker, influxd(tmp_path, INFLUXDB_HTTP_AUTH_ENABLED="true") as influx:
        password = tmp_path / "password"
        password.write_text("wrong")
        password.chmod(0o600)
        login = f'username = "memfleet"\npassword_file = "{password}"\n'
        status, found = doctor(broker.url, store("long", "influxdb", influx.url, login))
        assert status == 1
        assert "refuses us" in found["store long"]["sentence"]


def test_a_victoriametrics_that_stores_twice_is_doubtful(tmp_path: Path, doctor: Any) -> None:
    with mosquitto(tmp_path) as broker, victoria_metrics(tmp_path, dedup=False) as victoria:
        found = doctor(broker.url, store("vm", "victoriametrics", victoria.url))[1]
        assert found["store vm"]["state"] == "doubtful"
        assert "-dedup.minScrapeInterval=1ms" in found["store vm"]["sentence"]


@pytest.mark.parametrize(
    ("free_mib", "state"), [(2, "wrong"), (100, "doubtful"), (1_400, "doubtful"), (1_500, "ok"), (10_000, "ok")]
)
def test_room_is_what_is_free_for_what_the_files_may_still_grow(
    free_mib: int, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = CollectorConfig(data_dir=str(tmp_path), retention=Retention(series_max_mb=1_000, journal_max_mb=600))
    with (tmp_path / "series.db").open("wb") as file:
        file.truncate(150 * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free_mib * 2**20))
    assert check_data_folder(config).state == state


def test_each_peer_is_asked(tmp_path: Path) -> None:
    folder, token, wrong = tmp_path / "other", tmp_path / "token", tmp_path / "wrong"
    folder.mkdir()
    token.write_text("for-readers")
    wrong.write_text("for-nobody")
    seeded = Collector(folder)
    seed_fleet(seeded, NOW, others=1)
    nowhere = f"http://127.0.0.1:{free_port()}"
    with page_process(folder, {"page": {"port": 0, "read_token_file": str(token)}}) as url:

        def said(peer: Peer) -> tuple[str, str]:
            (found,) = check_peers(CollectorConfig(page=Page(peers=(peer,))))
            return found.state, found.sentence

        assert said(Peer(url=url, token_file=str(token))) == ("ok", "it answers; incidents open there: 0")
        assert said(Peer(url=url, token_file=str(wrong))) == ("wrong", f"peer {url}: this wants another token")
        assert said(Peer(url=url)) == (
            "wrong",
            f"peer {url}: this wants a token: send it as 'Authorization: Bearer ...'",
        )
        assert said(Peer(url=nowhere))[0] == "wrong"
        assert said(Peer(url=url, token_file="/nowhere"))[1].startswith("page.peers[0].token_file: ")
    seeded.close()


def test_what_is_in_the_way_of_the_data_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "data"
    config = CollectorConfig(data_dir=str(file))
    file.touch()
    assert check_data_folder(config).sentence == f"{file} is a file, where a folder belongs"
    file.unlink()
    file.mkdir()
    (file / "series.db").touch()
    monkeypatch.setattr(os, "access", lambda path, _: Path(path).name != "series.db")
    found = check_data_folder(config)
    assert (found.state, found.sentence) == ("wrong", f"{file}/series.db cannot be written by this user")


def test_a_file_that_cannot_be_looked_into_is_said_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = CollectorConfig(data_dir=str(tmp_path))
    (tmp_path / "series.db").write_bytes(b"no database" * 1000)
    found = check_series(config)
    assert found is not None
    assert (found.sentence, found.advice) == (
        f"{tmp_path}/series.db: file is not a database",
        "the collector's own log says why",
    )
    monkeypatch.setattr(os, "access", lambda *_: False)
    found = check_series(config)
    assert found is not None
    assert found.advice == "run this as the user that runs the collector"
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    assert unreadable("series", tmp_path / "series.db", full).sentence == f"{tmp_path}/series.db: the disk is full"


def test_readings_that_had_to_go_before_their_time_are_told(tmp_path: Path) -> None:
    config = CollectorConfig(data_dir=str(tmp_path))
    assert check_series(config) is None
    with closing(open_own(tmp_path / "series.db", COUNTERS)) as db:
        assert check_series(config) is None
        add_counts(db, {"series_rows_crowded_out": 1_234})
    found = check_series(config)
    assert found is not None
    assert found.sentence == "1,234 readings went before their 14 days were over, since it began"


@pytest.mark.parametrize(
    ("state", "verdict"), [("synchronised", "ok"), ("unsynchronised", "doubtful"), ("unknown", "doubtful")]
)
def test_a_clock_that_nobody_sets_is_doubtful(state: str, verdict: str) -> None:
    assert check_clock(lambda: state).state == verdict


def test_a_channel_whose_messages_wait_is_named_with_the_reason(tmp_path: Path) -> None:
    config = CollectorConfig(data_dir=str(tmp_path))
    assert [one.state for one in check_channels(config, NOW)] == ["ok"]
    with closing(connect(tmp_path / FILE)) as db:
        outbox = Outbox(db)
        for key in ("a", "b"):
            outbox.put(Message(key, key, "", "warning", "low", NOW), ["json://down:9000#1"])
        due = outbox.next_due("json://down:9000#1", NOW)
        assert due is not None
        outbox.settle(due, "json://down:9000#1", WAITS, error="no answer: timed out")
        outbox.put(Message("c", "c", "", "warning", "low", NOW + MINUTE), ["log"])
        assert [one.state for one in check_channels(config, NOW + 9 * MINUTE)] == ["ok"]
        down, log = check_channels(config, NOW + 12 * MINUTE)
    assert (down.what, down.state) == ("channel json://down:9000#1", "wrong")
    assert down.sentence == "2 messages wait, for 12 min; times tried: 1; no answer: timed out"
    assert (log.what, log.state, log.sentence) == ("channel log", "doubtful", "a message waits, for 11 min, untried")


def test_a_file_of_messages_that_cannot_be_read_is_doubtful(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("no database" * 100)
    (found,) = check_channels(CollectorConfig(data_dir=str(tmp_path)), NOW)
    assert found.state == "doubtful"


def test_rows_that_a_store_lately_refused_are_told_with_the_reason(tmp_path: Path) -> None:
    settings = StoreConfig("ours", "influxdb", "http://127.0.0.1:1")
    assert check_refused(tmp_path, settings, NOW) is None
    ledger = Ledger(tmp_path / "store-ours.db")
    reason = "400: field type conflict"
    ledger.commit(Done(refused=[("stack,device=d1 size=1i 5", reason)] * 3), {}, NOW - 2 * 1440 * MINUTE)
    assert check_refused(tmp_path, settings, NOW) is None, "that is over"
    ledger.commit(Done(refused=[("stack,device=d1 size=1i 6", reason)] * 2), {}, NOW - 1)
    ledger.close()
    found = check_refused(tmp_path, settings, NOW)
    assert found is not None
    assert (found.what, found.state) == ("store ours, rows", "doubtful")
    assert found.sentence == f"refused within a day: 2; the newest, 'stack,device=d1 size=1i 6': {reason}"


def test_an_agents_configuration_is_told_from_a_collectors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "agent.toml"
    config.write_text('[[ports]]\nport = "/dev/ttyUSB0"\ndevice = "bench-7"\n[outbox]\nmax_mb = 5\n')
    monkeypatch.setattr("sys.argv", ["memfleet", "doctor", "--config", str(config)])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith(f"memfleet: {config} is the configuration of an agent, ")


def test_a_page_that_is_away_not_ready_or_not_ours_is_told(tmp_path: Path) -> None:
    port, stop = free_port(), threading.Event()
    config = CollectorConfig(data_dir=str(tmp_path), page=Page(port=port))
    away = check_page(config)
    assert (away.state, away.sentence) == (
        "doubtful",
        f"nobody answers at http://127.0.0.1:{port}: the collector does not run",
    )
    page = threading.Thread(target=run, args=(config, tmp_path, stop))
    page.start()
    try:
        wait_until((tmp_path / "page.port").exists, "the page is up")
        ours, other = check_page(config), check_page(CollectorConfig(data_dir=f"{tmp_path}/other", page=config.page))
    finally:
        stop.set()
        page.join()
    assert ours.state == "wrong"
    assert "intake is not running yet" in ours.sentence
    assert (other.state, other.advice) == ("wrong", "stop that program, or give this collector another page.port")
