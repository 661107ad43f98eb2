"""Configuration files: defaults, file, environment, and every fault at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent.config import AgentConfig
from collector.config import CollectorConfig
from telemetry.errors import ConfigError
from telemetry.settings import convert, load


def faults(document: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        convert(CollectorConfig, document, "collector.toml")
    return list(caught.value.faults)


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "collector.toml"
    file.touch()
    assert load(CollectorConfig, file, {}) == CollectorConfig()
    assert load(CollectorConfig, None, {}) == CollectorConfig()


def test_a_file_may_begin_with_a_mark(tmp_path: Path) -> None:
    file = tmp_path / "collector.toml"
    file.write_bytes(b'\xef\xbb\xbffleet = "lab"\n')
    assert load(CollectorConfig, file, {}).fleet == "lab"


def test_defaults_file_environment_and_caller_count_in_that_order(tmp_path: Path) -> None:
    file = tmp_path / "collector.toml"
    file.write_text('fleet = "file"\nname = "file"\ndata_dir = "file"\n')
    environment = {"MEMFLEET_NAME": "environment", "MEMFLEET_DATA_DIR": "environment"}
    config = load(CollectorConfig, file, environment, data_dir="caller", shards=None)
    assert (config.fleet, config.name, config.data_dir, config.shards) == ("file", "environment", "caller", None)


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("MEMFLEET_PAGE__PORT", "9", 9),
        ("MEMFLEET_PAGE__HOST", "10", "10"),
        ("MEMFLEET_FLEET", "2026", "2026"),
        ("MEMFLEET_FLEET", "2026-11-20", "2026-11-20"),
        ("MEMFLEET_FLEET", "true", "true"),
        ("MEMFLEET_SHARDS", '["00", "7f"]', ("00", "7f")),
        ("MEMFLEET_NOTIFY__MODE", "shadow", "shadow"),
        ("MEMFLEET_BROKER__PROTOCOL", "5", "5"),
    ],
)
def test_the_environment_sets_a_value_of_the_settings_own_type(key: str, text: str, value: object) -> None:
    config: Any = load(CollectorConfig, None, {key: text})
    for part in key.removeprefix("MEMFLEET_").lower().split("__"):
        config = getattr(config, part)
    assert config == value


def test_variables_of_others_are_left_alone() -> None:
    environment = {"MEMFLEET_CACHE": "1", "PATH": "/bin", "MEMFLEET_PORTS": "2"}
    assert load(CollectorConfig, None, environment) == CollectorConfig()


@pytest.mark.parametrize("key", ["MEMFLEET_BROKER__URL", "MEMFLEET_STORES__URL"])
def test_a_table_in_the_environment_that_is_none_in_the_file_is_a_fault(tmp_path: Path, key: str) -> None:
    file = tmp_path / "collector.toml"
    file.write_text("broker = 5\nstores = []\n")
    with pytest.raises(ConfigError, match=f"{key}: .* is not a table"):
        load(CollectorConfig, file, {key: "mqtt://h:1"})


def test_an_unknown_setting_in_a_known_table_of_the_environment_is_a_fault() -> None:
    with pytest.raises(ConfigError, match=r"broker\.ur: unknown setting \(did you mean url\?\)"):
        load(CollectorConfig, None, {"MEMFLEET_BROKER__UR": "mqtt://h"})


def test_all_faults_are_named_at_once_with_their_place() -> None:
    named = faults(
        {
            "fleet": "has space",
            "portt": 1,
            "page": {"port": 70_000, "host": 5},
            "broker": "mqtt://h",
            "stores": [{"name": "a", "kind": "influxdb", "url": "http://u"}, {"name": "b", "kind": "influx"}],
            "shards": ["00", "zz"],
        }
    )
    places = [fault.split(":")[0] for fault in named]
    assert sorted(places) == sorted(
        ["fleet", "portt", "page.port", "page.host", "broker", "stores[1].kind", "stores[1].url", "shards"]
    )


def test_a_fault_in_an_agents_port_names_which_port() -> None:
    document = {"ports": [{"port": "/dev/ttyUSB0", "device": "a"}, {"port": "/dev/ttyUSB1", "device": "b", "baud": 0}]}
    with pytest.raises(ConfigError, match=r"agent.toml: ports\[1\]\.baud: expected `int` >= 1"):
        convert(AgentConfig, document, "agent.toml")


@pytest.mark.parametrize("content", [b"a = ", b"\xff\xfe", b"a = 1\na = 2"])
def test_a_file_that_is_not_toml_says_so(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "collector.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"collector\.toml: is not TOML"):
        load(CollectorConfig, file, {})


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load(CollectorConfig, tmp_path / "none.toml", {})


def test_faults_come_in_the_order_of_their_places_and_name_the_item_of_a_list() -> None:
    wrong = {2, 10}
    ports = [{"port": f"tty{number}", "device": "a b" if number in wrong else f"d{number}"} for number in range(11)]
    with pytest.raises(ConfigError) as caught:
        convert(AgentConfig, {"ports": ports}, "agent.toml")
    assert [fault.split(":")[0] for fault in caught.value.faults] == ["ports[2].device", "ports[10].device"]
    (fault,) = faults({"notify": {"routes": [{"labels": ["site=ulm", "ring"]}]}})
    assert fault.startswith("notify.routes[0].labels[1]:")


def test_a_word_that_is_near_one_of_the_choices_is_told_as_that() -> None:
    assert faults({"notify": {"mode": "shadw"}})[0].endswith("(did you mean shadow?)")


@pytest.mark.parametrize(
    ("broker", "said"),
    [
        ({"url": "mqtts://lab", "key_file": "k"}, "broker: key_file goes with a cert_file"),
        ({"ca_file": "ca.crt"}, "broker: ca_file and cert_file are of TLS, and the url is not: write mqtts://"),
    ],
)
def test_settings_of_the_broker_that_would_be_passed_over_are_faults(broker: dict[str, str], said: str) -> None:
    assert faults({"broker": broker}) == [said]


def test_an_option_leaves_the_rest_of_its_table_as_it_is() -> None:
    environment = {"MEMFLEET_BROKER__USERNAME": "gw-1"}
    config = load(AgentConfig, None, environment, broker={"url": "mqtt://lab:1883"}, name=None)
    assert (config.broker.url, config.broker.username, config.name) == ("mqtt://lab:1883", "gw-1", "agent")


def test_a_name_that_is_none_says_what_a_name_is() -> None:
    assert faults({"fleet": "a/b"}) == [
        "fleet: 'a/b' is not a name: letters, digits, `_`, `.` and `-`, at most 64, the first a letter or digit"
    ]
