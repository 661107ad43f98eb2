"""A fleet that publishes by itself, from the first look to the page; and maps tried on messages."""

from __future__ import annotations

import itertools
import json
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import publish

from tests.memfleet.running import Collector, memfleet, run
from tests.servers import mosquitto
from tests.waiting import wait_until

SYSTEMS = {"tasmota": "Tasmota", "shelly": "Shelly", "esphome": "ESPHome"}
EACH = 100


def discovered(url: str, folder: Path, seconds: int) -> dict[str, Any]:
    """One look at the broker of so many seconds."""
    done = run(
        "discover", "--broker", url, "--for", f"{seconds}s", "--json", "--force", "--fleet", "plant",
        "--write", str(folder / "agent.toml"), "--data", str(folder / "agent"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.timeout(400)
def test_a_mixed_fleet_of_300_is_found_and_comes_onto_the_page(tmp_path: Path) -> None:
    asked = [word for system in SYSTEMS for word in ("--as", system)]
    with mosquitto(tmp_path) as broker:
        log = tmp_path / "devices.log"
        emulation = (
            "emulate",
            *asked,
            "--devices",
            str(3 * EACH),
            "--broker",
            broker.url,
            "--data",
            str(tmp_path / "e"),
        )
        with memfleet(*emulation, log=log):
            spans = itertools.count(6, 6)  # seconds; a slow machine is looked at for longer

            def all_found() -> dict[str, Any] | None:
                full = discovered(broker.url, tmp_path, next(spans))
                named = Counter(one["system"] for one in full["devices"] if one["mac"])
                complete = all(full["systems"].get(one) == named[one] == EACH for one in SYSTEMS.values())
                return full if complete and set(SYSTEMS) <= set(full["maps"]) else None

            found = wait_until(all_found, "all of them are found", log)
            assert run("check-config", str(tmp_path / "agent.toml")).returncode == 0
            written = tomllib.loads((tmp_path / "agent.toml").read_text())
            assert written["sources"] == [{"maps": found["maps"], "poll_s": 60, "broker": {"url": broker.url}}]
            collector = Collector(tmp_path, broker.url)
            with (
                collector.running(),
                memfleet("agent", "--config", str(tmp_path / "agent.toml"), log=tmp_path / "agent.log"),
            ):
                collector.wait_ready()

                def complete() -> list[dict[str, Any]] | None:
                    answer = collector.get("/api/v1/devices?limit=1000") or {"devices": []}
                    rows = [row for row in answer["devices"] if row["device"].split("-")[0] in SYSTEMS]
                    told = all(row["firmware"] and row["board"].startswith("esp32") for row in rows)
                    return rows if len(rows) >= 3 * EACH and told else None

                rows = wait_until(complete, "300 devices with firmware and board", tmp_path / "agent.log")
                names = {f"{system}-{number:03}" for system in SYSTEMS for number in range(1, EACH + 1)}
                assert {row["device"] for row in rows} == names
                assert {row["boot"] for row in rows} == {1}
                series = "/api/v1/devices/tasmota-001/series"
                wait_until(lambda: collector.answer(series)["series"], "its memory is known, too")


@pytest.mark.parametrize("to", ["", "mqtt://elsewhere:1883"])
def test_the_login_that_found_devices_is_written_where_it_belongs(tmp_path: Path, to: str) -> None:
    secret, file = tmp_path / "secret", tmp_path / "agent.toml"
    secret.touch(mode=0o600)
    secret.write_text("word")
    about = {
        "dn": "lamp",
        "mac": "AABBCCDDEE01",
        "t": "lamp",
        "ft": "%prefix%/%topic%/",
        "tp": ["cmnd", "stat", "tele"],
    }
    with mosquitto(tmp_path) as broker:
        topic, host = "tasmota/discovery/AABBCCDDEE01/config", "127.0.0.1"
        publish.single(topic, json.dumps(about), qos=1, retain=True, hostname=host, port=broker.port)
        words = ("--username", "maps", "--password-file", secret, "--for", "2s", "--write", file)
        done = run("discover", "--broker", broker.url, *words, *(("--to", to) if to else ()))
        assert done.returncode == 0, done.stderr
        written, login = tomllib.loads(file.read_text()), {"username": "maps", "password_file": str(secret)}
    assert written["sources"][0]["broker"] == {"url": broker.url, **login}
    assert written["broker"] == ({"url": to} if to else {"url": broker.url, **login})


def test_messages_are_tried_without_a_broker(tmp_path: Path) -> None:
    file = tmp_path / "messages.ndjson"
    rows = [
        {"topic": "tele/lamp/STATE", "payload": '{"UptimeSec":5,"Heap":24}', "retained": False},
        {"topic": "tele/old/STATE", "payload": '{"UptimeSec":5,"Heap":24}', "retained": True},
        {"topic": "plant/[red]1[/]/health", "payload": {"dev": {"id": "a1"}, "mem": {"free_kb": 41}}},
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = run("map", "--try", str(file), "--json")
    heap, old = [json.loads(line) for line in done.stdout.splitlines()]
    assert (heap["line"], heap["device"], heap["free"], heap["resolution"]) == (1, "lamp", 24576, 1024)
    assert (old["line"], old["retained"], old["kind"]) == (2, True, "device")
    table = run("map", "--try", str(file), columns=200).stdout
    assert "1 retained" in table
    assert "plant/[red]1[/]/health" in table
    assert "mem.free_kb" in table


def test_faults_are_said_in_a_line(tmp_path: Path) -> None:
    bad = tmp_path / "bad.ndjson"
    bad.write_text('{"topic": "a"}\n')
    for words, said in (
        (("map", "--try", str(bad)), f"{bad}:1: is no message"),
        (("map", "--try", str(tmp_path / "none")), "cannot be read"),
        (("map", "--map", "tasmotta", "--try", str(bad)), "the maps that ship are"),
        (("discover", "--broker", "mqtt://127.0.0.1:9", "--for", "1s", "--write", str(tmp_path / "x")), "refused"),
        (("discover", "--broker", "mqtt://127.0.0.1:9", "--write", str(bad)), "exists"),
        (("discover", "--broker", "mqtt://127.0.0.1:9", "--for", "0s", "--write", str(tmp_path / "x")), "no time"),
        (("map", "--try", str(bad), "--broker", "mqtt://127.0.0.1:9"), "give one of them"),
        (("agent", "--data", str(tmp_path)), "nothing to read"),
        (("enroll", "gw-1", "--out", str(bad)), f"{bad} is no folder"),
    ):
        done = run(*words)
        assert done.returncode in (1, 2)
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def test_check_config_names_maps_that_do_not_exist(tmp_path: Path) -> None:
    config = tmp_path / "agent.toml"
    config.write_text('[[sources]]\nmaps = ["tasmota", "tasmotta"]\n')
    done = run("check-config", str(config))
    assert done.returncode == 2
    assert "tasmotta: cannot be read" in done.stderr
