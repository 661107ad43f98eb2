"""What is shipped for a deployment: the real broker takes its configuration, and nothing has a default password."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import msgspec
import paho.mqtt.client as mqtt
import pytest
import yaml

from collector.config import CollectorConfig
from memfleet.enrolment.rights import agent_rights, with_user
from memfleet.grafana.provision import FOLDER, SOURCE, Source
from memfleet.part import shard_range
from telemetry.settings import load
from telemetry.topics import Topic
from telemetry.wire import MAX_FRAME
from tests import compose_spec
from tests.servers import Server, _require, _running
from tests.waiting import LIMIT_S, wait_until

DEPLOY = Path(__file__).parent.parent / "deploy"
SHIPPED = DEPLOY / "mosquitto" / "mosquitto.conf"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the certificates that the containers' own script makes, for the name "localhost"."""
    home = tmp_path_factory.mktemp("mosquitto")
    (script,) = compose()["services"]["certificates"]["command"]
    for volume in ("keys", "authority", "trust"):
        (home / volume).mkdir()
        script = script.replace(f"/{volume}", str(home / volume))
    for _ in range(2):  # the second time it finds everything there
        subprocess.run(["sh", "-ec", script.replace("$$", "$")], env=_environment(BROKER_NAME="localhost"), check=True)
    assert (home / "keys" / "server.key").stat().st_mode & 0o777 == 0o600
    return home


@pytest.fixture(scope="module")
def broker(home: Path) -> Iterator[Server]:
    """Mosquitto on the shipped configuration, with its files in a folder of the test."""
    program = _require("mosquitto", "mosquitto")
    passwords, acl = home / "keys" / "passwords", home / "acl"
    passwords.touch(mode=0o600)
    acl.write_text((DEPLOY / "mosquitto" / "acl").read_text())
    for name in ("collector", "gw-1", "gw-2"):
        subprocess.run(["mosquitto_passwd", "-b", passwords, name, f"of {name}"], check=True, env=_environment())
        if name != "collector":  # whose lines are shipped
            acl.write_text(with_user(acl.read_text(), name, agent_rights("fleet", name)))

    def command(port: int) -> list[str]:
        text = SHIPPED.read_text().replace("listener 8883", f"listener {port} 127.0.0.1")
        text = text.replace("/mosquitto/secrets/", f"{home}/keys/")
        text = text.replace("/mosquitto/config/acl", str(acl))
        text = text.replace("/mosquitto/data/", f"{home}/") + "user root\n"
        (home / "mosquitto.conf").write_text(text)
        return [program, "-c", str(home / "mosquitto.conf")]

    yield from _running(Server(home / "log", command, {}))


def _environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin", **more}


