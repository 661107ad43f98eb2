"""From reports to the stream: names by MAC, boots, what belongs together, what is never a sample."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agent.maps import load_maps
from agent.maps.devices import JOIN_MS, Devices
from agent.maps.trial import Forgetful
from agent.outbox import Outbox
from telemetry.readings import MT3620_LIMIT, About, Reading
from telemetry.topics import is_name

START = 1_790_000_000_000


class Stream:
    """Messages in, descriptions and readings out."""

    def __init__(self, memory: Any = None) -> None:
        self.maps = load_maps()
        self.devices = Devices(memory or Forgetful())
        self.items: list[About | Reading] = []

    def say(self, topic: str, payload: Any, at_ms: int = 0, *, retained: bool = False) -> None:
        text = payload if isinstance(payload, str) else json.dumps(payload)
        for report in self.maps.apply(topic, text.encode(), retained, START + at_ms):
            self.items += self.devices.take(report)
        self.items += self.devices.due(START + at_ms)

    def state(self, topic: str, heap: int, uptime: int, at_ms: int = 0, **more: Any) -> None:
        self.say(topic, {"UptimeSec": uptime, "Heap": heap, "MqttCount": 1}, at_ms, **more)

    def readings(self, kind: str = "heap") -> list[Reading]:
        return [item for item in self.items if isinstance(item, Reading) and item.kind == kind]

    @property
    def abouts(self) -> list[About]:
        return [item for item in self.items if isinstance(item, About)]


def test_a_device_is_described_before_its_first_reading() -> None:
    stream = Stream()
    stream.say("stat/lamp/STATUS2", {"StatusFWR": {"Version": "14.2.0(tasmota32)", "Hardware": "ESP32-D0WD-V3"}})
    stream.say("tele/lamp/INFO3", {"Info3": {"RestartReason": "Vbat power on reset", "BootCount": 3}})
    assert stream.items == [], "what only says hello is not in the fleet"
    stream.state("tele/lamp/STATE", 148, 11, 9000)
    about, life, heap = stream.items
    assert isinstance(about, About)
    assert about.texts == {
        "platform": "esp32", "os": "Tasmota", "firmware": "14.2.0(tasmota32)", "chip": "ESP32-D0WD-V3",
    }  # fmt: skip
    assert isinstance(life, Reading)
    assert life.values["boots"] == 3
    expected = Reading("lamp", "heap", ("internal",), START + 9000, {"free": 148 * 1024}, 1, 11_000, (), 1024)
    assert heap == expected


def test_trap_2_what_counts_in_steps_is_never_finer_than_its_step() -> None:
    stream = Stream()
    for n in range(3):
        stream.state("tele/lamp/STATE", 24, 100 + 300 * n, 300_000 * n)
    assert {reading.resolution for reading in stream.readings()} == {1024}


def test_trap_8_retained_values_are_never_samples() -> None:
    stream = Stream()
    stream.say("porch/sensor/heap_free/state", "100000", retained=True)
    stream.state("tele/lamp/STATE", 24, 5, retained=True)
    stream.say("esphome/discover/porch", {"name": "porch", "mac": "a0a3b327c1b4", "version": "1"}, retained=True)
    stream.say("porch/sensor/heap_free/state", "100000", JOIN_MS, retained=True)
    assert stream.items + stream.devices.close() == []


def test_trap_9_a_connection_is_no_boot_and_a_boot_is_one() -> None:
    stream = Stream()
    stream.state("tele/lamp/STATE", 24, 5000)
    stream.say("tele/lamp/LWT", "Offline", 30_000)
    stream.say("tele/lamp/LWT", "Online", 31_000)
    stream.state("tele/lamp/STATE", 24, 5060, 60_000)
    stream.say("tele/lamp/INFO3", {"Info3": {"RestartReason": "Exception", "BootCount": 9}}, 90_000)
    stream.state("tele/lamp/STATE", 25, 12, 100_000)
    assert [reading.boot for reading in stream.readings()] == [1, 1, 2]
    assert [(e.names, e.values.get("class")) for e in stream.readings("event")] == [
        (("boot",), "panic"), (("panic",), None),
    ]  # fmt: skip
    assert [about.boot for about in stream.abouts] == [1, 2]


def test_trap_9_a_wake_from_deep_sleep_is_told_and_is_no_boot() -> None:
    stream = Stream()
    for n in range(4):
        stream.say("tele/meter/INFO3", {"Info3": {"RestartReason": "Deep-Sleep Wake"}}, 600_000 * n)
        stream.state("tele/meter/STATE", 24, 10, 600_000 * n + 9000)
    assert {reading.boot for reading in stream.readings()} == {1}
    assert [event.names for event in stream.readings("event")] == [("wake",)] * 3


def test_trap_11_the_time_of_arrival_counts_not_the_device_s() -> None:
    stream = Stream()
    stream.say("tele/lamp/STATE", {"Time": "1970-01-01T00:00:11", "UptimeSec": 11, "Heap": 24}, 5)
    assert stream.readings()[0].time_ms == START + 5


def test_trap_12_values_on_topics_of_their_own_are_joined() -> None:
    stream = Stream()
    for n, (what, value) in enumerate({"size": 301244, "free": 142300, "minfree": 101500, "maxalloc": 94196}.items()):
        stream.say(f"solar/dtu/heap/{what}", str(value), 20 * n)
    stream.say("solar/dtu/heap/free", "142000", 5000)
    joined, later = [*stream.readings(), *stream.devices.close()]
    assert isinstance(later, Reading)
    assert joined.values == {"size": 301244, "free": 142300, "min_free": 101500, "largest_free": 94196}
    assert (joined.time_ms, later.time_ms, later.values) == (START, START + 5000, {"free": 142000})


def test_trap_12_values_that_come_alone_are_not_waited_for() -> None:
    stream = Stream()
    stream.say("OBK_1/freeheap", "95168")
    assert stream.devices.due(START + JOIN_MS - 1) == []
    (*_, alone) = stream.devices.due(START + JOIN_MS)
    assert isinstance(alone, Reading)
    assert alone.values == {"free": 95168}


def test_a_burst_that_tells_its_uptime_last_belongs_to_the_new_boot() -> None:
    stream = Stream()
    stream.say("solar/dtu/heap/free", "1000", 0)
    stream.say("solar/dtu/uptime", "5000", 10)
    stream.say("solar/dtu/heap/free", "2000", 60_000)
    stream.say("solar/dtu/uptime", "12", 60_010)
    stream.items += stream.devices.close()
    assert [(reading.boot, reading.values["free"]) for reading in stream.readings()] == [(1, 1000), (2, 2000)]


def test_trap_7_a_device_whose_topic_is_edited_stays_the_same_by_its_mac() -> None:
    stream = Stream()
    for prefix, src in (("plug", "shellyplus1-a8032ab00001"), ("garden/pump", "shellyplus1-a8032ab00001")):
        stream.say(
            f"{prefix}/events/rpc",
            {"src": src, "params": {"sys": {"mac": "A8032AB00001", "uptime": 9000, "ram_free": 100, "ram_size": 200}}},
        )
    assert {reading.device for reading in stream.readings()} == {"plug"}


def test_two_devices_with_the_same_last_level_stay_two() -> None:
    stream = Stream()
    stream.state("house/lamp/tele/STATE", 24, 100)
    stream.state("barn/lamp/tele/STATE", 25, 100)
    assert [reading.device for reading in stream.readings()] == ["lamp", "barn-lamp"]


def test_a_description_without_readings_waits_for_them_whatever_the_full_topic() -> None:
    stream = Stream()
    found = {"t": "t1_03", "mac": "CC50E325A692", "md": "Sonoff Basic", "sw": "14.2.0"}
    stream.say("tasmota/discovery/CC50E325A692/config", found, retained=True)
    stream.state("tasmota/t1_03/tele/STATE", 24, 100)
    assert [(about.device, about.texts["board"]) for about in stream.abouts] == [("t1_03", "Sonoff Basic")]


def test_names_and_boots_outlive_the_agent(tmp_path: Path) -> None:
    for number, uptime in enumerate((5000, 12)):
        outbox = Outbox(tmp_path / "outbox.journal", 2**24)
        stream = Stream(outbox)
        stream.state("house/lamp/tele/STATE", 24, 100, 60_000 * number)
        stream.state("barn/lamp/tele/STATE", 24, uptime, 60_000 * number)
        stream.devices.close()
        outbox.close()
        assert [(reading.device, reading.boot) for reading in stream.readings()] == [
            ("lamp", 1), ("barn-lamp", 1 + number),
        ]  # fmt: skip


def test_an_mt3620_has_its_limit() -> None:
    stream = Stream()
    stream.say("devices/abc/messages/events/", {"peakUserMemoryKiB": 105, "totalMemoryKiB": 161})
    assert stream.abouts[0].limits == {"user_mode": MT3620_LIMIT}
    assert stream.abouts[0].texts["platform"] == "mt3620"


@pytest.mark.parametrize("alias", ["Küche/Lampe", "a b", "-._", "x" * 200, "日本"])
def test_any_topic_gives_a_name_that_a_fleet_can_hold(alias: str) -> None:
    stream = Stream()
    stream.state(f"tele/{alias}/STATE", 24, 100)
    assert is_name(stream.readings()[0].device)


def test_what_only_says_hello_takes_no_name_from_a_device_that_measures() -> None:
    stream = Stream()
    stream.say("kitchen/status", "online")
    stream.say("kitchen/online", "true")
    stream.state("tele/kitchen/STATE", 24, 100)
    assert [reading.device for reading in stream.readings()] == ["kitchen"]
    assert len(stream.devices.names) == 1


def test_what_is_held_of_those_without_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.maps.held.HELD_MOST", 10)
    stream = Stream()
    for number in range(50):
        stream.say(f"tele/d{number}/INFO1", {"Info1": {"Module": f"board {number}", "Version": "1"}})
    assert len(stream.devices.held) == 10
    stream.state("tele/d0/STATE", 24, 100)
    stream.state("tele/d49/STATE", 24, 100)
    assert [about.texts.get("board") for about in stream.abouts] == [None, "board 49"]


def test_a_source_has_no_more_devices_than_it_can_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.maps.names.DEVICES_MOST", 5)
    stream = Stream()
    for number in range(8):
        stream.state(f"tele/d{number}/STATE", 24, 100)
    assert len({reading.device for reading in stream.readings()}) == 5
    assert stream.devices.unnamed == 3


def spans(stream: Stream) -> list[int]:
    return [about.limits.get("silent_after_s", 0) for about in stream.abouts]


def test_the_collector_is_told_how_seldom_a_device_speaks() -> None:
    """Tasmota's TelePeriod of 300 s is the collector's limit of silence; a user may choose an hour."""
    memory = Forgetful()
    stream = Stream(memory)
    for turn in range(5):
        stream.state("tele/lamp/STATE", 25, 1000 + 300 * turn, 300_000 * turn)
    assert spans(stream) == [900]
    for turn in range(1, 4):
        stream.state("tele/lamp/STATE", 25, 2200 + 3600 * turn, 1_200_000 + 3_600_000 * turn)
    assert spans(stream) == [900, 3 * 3600]
    stream.devices.close()
    again = Stream(memory)
    again.state("tele/lamp/STATE", 25, 99_000, 98_000_000)
    assert spans(again) == [3 * 3600], "an agent that starts anew knows it still"


def test_one_outage_is_no_period_and_frequent_devices_need_no_span() -> None:
    stream = Stream()
    for at_s in (0, 60, 120, 50_000, 50_060, 50_120):
        stream.say("home/gw/SYStoMQTT", {"freemem": 1000, "uptime": 100 + at_s}, at_s * 1000)
    assert spans(stream) == [0]
