"""Home Assistant's discovery: topic, path and unit of everything that is announced as memory."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.maps import Maps, load_maps
from agent.maps.homeassistant import HomeAssistant
from agent.maps.report import Measure

DEVICE = {
    "ids": ["bat-1"],
    "name": "Battery Emulator",
    "sw": "9.1.0",
    "mdl": "LilyGo",
    "cns": [["mac", "AA:BB:CC:00:11:22"]],
}


def announced(maps: Maps, entity: dict[str, Any], device: dict[str, Any] | None = None) -> None:
    config = {"dev": DEVICE if device is None else device, **entity}
    maps.apply("homeassistant/sensor/bat-1/x/config", json.dumps(config).encode(), True, 1)


def measures(maps: Maps, topic: str, payload: str, *, retained: bool = False) -> list[Measure]:
    return [one for report in maps.apply(topic, payload.encode(), retained, 2) for one in report.measures]


@pytest.mark.parametrize(
    ("entity", "payload", "expected"),
    [
        ({"name": "Free Heap", "unit_of_meas": "B"}, "81234", ("heap", "heap", {"free": 81234}, 1)),
        ({"name": "Heap free", "unit_of_meas": "KiB"}, "81", ("heap", "heap", {"free": 81 * 1024}, 1024)),
        ({"name": "free mem", "unit_of_meas": "kB"}, "81", ("heap", "heap", {"free": 81 * 1024}, 1024)),
        ({"name": "Max Free Block", "unit_of_meas": "B"}, "4000", ("heap", "heap", {"largest_free": 4000}, 1)),
        ({"name": "max alloc", "unit_of_meas": "kB"}, "40", ("heap", "heap", {"largest_free": 40960}, 1024)),
        ({"name": "Min Free Heap", "unit_of_meas": "B"}, "4000", ("heap", "heap", {"min_free": 4000}, 1)),
        ({"name": "Heap Size", "unit_of_meas": "bytes"}, "9000", ("heap", "heap", {"size": 9000}, 1)),
        ({"name": "PSRAM Free", "unit_of_meas": "B"}, "4000000", ("heap", "psram", {"free": 4000000}, 1)),
        ({"name": "BLE stack free", "unit_of_meas": "B"}, "888", ("stack", "ble", {"min_free": 888}, 1)),
        ({"uniq_id": "bat_freeHeap", "unit_of_meas": "B"}, "7", ("heap", "heap", {"free": 7}, 1)),
    ],
)
def test_a_value_is_learned_with_its_unit(entity: dict[str, Any], payload: str, expected: tuple[Any, ...]) -> None:
    maps = load_maps()
    announced(maps, {"stat_t": "bat/state", **entity})
    assert "bat/state" in maps.subscriptions
    kind, name, values, resolution = expected
    assert measures(maps, "bat/state", payload) == [Measure(kind, (name,), values, resolution)]
    assert measures(maps, "bat/state", payload, retained=True) == []


@pytest.mark.parametrize(
    "template", ["{{ value_json.mem.free }}", "{{value_json['mem']['free'] | int}}", '{{ value_json.mem["free"] }}']
)
def test_a_path_is_learned_out_of_the_template(template: str) -> None:
    maps = load_maps()
    announced(maps, {"~": "bat", "stat_t": "~/info", "name": "Heap", "unit_of_meas": "B", "val_tpl": template})
    assert measures(maps, "bat/info", '{"mem":{"free":5000}}')[0].values == {"free": 5000}


@pytest.mark.parametrize(
    "entity",
    [
        {"name": "Humidity", "unit_of_meas": "g/m³"},
        {"name": "Temperature", "unit_of_meas": "B"},
        {"name": "Free flash memory", "unit_of_meas": "B"},
        {"name": "Memory used", "unit_of_meas": "%"},
        {"name": "Heap", "unit_of_meas": "MB"},
        {"name": "Heap", "unit_of_meas": "B", "val_tpl": "{{ value_json.x / 1024 }}"},
        {"name": "Heap", "unit_of_meas": "B", "val_tpl": "{{ value_json.x | multiply(8) }}"},
        {"name": "Heap", "unit_of_meas": "B", "stat_t": "a/#"},
    ],
)
def test_what_is_not_certain_is_not_learned(entity: dict[str, Any]) -> None:
    maps = load_maps()
    announced(maps, {"stat_t": "bat/state", **entity})
    assert maps.learned == 0


def test_a_device_may_announce_all_its_values_at_once() -> None:
    maps = load_maps()
    parts = {
        name: {
            "p": "sensor",
            "name": title,
            "unit_of_measurement": unit,
            "value_template": f"{{{{ value_json.{key} }}}}",
        }
        for name, title, unit, key in (
            ("free", "Heap free", "B", "f"),
            ("block", "Largest block", "B", "b"),
            ("temp", "Temperature", "°C", "t"),
        )
    }
    whole = {"device": DEVICE, "state_topic": "bat/all", "components": parts}
    (who,) = maps.apply("homeassistant/device/bat-1/config", json.dumps(whole).encode(), True, 1)
    assert (who.alias, who.mac, who.texts["board"]) == ("bat-1", "aabbcc001122", "LilyGo")
    found = measures(maps, "bat/all", '{"f":5000,"b":4000,"t":21}')
    assert [one.values for one in found] == [{"free": 5000}, {"largest_free": 4000}]


def test_where_a_map_knows_the_topic_it_stays_and_learns_who_the_device_is() -> None:
    maps = load_maps()
    config = {"dev": DEVICE, "name": "Heap Free", "unit_of_meas": "B", "stat_t": "porch/sensor/heap_free/state"}
    reports = maps.apply("homeassistant/sensor/porch/heap_free/config", json.dumps(config).encode(), True, 1)
    assert [(one.family, one.alias, one.mac) for one in reports][-1] == ("esphome", "porch", "aabbcc001122")
    assert maps.learned == 0
    assert len(measures(maps, "porch/sensor/heap_free/state", "5000")) == 1


KEYS = st.sampled_from(["dev", "ids", "cns", "stat_t", "~", "cmps", "name", "unit_of_meas", "val_tpl", "x"])
PLAIN = st.none() | st.booleans() | st.integers() | st.text()


@given(st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner)))
def test_any_announcement_is_taken_or_passed_over(announcement: Any) -> None:
    learner = HomeAssistant()
    for report in learner.learn(announcement, 1, lambda topic: []):
        assert report.alias


RESCALED = "porch/sensor/heap_free/state"


@pytest.mark.parametrize(
    ("unit", "payload", "free", "resolution"),
    [("kB", "183.2", 187597, 1024), ("KiB", "183", 187392, 1024), ("B", "183204", 183204, 1)],
)
def test_a_sensor_that_its_user_rescaled_is_read_in_its_announced_unit(
    unit: str, payload: str, free: int, resolution: int
) -> None:
    maps = load_maps()
    announced(maps, {"name": "Heap Free", "stat_t": RESCALED, "unit_of_meas": unit})
    assert measures(maps, RESCALED, payload) == [Measure("heap", ("internal",), {"free": free}, resolution)]


@pytest.mark.parametrize(("unit", "payload"), [("", "183.2"), ("", "183"), ("MB", "4.03"), ("MB", "4028")])
def test_a_number_that_can_be_no_bytes_is_doubted_and_counted(unit: str, payload: str) -> None:
    maps = load_maps()
    announced(maps, {"name": "Heap Free", "stat_t": RESCALED, "unit_of_meas": unit})
    assert measures(maps, RESCALED, payload) == []
    assert maps.counts["doubted"] == 1
