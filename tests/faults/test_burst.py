"""A burst onto a store that takes nothing yet: it waits on disk, memory stays small, no connection is lost, and intake
needs a tenth of a core at the stated rate."""

from __future__ import annotations

import time
from pathlib import Path

from telemetry.mqtt import Link, Message, Session
from telemetry.settings import Broker
from telemetry.topics import Topic
from telemetry.wire import Header, Rows, encode_body, seal
from tests.faults.child import Child
from tests.faults.front import front
from tests.faults.ledgers import counters, identity_violations
from tests.faults.test_outage import INGEST_ROWS_S, cpu_s, resident_kib
from tests.servers import Mosquitto, influxd, mosquitto
from tests.waiting import wait_until

FRAMES, ROWS = 1_000, 50
TOTAL = FRAMES * ROWS
TIMES = 10
MOST_KIB = 256 * 1024
T0 = int(time.time() * 1000) - 3_600_000


def frame(number: int) -> bytes:
    """Fifty readings of an agent that has been away and has much to tell."""
    rows = [[n, n, 50_000, number * ROWS + n] for n in range(ROWS)]
    block = Rows("d1", 1, "heap", ("internal",), 0, 1, T0 + number * ROWS, number * ROWS, ("free", "used"), rows)
    return seal(Header(7, number + 1, 1, 0), encode_body([block]))


class Sender:
    """Publishes everything at once; the broker keeps it for a collector that is away."""

    def __init__(self, broker: str) -> None:
        self._left = FRAMES
        self.link = Link(Broker(url=broker), Session("sender"), self, time.monotonic)

    def connected(self) -> None:
        for number in range(FRAMES):
            self.link.publish(str(Topic.of("plant", "rig", "frame")), frame(number), 1)

    def received(self, message: Message) -> None:
        raise AssertionError(message)

    def published(self, number: int, failure: str) -> None:
        assert not failure, number
        self._left -= 1

    def done(self) -> bool:
        """Whether the broker has all of it; drives the connection."""
        self.link.step(0.01)
        return self._left == 0


def test_a_burst_onto_a_slow_store_waits_on_disk(tmp_path: Path) -> None:
    data = tmp_path / "collector"
    with (
        mosquitto(tmp_path, configuration="log_type all\n") as broker,
        influxd(tmp_path) as influx,
        front(influx.port) as slow,
    ):
        slow.mood = "later"
        config = tmp_path / "collector.toml"
        config.write_text(
            f'fleet = "plant"\ndata_dir = "{data}"\n[broker]\nurl = "{broker.url}"\n'
            f'[[stores]]\nname = "influx"\nkind = "influxdb"\nurl = "http://127.0.0.1:{slow.port}"\n'
        )
        words = [str(config), str(tmp_path / "clock")]
        intake = Child(tmp_path / "intake.log", "tests.faults.part", ["intake", *words])
        store = Child(tmp_path / "store.log", "tests.faults.part", ["store:influx", *words])
        sender = Sender(broker.url)
        try:
            intake.start()
            wait_until(
                lambda: "Sending SUBACK to plant-collector" in broker.log.read_text(), "intake listens", intake.log
            )
            intake.stop()
            wait_until(sender.done, "the broker has it")
            store.start()
            wait_until((data / "store-influx.db").exists, "the store's process is there", store.log)
            intake.start()
            rate = _intake_rate(intake, data / "readings.journal")
            assert _count(data / "store-influx.db", "stored_rows") == 0
            slow.mood = "slow"
            wait_until(lambda: _count(data / "store-influx.db", "stored_rows") == TOTAL, "all is stored", store.log)
            grown = [resident_kib(part.pid) for part in (intake, store)]
            assert max(grown) <= MOST_KIB, grown
            assert rate >= TIMES * INGEST_ROWS_S, f"{rate:.0f} rows a CPU second"
            assert _heard_of(broker) == 2, "each of its two connections stood to its end"
            assert identity_violations(data) == []
        finally:
            sender.link.close()
            intake.kill()
            store.kill()


def _intake_rate(intake: Child, journal: Path) -> float:
    """Rows a CPU second, the start of the process included."""
    wait_until(lambda: _count(journal, "accepted_rows") == TOTAL, "all is taken in", intake.log)
    return TOTAL / cpu_s(intake.pid)


def _count(file: Path, name: str) -> int:
    return counters(file).get(name, 0)


def _heard_of(broker: Mosquitto) -> int:
    """How often the collector has connected."""
    return broker.log.read_text().count("as plant-collector")
