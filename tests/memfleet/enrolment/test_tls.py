"""TLS with certificates on both ends: agent and collector over a real broker, and everybody who must not get in."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from agent.config import AgentConfig, Outbox
from agent.process import Agent
from collector.config import CollectorConfig
from collector.intake.process import Intake
from memfleet.enrolment.certificates import Authority
from telemetry.clock import wall_ms
from telemetry.errors import EnvironmentFault
from telemetry.mqtt import Link, Message, Session
from telemetry.readings import Reading
from telemetry.settings import Broker
from tests.memfleet.enrolment.house import House, broker
from tests.memfleet.running import run
from tests.servers import Server
from tests.waiting import step_until, wait_until


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    made = House(tmp_path_factory.mktemp("house"), certificates=True)
    done = run("enroll", "localhost", "--role", "broker", "--authority", made.authority, "--out", made.folder)
    assert done.returncode == 0, done.stderr
    made.enroll("gw-1", "plant")
    made.enroll("collector-1", "plant", "collector")
    return made


@pytest.fixture(scope="module")
def server(house: House) -> Iterator[Server]:
    with broker(house) as running:
        yield running


def link_to(house: House, server: Server, name: str, port: int = 0) -> Broker:
    return Broker(
        url=f"mqtts://localhost:{port or server.port}",
        ca_file=str(house.authority / "ca.crt"),
        cert_file=str(house.folder / f"{name}.crt"),
        key_file=str(house.folder / f"{name}.key"),
    )


def test_readings_go_from_agent_to_collector_by_certificates_alone(
    house: House, server: Server, tmp_path: Path
) -> None:
    intake = Intake(
        CollectorConfig(fleet="plant", name="collector-1", broker=link_to(house, server, "collector-1")), tmp_path
    )
    config = AgentConfig(fleet="plant", name="gw-1", broker=link_to(house, server, "gw-1"), outbox=Outbox(commit_ms=10))
    agent = Agent(config, tmp_path / "agent")
    agent.take([Reading("d1", "heap", ("h",), wall_ms(), {"free": 7})])
    agent.commit()

    def step() -> None:
        intake.step()
        agent.publisher.step(0.01)

    step_until(step, lambda: agent.publisher.idle, "the collector has the reading")
    assert intake.journal.counters()["accepted_rows"] >= 1
    agent.close()
    intake.close()


class Nobody:
    """A handler that only looks on."""

    def connected(self) -> None: ...
    def received(self, message: Message) -> None: ...
    def published(self, number: int, failure: str) -> None: ...


def trouble_of(settings: Broker) -> str:
    """What keeps a link from coming up."""
    link = Link(settings, Session("gw-1"), Nobody(), time.monotonic)

    def told() -> str:
        link.step(0.05)
        assert not link.up
        return link.trouble

    wait_until(told, "the link says what is wrong")
    said = link.trouble
    link.close()
    return said


def test_a_broker_of_another_authority_is_not_believed(house: House, server: Server, tmp_path: Path) -> None:
    Authority(tmp_path).ensure("elsewhere")
    settings = msgspec.structs.replace(link_to(house, server, "gw-1"), ca_file=str(tmp_path / "ca.crt"))
    assert trouble_of(settings).endswith(f"; is {settings.ca_file} the authority that signed it?")
    assert "name who signed it as ca_file" in trouble_of(msgspec.structs.replace(settings, ca_file=""))


def test_a_broker_under_another_name_is_not_believed(house: House, server: Server) -> None:
    settings = msgspec.structs.replace(link_to(house, server, "gw-1"), url=f"mqtts://127.0.0.1:{server.port}")
    assert "IP address mismatch" in trouble_of(settings)


def test_without_a_certificate_nobody_gets_in(house: House, server: Server) -> None:
    settings = msgspec.structs.replace(link_to(house, server, "gw-1"), cert_file="", key_file="")
    assert "give it cert_file and key_file" in trouble_of(settings)


def test_an_expired_certificate_opens_nothing(house: House, server: Server, tmp_path: Path) -> None:
    for name in ("old.key", "old.csr", "old.crt"):
        (tmp_path / name).unlink(missing_ok=True)
    words = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=gw-1"]
    subprocess.run(["openssl", "req", "-new", *words, "-keyout", tmp_path / "old.key", "-out", tmp_path / "old.csr"],
                   check=True, capture_output=True)  # fmt: skip
    subprocess.run(
        ["openssl", "ca", "-batch", "-notext", "-config", house.authority / "ca.cnf", "-extensions", "agent",
         "-startdate", "20200101000000Z", "-enddate", "20200201000000Z", "-in", tmp_path / "old.csr",
         "-out", tmp_path / "old.crt"],
        check=True, capture_output=True, env={"MEMFLEET_NAMES": "DNS:none", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    settings = msgspec.structs.replace(
        link_to(house, server, "gw-1"), cert_file=str(tmp_path / "old.crt"), key_file=str(tmp_path / "old.key")
    )
    assert "does it trust the certificate in" in trouble_of(settings)


def test_the_file_that_is_wrong_is_named(house: House, server: Server, tmp_path: Path) -> None:
    good = link_to(house, server, "gw-1")
    text = tmp_path / "text"
    text.write_text("no certificate")
    for setting, path, said in [
        ("ca_file", tmp_path / "none", "broker.ca_file .*none: No such file"),
        ("ca_file", text, "broker.ca_file .*text: holds no PEM certificate"),
        ("cert_file", text, "broker.cert_file .*text: is no PEM certificate"),
        ("key_file", text, "broker.cert_file .*text holds no key without a passphrase"),
    ]:
        with pytest.raises(EnvironmentFault, match=said):
            trouble_of(msgspec.structs.replace(good, **{setting: str(path)}))


def test_check_config_looks_into_certificates(house: House, tmp_path: Path) -> None:
    file, other = tmp_path / "agent.toml", house.folder / "collector-1.key"
    file.write_text(
        f'[broker]\nurl = "mqtts://lab"\nca_file = "{house.authority / "ca.crt"}"\n'
        f'cert_file = "{house.folder / "gw-1.crt"}"\nkey_file = "{other}"\n'
    )
    done = run("check-config", file, "--role", "agent")
    assert done.returncode == 2
    assert f"broker.key_file {other}: is not the key of the certificate in" in done.stderr


def test_a_file_that_is_being_renewed_ends_nobody_who_was_in(house: House, server: Server, tmp_path: Path) -> None:
    authority = tmp_path / "ca.crt"
    settings = msgspec.structs.replace(link_to(house, server, "gw-1"), ca_file=str(authority))
    good = Path(link_to(house, server, "gw-1").ca_file).read_bytes()
    authority.write_bytes(good)
    link = Link(settings, Session("gw-1"), Nobody(), time.monotonic)
    step_until(lambda: link.step(0.05), lambda: link.up, "it is let in")
    authority.unlink()
    link.drop("the network fails")
    step_until(lambda: link.step(0.05), lambda: "No such file" in link.trouble, "it says which file is missing")
    authority.write_bytes(good)
    step_until(lambda: link.step(0.05), lambda: link.up, "it is let in again")
    link.close()


def test_a_plain_connection_to_the_tls_port_comes_to_nothing(house: House, server: Server) -> None:
    assert "port for TLS" in trouble_of(Broker(url=f"mqtt://127.0.0.1:{server.port}"))
