"""What the judge suspects, agents are asked to tell more of: once, for a while, by a retained command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from collector.config import CollectorConfig, IntakeSettings
from collector.intake.process import Intake
from collector.intake.suspicion import SPAN_MS, Suspicion
from collector.records import Finding, encode_finding
from telemetry.clock import wall_ms
from telemetry.journal import Journal
from telemetry.messages import Command, decode
from telemetry.settings import Broker
from telemetry.topics import Topic
from tests.servers import mosquitto
from tests.waiting import step_until

NOW = 1_790_000_000_000


def finding(device: str, at_ms: int = NOW, **more: Any) -> Finding:
    values = {"status": "firing", "severity": "warning", "kind": "heap"} | more
    return Finding(
        key=f"leak|{device}", episode=f"leak|{device}@{at_ms}", rule="leak", device=device, names=(), since_ms=at_ms,
        at_ms=at_ms, reason="It leaks.", **values,
    )  # fmt: skip


def test_an_agent_is_asked_for_all_its_suspicious_devices() -> None:
    owners = {"a": "gateway-1", "b": "gateway-1", "c": "gateway-2"}
    suspicion = Suspicion()
    suspicion.take(finding("a"), NOW)
    assert suspicion.commands(owners, NOW) == {
        "gateway-1": Command(NOW + SPAN_MS, interval_s=10.0, log_devices=["a"]),
    }
    assert suspicion.commands(owners, NOW + 1) == {}
    suspicion.take(finding("b"), NOW + 1000)
    assert suspicion.commands(owners, NOW + 1000)["gateway-1"].log_devices == ["a", "b"]
    suspicion.take(finding("b"), NOW + 1000 + SPAN_MS)
    assert suspicion.commands(owners, NOW + 1000 + SPAN_MS) == {}  # the finding is an old one by now


def test_what_is_over_silent_harmless_or_unknown_asks_for_nothing() -> None:
    suspicion = Suspicion()
    suspicion.take(finding("a", status="resolved"), NOW)
    suspicion.take(finding("a", kind="device", agent="gateway"), NOW)
    suspicion.take(finding("a", severity="info"), NOW)
    suspicion.take(finding("nobody's"), NOW)
    assert suspicion.commands({"a": "gateway"}, NOW) == {}


def test_the_command_waits_at_the_broker(tmp_path: Path) -> None:
    findings = Journal(tmp_path / "findings.journal")
    with mosquitto(tmp_path) as broker:
        config = CollectorConfig(
            fleet="plant", broker=Broker(url=broker.url), intake=IntakeSettings(suspected_every_s=3)
        )
        intake = Intake(config, tmp_path)
        intake._state.set_owner("pump", "gateway", NOW)
        with findings.transaction():
            findings.append([(encode_finding(finding("pump", wall_ms())), 1), (b"no finding", 1)])
        heard: list[bytes] = []
        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.on_connect = lambda client, *_: client.subscribe(str(Topic.of("plant", "gateway", "command")), 1)
        client.on_message = lambda _client, _data, message: heard.append(message.payload)
        connected = False

        def step() -> None:
            nonlocal connected
            intake.step()
            if intake.journal.counters().get("undecodable_findings") and not connected:
                connected = True  # the command is out; this agent comes late
                client.connect("127.0.0.1", int(broker.url.rsplit(":", 1)[1]))
                client.loop_start()

        step_until(step, lambda: heard, "the agent hears the command")
        client.loop_stop()
        intake.close()
    findings.close()
    command = decode(heard[0], Command)
    assert (command.log_devices, command.interval_s) == (["pump"], 3.0)
    assert 0 < command.until_ms - wall_ms() <= SPAN_MS
