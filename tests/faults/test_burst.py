"""Ten times the stated rate onto a store that is slow: it waits on disk, memory stays small, no connection is lost."""

from __future__ import annotations

import time
from pathlib import Path

from agent.outbox import Outbox
from agent.publisher import Publisher
from collector.stores.report import report
from telemetry.settings import Broker
from telemetry.wire import Rows, encode_body
from tests.faults.child import Child
from tests.faults.front import front
from tests.faults.ledgers import counters, identity_violations
from tests.faults.test_outage import INGEST_ROWS_S, resident_kib
from tests.memfleet.running import tail, wait_until
from tests.servers import influxd, mosquitto

AGENTS, FRAMES, ROWS = 2, 500, 50
TOTAL = AGENTS * FRAMES * ROWS
TIMES = 10
MOST_KIB = 256 * 1024
T0 = int(time.time() * 1000) - 3_600_000


def backlog(agent: str) -> list[tuple[bytes, int]]:
    """Frames of one agent, fifty readings each."""
    frames = []
    for start in range(0, FRAMES * ROWS, ROWS):
        rows = [[n, n, 50_000, start + n] for n in range(ROWS)]
        block = Rows(agent, 1, "heap", ("internal",), 0, 1, T0 + start, start, ("free", "used"), rows)
        frames.append((encode_body([block]), ROWS))
    return frames


def publisher_of(folder: Path, broker: str, agent: str) -> Publisher:
    """An agent that has been away and has much to tell."""
    outbox = Outbox(folder / agent, 10**9)
    outbox.add(backlog(agent))
    return Publisher(outbox, Broker(url=broker), ("plant", agent))


def test_a_burst_onto_a_slow_store_waits_on_disk(tmp_path: Path) -> None:
    data = tmp_path / "collector"
    with mosquitto(tmp_path) as broker, influxd(tmp_path) as influx, front(influx.port) as slow:
        slow.mood = "slow"
        config = tmp_path / "collector.toml"
        config.write_text(
            f'fleet = "plant"\ndata_dir = "{data}"\n[broker]\nurl = "{broker.url}"\n'
            f'[[stores]]\nname = "influx"\nkind = "influxdb"\nurl = "http://127.0.0.1:{slow.port}"\n'
        )
        parts = {
            name: Child(tmp_path / f"{name[:5]}.log", "tests.faults.part", [name, str(config), str(tmp_path / "clock")])
            for name in ("intake", "store:influx")
        }
        agents = [publisher_of(tmp_path, broker.url, f"a{n}") for n in range(AGENTS)]
        try:
            for part in parts.values():
                part.start()
            wait_until(lambda: "plant-collector" in broker.log.read_text(), tail(parts["intake"].log))
            began = time.monotonic()
            while not all(agent.idle for agent in agents):
                for agent in agents:
                    agent.step(0.002)
                assert time.monotonic() - began < 60, counters(data / "readings.journal")
            rate = TOTAL / (time.monotonic() - began)
            said = report(data / "store-influx.db")
            assert said is not None
            assert said.pending > 0, "a store that keeps up proves nothing"
            wait_until(lambda: _stored(data) == TOTAL, "everything is stored", 60)
            grown = {name: resident_kib(part.pid) for name, part in parts.items()}
            assert max(grown.values()) <= MOST_KIB, grown
            assert rate >= TIMES * INGEST_ROWS_S, f"{rate:.0f} rows/s"
            assert slow.requests["slow"] > 1
            assert [agent.link.connections for agent in agents] == [1] * AGENTS
            assert broker.log.read_text().count("as plant-collector") == 1, "its connection stood all the time"
            assert identity_violations(data) == []
        finally:
            for agent in agents:
                agent.close()
            for part in parts.values():
                part.kill()


def _stored(data: Path) -> int:
    return counters(data / "store-influx.db").get("stored_rows", 0)