class Client:
    """One MQTT client; `reason` is what the broker answered to its login, `heard` what it was sent."""

    def __init__(self, port: int, user: str | None, home: Path) -> None:
        self.reason: str | None = None
        self.heard: list[tuple[str, bytes]] = []
        self._subscribed = 0
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self._client.tls_set(str(home / "trust" / "ca.crt"))
        if user:
            self._client.username_pw_set(user, f"of {user}")
        self._client.on_connect = self._connected
        self._client.on_message = lambda _c, _u, message: self.heard.append((message.topic, message.payload))
        self._client.on_subscribe = self._granted
        self._client.connect("localhost", port)
        self._client.loop_start()
        wait_until(lambda: self.reason is not None, "the broker answers a login")

    def _connected(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self.reason = self.reason or str(reason)

    def _granted(self, *_arguments: Any) -> None:
        self._subscribed += 1

    def subscribe(self, topic: str) -> None:
        self._client.subscribe(topic, 1)
        wait_until(lambda: self._subscribed, "the subscription is answered")

    def publish(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload, 1).wait_for_publish(LIMIT_S)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.mark.parametrize("user", [None, "stranger"])
def test_the_broker_refuses_who_is_not_enrolled(broker: Server, home: Path, user: str | None) -> None:
    client = Client(broker.port, user, home)
    assert client.reason == "Not authorized"
    client.close()


def test_nobody_logs_in_without_tls(broker: Server) -> None:
    with socket.create_connection(("127.0.0.1", broker.port), timeout=LIMIT_S) as plain:
        login = b"\x00\x04MQTT\x05\xc2\x00\x3c\x00\x00\x04gw-1\x00\x04gw-1\x00\x07of gw-1"
        plain.sendall(b"\x10" + bytes([len(login)]) + login)
        with contextlib.suppress(ConnectionResetError):
            assert plain.recv(100)[:1] != b"\x20", "an answer to the login"


def test_an_agent_speaks_for_itself_alone(broker: Server, home: Path) -> None:
    collector, agent = Client(broker.port, "collector", home), Client(broker.port, "gw-1", home)
    collector.subscribe("memfleet/1/+/+/+/frame")
    agent.publish(str(Topic.of("fleet", "gw-2", "frame")), b"forged")
    agent.publish(str(Topic.of("fleet", "gw-1", "ack")), b"forged")
    largest = bytes(MAX_FRAME)
    agent.publish(str(Topic.of("fleet", "gw-1", "frame")), largest)
    wait_until(lambda: collector.heard, "the message arrives")
    assert collector.heard == [(str(Topic.of("fleet", "gw-1", "frame")), largest)]
    collector.close()
    agent.close()


def test_an_agent_hears_what_is_meant_for_it_alone(broker: Server, home: Path) -> None:
    collector, agent = Client(broker.port, "collector", home), Client(broker.port, "gw-1", home)
    agent.subscribe("memfleet/1/#")
    collector.publish(str(Topic.of("fleet", "gw-2", "ack")), b"for another")
    collector.publish(str(Topic.of("fleet", "gw-1", "ack")), b"for gw-1")
    wait_until(lambda: agent.heard, "the message arrives")
    assert agent.heard == [(str(Topic.of("fleet", "gw-1", "ack")), b"for gw-1")]
    collector.close()
    agent.close()


def test_the_open_broker_listens_on_loopback_alone() -> None:
    text = (DEPLOY / "mosquitto" / "loopback.conf").read_text()
    listeners = re.findall(r"^listener (.*)", text, re.M)
    assert "allow_anonymous true" in text
    assert listeners
    assert all(listener.endswith(" 127.0.0.1") for listener in listeners)
    limits = re.compile(r"^(?:max|persistent|set)_\w+ .*", re.M)
    assert limits.findall(text) == limits.findall(SHIPPED.read_text())


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return loaded


def test_the_containers_are_as_the_compose_specification_has_them() -> None:
    assert set(compose_spec.check(compose()).services) >= {"mosquitto", "influxdb", "grafana", "collector"}
    broken = compose()
    broken["services"]["mosquitto"]["port"] = broken["services"]["mosquitto"].pop("ports")
    with pytest.raises(msgspec.ValidationError, match="port"):
        compose_spec.check(broken)


def test_no_secret_of_the_containers_has_a_default() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    asked = set(re.findall(r"\$\{(\w+)", text)) | {secret["environment"] for secret in compose()["secrets"].values()}
    assert not re.search(r"\$\{\w+(?!\w|:\?)", text), "a variable without :?"
    assert set(re.findall(r"^(\w+)=$", (DEPLOY / "example.env").read_text(), re.M)) == asked
    for service in compose()["services"].values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD$|TOKEN$", name):
                assert str(value).startswith("${"), name


def test_containers_mount_what_exists_and_name_volumes_that_are_declared() -> None:
    for name, service in compose()["services"].items():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            assert (DEPLOY / source).exists() if source.startswith(".") else source in compose()["volumes"], name
        for secret in service.get("secrets", []):
            assert secret["source"] in compose()["secrets"]
            assert secret["mode"] == 0o400
        for other in service.get("depends_on", {}):
            assert other in compose()["services"]


def test_only_the_broker_is_reachable_from_other_machines() -> None:
    ports = {name: service["ports"] for name, service in compose()["services"].items() if "ports" in service}
    assert ports.pop("mosquitto") == ["8883:8883"]
    assert all(port.startswith("127.0.0.1:") for published in ports.values() for port in published)


def test_the_shipped_collector_configuration_is_good() -> None:
    config = load(CollectorConfig, DEPLOY / "collector.toml", {})
    secrets = {f"/run/secrets/{secret['source']}" for secret in compose()["services"]["collector"]["secrets"]}
    assert config.stores[0].token_file in secrets
    assert {config.broker.password_file, config.page.read_token_file, config.page.operator_token_file} <= secrets
    assert config.broker.url.startswith("mqtts://")
    assert config.broker.ca_file == "/trust/ca.crt"


MANIFESTS = [
    (file.name, manifest)
    for file in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    for manifest in yaml.safe_load_all(file.read_text())
]


@pytest.mark.parametrize(("file", "manifest"), MANIFESTS, ids=lambda one: one if isinstance(one, str) else one["kind"])
def test_manifests_are_what_kubernetes_understands(file: str, manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, "1.31", strict=True)


def test_collectors_of_a_cluster_share_all_shards_and_none_twice_and_know_each_other(tmp_path: Path) -> None:
    """The very script of the manifest, run for each pod with a stand-in that says what it is called with."""
    (collector,) = [
        one for _, one in MANIFESTS if one["kind"] == "StatefulSet" and one["metadata"]["name"] == "memfleet"
    ]
    container = collector["spec"]["template"]["spec"]["containers"][0]
    count = int(next(one["value"] for one in container["env"] if one["name"] == "COLLECTORS"))
    assert count == collector["spec"]["replicas"]
    stand_in = tmp_path / "memfleet"
    stand_in.write_text('#!/bin/sh\necho "$MEMFLEET_NAME $*"\n')
    stand_in.chmod(0o755)
    (text,) = [one["data"]["collector.toml"] for _, one in MANIFESTS if one["kind"] == "ConfigMap"]
    (tmp_path / "collector.toml").write_text(text)
    (tmp_path / "run").mkdir()
    script = container["args"][0].replace("/tmp/", f"{tmp_path}/run/").replace("/etc/memfleet/", f"{tmp_path}/")
    owned, pages = [], [f"http://memfleet-{number}.memfleet:8080" for number in range(count)]
    for number in range(count):
        environment = {
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "POD": f"memfleet-{number}",
            "COLLECTORS": str(count),
        }
        command = [*container["command"], script]
        said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()
        assert said[:2] == [f"memfleet-{number}", "collect"]
        owned += shard_range(said[-1])
        peers = load(CollectorConfig, Path(said[3]), {}).page.peers
        assert [peer.url for peer in peers] == [page for page in pages if page != pages[number]]
    assert owned == [f"{shard:02x}" for shard in range(256)]


def test_the_clusters_configuration_is_good(tmp_path: Path) -> None:
    (text,) = [one["data"]["collector.toml"] for _, one in MANIFESTS if one["kind"] == "ConfigMap"]
    (tmp_path / "collector.toml").write_text(text)
    assert load(CollectorConfig, tmp_path / "collector.toml", {}).stores[0].kind == "victoriametrics"


def test_files_for_grafana_say_what_apply_writes() -> None:
    folder = DEPLOY / "grafana" / "provisioning"
    (source,) = yaml.safe_load((folder / "datasources" / "memfleet.yaml").read_text())["datasources"]
    store = load(CollectorConfig, DEPLOY / "collector.toml", {}).stores[0]
    written = Source(store.url, store.bucket, store.api, secret="${INFLUXDB_TOKEN}").body()
    assert {**source, "user": ""} == written
    (provider,) = yaml.safe_load((folder / "dashboards" / "memfleet.yaml").read_text())["providers"]
    assert (provider["folderUid"], source["uid"]) == (FOLDER, SOURCE)
