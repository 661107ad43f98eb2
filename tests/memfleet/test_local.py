"""A collector on this machine when another program takes the broker's port first."""

from __future__ import annotations

import itertools
import os
import socket
import threading
from pathlib import Path

import pytest

from memfleet import broker
from memfleet.local import LocalCollector
from tests.memfleet.test_watch import path_without
from tests.servers import free_port


@pytest.mark.parametrize("program", ["mosquitto", "amqtt"])
def test_a_broker_whose_port_was_taken_gets_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    path = f"{os.environ['PATH']}:/usr/sbin" if program == "mosquitto" else path_without("mosquitto", tmp_path)
    monkeypatch.setenv("PATH", path)
    page = free_port()
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        ports = itertools.chain([taken], iter(free_port, 0))
        monkeypatch.setattr(broker, "free_port", lambda: next(ports))
        collector = LocalCollector(tmp_path / "kept", "desk", page)
        assert (collector.broker.program, collector.broker.port) == (program, taken)
        try:
            collector.start(lambda _: {}, threading.Event())
            assert collector.broker.port != taken
            assert collector.broker.settings.url in collector.config_file.read_text()
            with socket.create_connection(("127.0.0.1", collector.broker.port), timeout=60):
                pass
        finally:
            collector.close()
