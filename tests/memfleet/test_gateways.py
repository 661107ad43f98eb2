"""Agents, holes and the inventory along the whole path: real commands, a real broker, a real collector."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent.config import AgentConfig, Outbox
from agent.process import Agent
from telemetry.clock import wall_ms
from telemetry.readings import NEVER_SILENT_S, SILENT_AFTER, About, Reading
from telemetry.settings import Broker
from tests.memfleet.running import Collector, memfleet, run
from tests.servers import Mosquitto, mosquitto
from tests.waiting import LIMIT_S, wait_until


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture(scope="module")
def collector(broker: Mosquitto, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    made = Collector(tmp_path_factory.mktemp("collector"), broker.url)
    made.config.write_text("silent_after_s = 5\n" + made.config.read_text())
    with made.running():
        made.wait_ready()
        wait_until(lambda: made.get("/api/v1/agents"), "the collector is complete")
        yield made


def ask(collector: Collector, *words: str) -> Any:
    """What a command answers: JSON when it was asked for, else its text."""
    url = f"http://127.0.0.1:{collector.port}"
    done = run(*words, "--url", url)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if "--json" in words else done.stdout


class Gateway:
    """An agent in this process, with a device or two that say what the test wants."""

    def __init__(self, broker: Mosquitto, folder: Path, name: str, max_mb: int = 64) -> None:
        config = AgentConfig(
            fleet="plant", name=name, broker=Broker(url=broker.url), outbox=Outbox(commit_ms=10, max_mb=max_mb)
        )
        self.agent = Agent(config, folder / name, "1.2.3")

    def say(self, device: str, **values: int) -> None:
        reading = Reading(device, "heap", ("system",), wall_ms(), values or {"free": 1000}, 1, 1000)
        self.agent.take([About(device, 1, {"platform": "zephyr"}), reading])
        self.agent.commit()

    def flush(self) -> None:
        wait_until(lambda: self.agent.drain(0.2), "the collector has everything")


@pytest.fixture
def gateway(broker: Mosquitto, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Gateway]:
    made = Gateway(broker, tmp_path, f"gw-{abs(hash(request.node.name)) % 10**6}")
    yield made
    made.agent.close()


def name_of(gateway: Gateway) -> str:
    return gateway.agent.publisher._frame_topic.split("/")[4]


def test_agents_are_listed_with_what_they_tell_of_themselves(collector: Collector, gateway: Gateway) -> None:
    gateway.say("a-1")
    gateway.agent.step(0)
    gateway.flush()
    agent = name_of(gateway)

    def listed() -> Any:
        found = {one["agent"]: one for one in ask(collector, "agents", "--json")}
        return found.get(agent) if agent in found and found[agent]["values"] else None

    one = wait_until(listed, "the agent is listed")
    assert (one["online"], one["version"], one["devices"]) == (True, "1.2.3", 1)
    assert one["values"]["disk_free"] > 0
    assert one["values"]["evicted"] == 0
    devices = {row["device"] for row in ask(collector, "devices", "--json")}
    assert "a-1" in devices
    assert agent not in devices
    assert agent in ask(collector, "agents")


def test_agents_say_by_how_much_a_clock_is_ahead_whose_readings_are_refused(
    collector: Collector, gateway: Gateway
) -> None:
    gateway.agent.now_ms = lambda: wall_ms() + 9_000_000
    for _ in range(2):
        gateway.agent._next_report = 0
        gateway.agent.step(0)
        gateway.flush()
    wait_until(lambda: "2.5 hours ahead" in ask(collector, "agents"), "the difference is known")
    assert ask(collector, "quarantine", "--agent", name_of(gateway), "--reason", "time", "--json")


def test_an_inventory_names_labels_and_owners_and_who_never_speaks_is_an_alert(
    collector: Collector, gateway: Gateway, broker: Mosquitto, tmp_path: Path
) -> None:
    agent = name_of(gateway)
    file = tmp_path / "inventory.csv"
    file.write_text(f"device,agent,site\nb-1,{agent},Lyon\nb-never,,Oslo\n")
    assert "2 devices listed; labels: site" in ask(collector, "devices", "import", str(file))
    wait_until(lambda: collector.get("/api/v1/devices/b-never"), "the listed device is known")
    thief = Gateway(broker, tmp_path, "thief")
    thief.say("b-1")
    thief.flush()
    thief.agent.close()
    gateway.say("b-1")
    gateway.flush()

    def labelled() -> Any:
        found = collector.get("/api/v1/devices/b-1")
        return found and found["platform"] == "zephyr" and found

    one = wait_until(labelled, "the device has spoken")
    assert (one["agent"], one["texts"]["site"]) == (agent, "Lyon")
    assert any(line.split() == ["labels", "site=Lyon"] for line in ask(collector, "show", "b-1").splitlines())
    (refused,) = ask(collector, "quarantine", "--agent", "thief", "--reason", "owner", "--json")[:1]
    assert "belongs to agent" in refused["detail"]
    refused_of = {one["agent"]: one["quarantined"] for one in ask(collector, "agents", "--json")}
    assert refused_of["thief"]["owner"] >= 1
    assert refused_of[agent] == {}
    assert f"{refused_of['thief']['owner']} owner" in ask(collector, "agents")

    def paged() -> bool:
        return any(one["device"] == "b-never" and one["rule"] == "silent" for one in ask(collector, "alerts", "--json"))

    wait_until(paged, "the device that never spoke is an alert")
    ask(collector, "devices", "retire", "b-never")
    wait_until(lambda: collector.get("/api/v1/devices/b-never")["note"] == "retired", "it is told to be retired")
    wait_until(lambda: not paged(), "nobody waits for it any more")
    wait_until(
        lambda: "b-never" not in {row["device"] for row in ask(collector, "devices", "--json")}, "it is listed no more"
    )
    url = f"http://127.0.0.1:{collector.port}"
    ahead = run("devices", "move", "b-1", "--to", "theif", "--url", url)
    assert "Nobody has heard of the agent theif yet" in ahead.stderr
    unknown = run("devices", "move", "b-l", "--to", "thief", "--url", url)
    assert "no device named 'b-l'" in unknown.stderr
    ask(collector, "devices", "move", "b-1", "--to", "thief")
    wait_until(lambda: _moved(collector, broker, tmp_path), "the device speaks through another agent")


def _moved(collector: Collector, broker: Mosquitto, folder: Path) -> bool:
    thief = Gateway(broker, folder, "thief")
    thief.say("b-1")
    thief.flush()
    thief.agent.close()
    found = collector.get("/api/v1/devices/b-1")
    return bool(found and found["agent"] == "thief")


def test_evicted_frames_and_silence_are_holes(collector: Collector, broker: Mosquitto, tmp_path: Path) -> None:
    small = Gateway(broker, tmp_path, "small", max_mb=1)
    small.say("c-1")
    small.flush()
    values = {"free": 1}
    for number in range(400):  # more than its outbox holds, while it is not connected
        texts = {"text": "x" * 1000, "level": "E"}
        small.agent.take(
            [Reading("c-1", "log", (), wall_ms() + place, texts, 1, 1000) for place in range(8)]
            + [Reading("c-1", "heap", ("system",), wall_ms() + number, values, 1, 1000)]
        )
        small.agent.commit()
    evicted = small.agent.outbox.counters()["evicted_frames"]
    assert evicted > 50
    small.flush()

    def lost() -> Any:
        return [one for one in ask(collector, "holes", "c-1", "--json") if one["cause"] == "lost"]

    (hole,) = wait_until(lost, "the hole is listed")
    assert hole["frames"] == evicted
    assert hole["from_ms"] < hole["to_ms"]

    def silent() -> Any:
        return [one for one in ask(collector, "holes", "c-1", "--json") if one["cause"] == "silence"]

    (lasting,) = wait_until(silent, "its silence is listed while it lasts")
    assert lasting["to_ms"] is None
    small.say("c-1")
    small.flush()
    wait_until(lambda: silent() and silent()[0]["to_ms"], "the silence ends")
    assert "frames of its agent never came" in ask(collector, "holes", "c-1")
    small.agent.close()


def test_a_replay_that_is_over_leaves_no_silence_behind(
    collector: Collector, gateway: Gateway, broker: Mosquitto, tmp_path: Path
) -> None:
    log = tmp_path / "board.log"
    log.write_text("I (1200) app: Free heap: 150000 bytes\nE (1300) wifi: lost\n" * 5)
    played = run(
        "replay", str(log), "--device", "e-1", "--broker", broker.url, "--fleet", "plant", "--data", tmp_path / "r"
    )
    assert played.returncode == 0, played.stderr
    gateway.agent.step(0)
    gateway.say("e-2")
    gateway.flush()

    def silent() -> set[str]:
        return {one["device"] for one in ask(collector, "alerts", "--json") if one["rule"] == "silent"}

    wait_until(lambda: "e-2" in silent(), "one that leaves without a word is missed")
    assert name_of(gateway) not in silent(), "agents speak each half minute, whatever devices do"
    wait_until(lambda: collector.get("/api/v1/devices/e-1"), "the device that was played is listed")
    assert not silent() & {"e-1", "replay"}
    assert [one["device"] for one in ask(collector, "holes", "--json") if one["device"] in ("e-1", "replay")] == []


def test_an_emulated_fleet_is_missed_when_it_is_killed_and_not_when_it_is_ended(
    collector: Collector, broker: Mosquitto, tmp_path: Path
) -> None:
    def begun(name: str) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
        file = tmp_path / f"{name}.toml"
        file.write_text(
            f'[[groups]]\nname = "{name}"\nboard = "zephyr-nrf52840"\nworkload = "tutorial-leak"\nreport_ms = 500\n'
        )
        words = ("emulate", str(file), "--broker", broker.url, "--fleet", "plant", "--name", f"{name}-agent")
        return memfleet(*words, "--data", str(tmp_path / name), log=tmp_path / f"{name}.log")

    for name in ("ended", "killed"):
        with begun(name) as process:
            wait_until(lambda name=name: collector.get(f"/api/v1/devices/{name}-001"), "it is heard")
            if name == "killed":
                process.kill()

    def silent() -> set[str]:
        return {one["device"] for one in ask(collector, "alerts", "--json") if one["rule"] == "silent"}

    def is_waited_for() -> bool:
        found = collector.answer("/api/v1/devices/ended-001")
        return bool(found["limits"].get(SILENT_AFTER) != NEVER_SILENT_S)

    wait_until(lambda: "killed-001" in silent(), "one that leaves without a word is missed")
    assert "ended-001" not in silent()
    assert not is_waited_for()
    with begun("ended"):
        wait_until(is_waited_for, "it is waited for again once it is back")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("devices/import", {"devices": [{"device": "a b"}]}),
        ("devices/import", {"devices": [{"device": "d", "labels": {"platform": "esp32"}}]}),
        ("devices/import", {"devices": [{"device": "d", "labels": {"site": "a\x1b[2J"}}]}),
        ("devices/import", {"devices": []}),
        ("devices/move", {"device": "d", "agent": "../x"}),
        ("devices/retire", {"device": ""}),
    ],
)
def test_a_wrong_wish_changes_nothing(collector: Collector, path: str, body: dict[str, Any]) -> None:
    answer = httpx.post(f"http://127.0.0.1:{collector.port}/api/v1/{path}", json=body, timeout=LIMIT_S)
    assert answer.status_code == 400
    assert answer.json()["error"]
