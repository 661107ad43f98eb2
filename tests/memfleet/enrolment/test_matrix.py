"""Identities x topics x actions on a real mosquitto with the shipped configuration: what is not ours is closed.

Judged by what arrives, not by what the broker answers: an observer hears everything that gets through, and what a
client was sent is compared with what it may hear, to the last topic.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from telemetry.topics import CHANNELS, ROOT, Topic, shard_of
from tests.memfleet.enrolment.house import Client, House, broker, reload
from tests.memfleet.running import run
from tests.servers import Server
from tests.waiting import wait_until

FLEET = "plant"
MEMBERS = {"gw-1": FLEET, "gw-2": FLEET, "far-1": "other"}
IDENTITIES = (*MEMBERS, "collector-1")

TOPICS = [
    *(str(Topic.of(fleet, agent, channel)) for agent, fleet in MEMBERS.items() for channel in CHANNELS),
    *(f"{ROOT}/{FLEET}/{shard_of('gw-2')}/gw-1/{channel}" for channel in CHANNELS),  # another's shard
    *(str(Topic.of("other", "gw-1", channel)) for channel in CHANNELS),  # another fleet
    f"{ROOT}/{FLEET}/{shard_of('gw-1')}/gw-1/frame/more",
    "elsewhere",
]
WILDCARDS = ["#", "+/#", f"{ROOT}/#", f"{ROOT}/{FLEET}/+/+/ack", f"{ROOT}/+/+/gw-2/+", "$SYS/#"]


def may_publish(identity: str) -> set[str]:
    """Topics of `TOPICS` that an identity may write."""
    if identity in MEMBERS:
        return {str(Topic.of(MEMBERS[identity], identity, channel)) for channel in ("frame", "status")}
    return {topic for topic in TOPICS if _is_in_fleet(topic, ("ack", "command"))}


def may_hear(identity: str) -> set[str]:
    """Topics of `TOPICS` that an identity may read."""
    if identity in MEMBERS:
        return {str(Topic.of(MEMBERS[identity], identity, channel)) for channel in ("ack", "command")}
    return {topic for topic in TOPICS if _is_in_fleet(topic, ("frame", "status"))}


def _is_in_fleet(topic: str, channels: tuple[str, ...]) -> bool:
    return topic.startswith(f"{ROOT}/{FLEET}/") and topic.endswith(channels)


@pytest.fixture(scope="module", params=[False, True], ids=["passwords", "certificates"])
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> House:
    house = House(tmp_path_factory.mktemp("house"), request.param)
    house.acl.write_text("user observer\ntopic readwrite #\ntopic read $SYS/#\n")
    done = run("enroll", "localhost", "--role", "broker", "--authority", house.authority, "--out", house.folder)
    assert done.returncode == 0, done.stderr
    for agent, fleet in MEMBERS.items():
        house.enroll(agent, fleet)
    house.enroll("collector-1", FLEET, "collector")
    return _with_observer(house)


def _with_observer(house: House) -> House:
    """Somebody who may do everything: its rights stand in the list already, so it gets its login by hand."""
    other = House(house.folder, house.certificates)
    spare = house.folder / "spare-acl"
    login = other.files()[2:]
    done = run("enroll", "observer", "--acl", spare, "--out", house.folder, *login)
    assert done.returncode == 0, done.stderr
    return house


@pytest.fixture(scope="module")
def server(house: House) -> Iterator[Server]:
    with broker(house) as running:
        yield running


@pytest.fixture
def observer(house: House, server: Server) -> Iterator[Client]:
    client = Client(house, server.port, "observer")
    client.subscribe("#")
    yield client
    client.close()


@pytest.mark.parametrize("identity", IDENTITIES)
@pytest.mark.parametrize("retain", [False, True], ids=["plain", "retained"])
def test_publishing(house: House, server: Server, observer: Client, identity: str, retain: bool) -> None:
    client = Client(house, server.port, identity)
    assert client.reason == "Success"
    for topic in TOPICS:
        client.publish(topic, f"{identity} {topic}".encode(), retain=retain)
    client.close()
    observer.publish("marker", b"end")
    wait_until(lambda: ("marker", b"end") in observer.heard, "the observer hears to the end")
    got = {topic for topic, payload in observer.heard if payload == f"{identity} {topic}".encode()}
    for topic in may_publish(identity):
        observer.publish(topic, b"", retain=True)  # leaves nothing behind
    assert got == may_publish(identity)


@pytest.mark.parametrize("identity", IDENTITIES)
@pytest.mark.parametrize("shape", ["exact", "wildcard", "shared"])
def test_subscribing(house: House, server: Server, observer: Client, identity: str, shape: str) -> None:
    filters = {
        "exact": TOPICS,
        "wildcard": WILDCARDS,
        "shared": [f"$share/spies/{topic}" for topic in (*TOPICS, f"{ROOT}/#")],
    }[shape]
    client = Client(house, server.port, identity)
    client.subscribe(*filters)
    for topic in TOPICS:
        observer.publish(topic, b"for whoever may hear it")
    end = sorted(may_hear(identity))[0]
    observer.publish(end, b"end")
    wait_until(lambda: (end, b"end") in client.heard, f"{identity} hears to the end")
    client.close()
    assert {topic for topic, _ in client.heard} == may_hear(identity)


@pytest.mark.parametrize("identity", IDENTITIES)
def test_wills(house: House, server: Server, observer: Client, identity: str) -> None:
    for topic in TOPICS:
        client = Client(house, server.port, identity, will=topic)
        if client.reason == "Success":
            client.vanish()
    wanted = may_publish(identity)

    def got() -> set[str]:
        return {topic for topic, payload in observer.heard if payload == f"{identity} by will".encode()}

    wait_until(lambda: got() >= wanted, "allowed wills arrive")
    with_later = Client(house, server.port, identity)  # everything before it has been dealt with
    with_later.publish(sorted(wanted)[0], b"later")
    wait_until(lambda: any(payload == b"later" for _, payload in observer.heard), "the observer hears to the end")
    with_later.close()
    assert got() == wanted


def test_strangers_do_not_get_in(house: House, server: Server) -> None:
    for name, password in (("", ""), ("gw-1", "a guess"), ("nobody", "a guess")):
        if house.certificates and name:
            continue  # a certificate cannot be guessed; without one is the case of no name
        client = Client(house, server.port, name, password=password)
        assert client.reason != "Success"


def test_a_name_is_not_a_session(house: House, server: Server) -> None:
    """Whoever calls itself as another client does not push that one out: a session belongs to its login."""
    victim = Client(house, server.port, "gw-1")
    victim.subscribe(str(Topic.of(FLEET, "gw-1", "ack")))
    thief = Client(house, server.port, "gw-2", session=victim.session)
    collector = Client(house, server.port, "collector-1")
    collector.publish(str(Topic.of(FLEET, "gw-1", "ack")), b"still here")
    wait_until(lambda: victim.heard, "the victim is connected still")
    assert not victim.gone
    for client in (victim, thief, collector):
        client.close()


def test_who_is_revoked_is_out(house: House, server: Server) -> None:
    house.enroll("gw-3", FLEET)
    reload(server)
    own = str(Topic.of(FLEET, "gw-3", "frame"))
    collector = Client(house, server.port, "collector-1")
    collector.subscribe(f"{ROOT}/{FLEET}/+/+/frame")
    agent = Client(house, server.port, "gw-3")
    agent.publish(own, b"before")
    wait_until(lambda: (own, b"before") in collector.heard, "a frame of an enrolled agent arrives")
    done = run("revoke", "gw-3", *house.files())
    assert done.returncode == 0, done.stderr
    reload(server)
    if not house.certificates:
        wait_until(lambda: agent.gone, "the connection of the revoked ends")
    agent.close()
    again = Client(house, server.port, "gw-3")
    if again.reason == "Success":  # its certificate still opens a connection until the broker restarts: to nothing
        again.publish(own, b"after")
    other = Client(house, server.port, "gw-1")
    other.publish(str(Topic.of(FLEET, "gw-1", "frame")), b"end")
    wait_until(lambda: any(payload == b"end" for _, payload in collector.heard), "others go on")
    assert (own, b"after") not in collector.heard
    for client in (again, other, collector):
        client.close()
    if house.certificates:
        server.stop()
        server.start()
        assert Client(house, server.port, "gw-3").reason != "Success"
    else:
        assert again.reason == "Not authorized"


def test_enrolling_twice_is_refused_and_changes_nothing(house: House) -> None:

    def texts() -> dict[Path, bytes]:
        return {
            p: p.read_bytes() for p in house.folder.rglob("*") if p.is_file() and p.name not in ("log", "spare-acl")
        }

    before = texts()
    done = run("enroll", "gw-1", "--fleet", FLEET, "--out", house.folder / "new", *house.files())
    assert done.returncode == 2
    assert "is in" in done.stderr
    again = run("enroll", "gw-1", "--fleet", FLEET, "--out", house.folder, *house.files()[2:])
    assert again.returncode == 2
    assert texts() == before


def test_secrets_are_their_owners_alone_and_are_not_printed(house: House, tmp_path: Path) -> None:
    login = ["--authority", tmp_path / "ca"] if house.certificates else []
    done = run("enroll", "gw-9", "--fleet", FLEET, "--out", tmp_path, *login)
    assert done.returncode == 0, done.stderr
    secret = tmp_path / ("gw-9.key" if house.certificates else "gw-9.password")
    assert secret.stat().st_mode & 0o077 == 0
    for line in secret.read_text().splitlines():
        if line and not line.startswith("-----"):
            assert line not in done.stdout + done.stderr
