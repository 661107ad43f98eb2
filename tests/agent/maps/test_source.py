"""A source on real mosquitto: messages become readings, questions are answered, what is settled is acknowledged."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from agent.config import AgentConfig, Outbox, Source
from agent.maps.source import MapSource
from agent.maps.trial import Forgetful
from agent.process import Gateway
from emulators.publishers import VOICES
from emulators.publishers.broadcast import Broadcast
from telemetry.clock import wall_ms
from telemetry.readings import About, Reading
from telemetry.settings import Broker
from telemetry.wire import Rows, decode_body
from tests.servers import Mosquitto, mosquitto
from tests.waiting import LIMIT_S, step_until


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path) as server:
        yield server


@pytest.fixture
def device(broker: Mosquitto) -> Iterator[paho.Client]:
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    yield client
    client.disconnect()
    client.loop_stop()


def source_at(broker: Mosquitto, **settings: Any) -> MapSource:
    return MapSource(Source(broker=Broker(url=broker.url), **settings), "a", Forgetful(), wall_ms)


def say(device: paho.Client, topic: str, payload: Any, qos: int = 0, *, retain: bool = False) -> None:
    text = payload if isinstance(payload, str) else json.dumps(payload)
    device.publish(topic, text, qos, retain).wait_for_publish(LIMIT_S)


def test_messages_become_readings_and_retained_ones_do_not(broker: Mosquitto, device: paho.Client) -> None:
    say(device, "tele/old/STATE", {"UptimeSec": 5, "Heap": 20}, retain=True)
    source, items = source_at(broker, poll_s=0), []

    def step() -> None:
        items.extend(source.step(0.05))

    step_until(step, lambda: source.maps.counts["retained"], "the retained message came")
    say(device, "tele/lamp/STATE", {"UptimeSec": 5, "Heap": 24})
    step_until(step, lambda: len(items) >= 3, "a description, the device and its heap")
    assert {item.device for item in items} == {"lamp"}
    assert [item.values for item in items if isinstance(item, Reading) and item.kind == "heap"] == [{"free": 24576}]


def test_topics_that_are_learned_are_subscribed_to(broker: Mosquitto, device: paho.Client) -> None:
    config = {"dev": {"ids": "b1"}, "name": "Heap free", "unit_of_meas": "B", "stat_t": "far/away/topic"}
    say(device, "homeassistant/sensor/b1/heap/config", config, retain=True)
    source, items = source_at(broker, poll_s=0), []

    def step() -> None:
        say(device, "far/away/topic", "5000")
        items.extend(source.step(0.1))

    step_until(step, lambda: any(isinstance(item, Reading) for item in items), "the learned value")
    assert items[0].device == "b1"


def test_a_shelly_is_asked_and_answers_with_its_memory(broker: Mosquitto, device: paho.Client) -> None:
    say(device, "tele/mark/STATE", {"UptimeSec": 5, "Heap": 20}, retain=True)
    shelly = Broadcast({"pump": "shelly"}, Broker(url=broker.url), "devices")
    stop = threading.Event()
    heap = {"size": 250_000, "free": 120_000, "min_free": 90_000}
    shelly.take([
        About("pump", 1, {"board": "SNSW-001X16EU", "firmware": "1.4.4"}),
        Reading("pump", "heap", ("internal",), wall_ms(), heap, 1, 60_000),
    ])  # fmt: skip
    answering = threading.Thread(target=lambda: [shelly.link.step(0.05) for _ in iter(stop.is_set, True)])
    source, items = source_at(broker, poll_s=1), []
    step_until(lambda: source.step(0.05), lambda: source.maps.counts["retained"], "the source has subscribed")
    answering.start()
    try:
        step_until(
            lambda: items.extend(source.step(0.05)),
            lambda: len([item for item in items if isinstance(item, Reading) and item.kind == "heap"]) >= 3,
            "what it says on connect and two answers",
        )
    finally:
        stop.set()
        answering.join()
    heaps = [item for item in items if isinstance(item, Reading) and item.kind == "heap"]
    assert {(one.device, one.boot) for one in heaps} == {("pump", 1)}, "by its MAC, whatever topic the answer has"
    assert all(one.values == heap for one in heaps)
    texts = [item.texts for item in items if isinstance(item, About)][-1]
    assert (texts["firmware"], texts["board"], texts["platform"]) == ("1.4.4", "SNSW-001X16EU", "esp32")


def test_what_arrived_is_in_the_outbox_and_only_then_acknowledged(
    broker: Mosquitto, device: paho.Client, tmp_path: Path
) -> None:
    nowhere = Broker(url="mqtt://127.0.0.1:9")
    source = Source(broker=Broker(url=broker.url), poll_s=0)
    agent = Gateway(AgentConfig(broker=nowhere, sources=(source,), outbox=Outbox(commit_ms=100)), tmp_path / "agent")
    reader = agent.sources[0]
    say(device, "tele/lamp/STATE", {"UptimeSec": 5, "Heap": 20}, retain=True)
    step_until(lambda: agent.step(0.05), lambda: reader.maps.counts["retained"], "the source has subscribed")
    for number in range(1200):  # more than the broker lets be on its way
        device.publish("tele/lamp/STATE", json.dumps({"UptimeSec": 100 + number, "Heap": 24}), 1)
    step_until(lambda: agent.step(0.05), lambda: reader.maps.counts["understood"] >= 1200, "all of them came")
    agent.agent.commit()
    frames = agent.agent.outbox.after(0, 10_000)
    rows = [
        row
        for frame in frames
        for block in decode_body(frame.data)
        if isinstance(block, Rows) and block.kind == "heap"
        for row in block.rows
    ]
    agent.close()
    assert len(rows) == 1200


def test_messages_of_nobody_are_told_once(
    broker: Mosquitto, device: paho.Client, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = tmp_path / "own.toml"
    own.write_text('system = "own"\n[[topics]]\nmatch = "h/+/x"\ndevice = "{who}"\n[topics.heap.main]\nfree = "free"')
    say(device, "h/0/x", {"free": 1}, retain=True)
    source = MapSource(Source(broker=Broker(url=broker.url), maps=(str(own),)), "a", Forgetful(), wall_ms)

    def step() -> None:
        say(device, "h/1/x", {"free": 5})
        source.step(0.1)

    step_until(step, lambda: source.maps.counts["nameless"] > 5, "messages came")
    assert [text for text in caplog.messages if "h/0/x" in text] == [
        "messages on 'h/0/x' do not say which device they are of and are left out: look at `device` in their map"
    ]


def test_a_broker_that_is_not_there_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    source = MapSource(Source(broker=Broker(url="mqtt://127.0.0.1:9")), "a", Forgetful(), wall_ms)
    step_until(lambda: source.step(0.05), lambda: source.link.trouble, "the connection is refused")
    step_until(lambda: source.step(0.05), lambda: caplog.messages, "it is said")
    for _ in range(10):
        source.step(0.05)
    assert [text for text in caplog.messages if "refused" in text] == [
        "no message of devices comes: broker mqtt://127.0.0.1:9: connection refused; is it running?"
    ]


@pytest.mark.parametrize("system", VOICES)
def test_an_emulated_device_is_read_as_the_real_one(system: str) -> None:
    """Through the maps without a broker: the readings that come out are those that went in."""
    from agent.maps import load_maps
    from agent.maps.devices import Devices

    maps, devices, voice = load_maps(), Devices(Forgetful()), VOICES[system]("dev-1")
    heap = {"size": 250_000, "free": 120_321, "min_free": 90_000, "largest_free": 80_000}
    start = wall_ms()
    went_in = [
        About("dev-1", 1, {"board": "esp32c3", "firmware": "9.9.9"}),
        Reading("dev-1", "event", ("boot",), start, {"reason": "power on"}, 1, 0),
        Reading("dev-1", "heap", ("internal",), start + 5000, heap, 1, 5000),
    ]
    said = [*voice.connected(), *(one for item in went_in for one in voice.take(item))]
    said += [one for topic in voice.questions for method in ("Sys.GetStatus", "Shelly.GetDeviceInfo")
             for one in voice.asked(topic, json.dumps({"id": 1, "src": "c", "method": method}).encode())]  # fmt: skip
    came: list[About | Reading] = []
    for one in said:
        for report in maps.apply(one.topic, one.payload, False, start + 5000):
            came += devices.take(report)
    came += devices.close()
    coarse = 1024 if system == "tasmota" else 1
    (first, *_) = [item for item in came if isinstance(item, Reading) and item.kind == "heap"]
    assert first.resolution == coarse
    assert first.values.items() <= {name: value // coarse * coarse for name, value in heap.items()}.items()
    assert first.values["free"] == heap["free"] // coarse * coarse
    assert (first.boot, first.uptime_ms) == (1, 5000)
    about = [item for item in came if isinstance(item, About)][-1]
    assert (about.device, about.texts["board"]) == ("dev-1", "esp32c3")
    assert about.texts["firmware"].startswith("9.9.9")
    assert about.texts["platform"] == "esp32"
