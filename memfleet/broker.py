"""A broker for the desk and the demo: mosquitto when it is installed, else amqtt, on loopback only."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from telemetry.settings import Broker

_MOSQUITTO = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence false
max_inflight_messages 1000
max_queued_messages 100000
max_packet_size 65536
set_tcp_nodelay true
log_type error
log_type warning
"""

_AMQTT = """\
listeners:
  default:
    type: tcp
    bind: 127.0.0.1:{port}
plugins:
  amqtt.plugins.authentication.AnonymousAuthPlugin:
    allow_anonymous: true
"""


@dataclass(frozen=True, slots=True)
class DemoBroker:
    """How to start it, and how to reach it. `program` is mosquitto or amqtt."""

    program: str
    command: list[str]
    settings: Broker
    port: int


def demo_broker(directory: Path, environment: Mapping[str, str] = os.environ) -> DemoBroker:
    """Choose and configure a broker on a free port. amqtt speaks MQTT 3.1.1 only and forgets what it has not delivered:
    the outbox, which waits for the collector's own ack, covers that.
    """
    port = free_port()
    url = f"mqtt://127.0.0.1:{port}"
    mosquitto = shutil.which("mosquitto", path=environment.get("PATH", ""))
    if mosquitto:
        path = directory / "mosquitto.conf"
        path.write_text(_MOSQUITTO.format(port=port))
        return DemoBroker("mosquitto", [mosquitto, "-c", str(path)], Broker(url=url), port)
    path = directory / "amqtt.yaml"
    path.write_text(_AMQTT.format(port=port))
    amqtt = str(Path(sys.executable).with_name("amqtt"))
    return DemoBroker("amqtt", [amqtt, "-c", str(path)], Broker(url=url, protocol="3.1.1"), port)


def lacks_port(said: str) -> bool:
    """Whether a broker said that somebody else has its port: mosquitto ends with that, amqtt goes on without."""
    return "address already in use" in said.lower()


def free_port() -> int:
    """A port of loopback that nobody has just now; who wants it may yet find it taken."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
