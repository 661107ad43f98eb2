"""An emulated fleet in real time obeys what the collector wishes: a real broker between the two."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Literal

import pytest

from agent.config import AgentConfig, Outbox
from emulators.config import Group
from emulators.fleet import Fleet
from memfleet.emulated import publish
from telemetry.clock import wall_ms
from telemetry.messages import Ack, Command, encode
from telemetry.mqtt import Link, Message, Session
from telemetry.settings import Broker
from telemetry.topics import Topic
from telemetry.wire import Rows, decode_body, unseal
from tests.servers import free_port, mosquitto
from tests.waiting import wait_until

FLEET, AGENT = "plant", "emulator"
HOUR_MS = 3_600_000


class Collector:
    """What the test plays: acknowledges frames, and knows when each thing was read."""

    def __init__(self, url: str) -> None:
        self.times: dict[tuple[str, str], set[int]] = defaultdict(set)
        self.boots: set[int] = set()
        session = Session("collector", (str(Topic.of(FLEET, AGENT, "frame")),))
        self.link = Link(Broker(url=url), session, self, time.monotonic)

    def connected(self) -> None:
        pass

    def published(self, number: int, failure: str) -> None:
        pass

    def received(self, message: Message) -> None:
        self.link.acknowledge(message)
        header, body = unseal(message.payload)
        for block in decode_body(body):
            if isinstance(block, Rows):
                self.boots |= {block.boot} if block.kind == "heap" else set()
                self.times[block.device, block.kind] |= {one.time_ms for one in block.readings()}
        ack = Ack(header.epoch, header.seq)
        self.link.publish(str(Topic.of(FLEET, AGENT, "ack")), encode(ack))

    def wish(self, command: Command) -> None:
        self.link.publish(str(Topic.of(FLEET, AGENT, "command")), encode(command), 1, retain=True)

    def count(self, device: str, kind: str) -> int:
        self.link.step(0.05)
        return len(self.times[device, kind])


def test_a_suspected_device_reports_more_often_and_tells_its_log(tmp_path: Path) -> None:
    names, workload = ("suspect", "calm"), "tutorial-leak"
    board = "zephyr-nrf52840"
    fleet = Fleet([Group(name=name, board=board, workload=workload, report_ms=HOUR_MS) for name in names], seed=3)
    stop = threading.Event()
    with mosquitto(tmp_path) as broker:
        settings = AgentConfig(
            fleet=FLEET, name=AGENT, broker=Broker(url=broker.url), outbox=Outbox(commit_ms=50),
            data_dir=str(tmp_path / "outbox"),
        )  # fmt: skip
        emulator = threading.Thread(target=publish, args=(fleet, settings, stop))
        collector = Collector(broker.url)
        emulator.start()
        try:
            wait_until(lambda: collector.count("emulator", "agent"), "the agent reports of itself")
            collector.wish(Command(wall_ms() + 600_000, 1.0, ["suspect-001"]))
            wait_until(lambda: collector.count("suspect-001", "heap") >= 2, "it is read each second")
            wait_until(lambda: collector.count("suspect-001", "log"), "its console is told")
        finally:
            stop.set()
            emulator.join()
            collector.link.close()
    assert collector.count("calm-001", "heap") <= 1
    assert collector.count("calm-001", "log") == 0


def test_devices_that_are_switched_on_again_are_in_their_next_boot(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker:
        settings = AgentConfig(
            fleet=FLEET, name=AGENT, broker=Broker(url=broker.url), outbox=Outbox(commit_ms=50),
            data_dir=str(tmp_path / "outbox"),
        )  # fmt: skip
        collector = Collector(broker.url)
        group = Group(name="plug", board="zephyr-nrf52840", workload="slow-leak", report_ms=500)
        for boots in ({1}, {1, 2}):
            stop = threading.Event()
            emulator = threading.Thread(target=publish, args=(Fleet([group], seed=3), settings, stop))
            emulator.start()
            try:
                wait_until(
                    lambda: collector.count("plug-001", "heap") and collector.boots == boots,  # noqa: B023
                    f"readings of the boots {boots}",
                )
            finally:
                stop.set()
                emulator.join()
        collector.link.close()


@pytest.mark.parametrize("publish_as", ["memfleet", "shelly"])
def test_a_broker_that_is_not_there_is_said(
    publish_as: Literal["memfleet", "shelly"], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    group = Group(name="plug", board="esp32c3", workload="slow-leak", publish_as=publish_as)
    settings = AgentConfig(broker=Broker(url=f"mqtt://127.0.0.1:{free_port()}"), data_dir=str(tmp_path))
    stop = threading.Event()
    running = threading.Thread(target=publish, args=(Fleet([group], seed=1), settings, stop))
    running.start()
    try:
        wait_until(lambda: "connection refused; is it running?" in caplog.text, "it says what is wrong")
    finally:
        stop.set()
        running.join()
