"""kill -9 of collector and agent in mid-stream: nothing is missing, nothing is doubled."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

from telemetry.journal import START, JournalReader
from telemetry.wire import Rows, decode_body
from tests.memfleet.running import Collector, Terminal, memfleet, processes_of
from tests.servers import InfluxDB, Mosquitto, influxd, mosquitto
from tests.waiting import said, wait_until

READINGS = 600
SEED = 20_261_120


def kill(named: Path) -> int:
    """SIGKILL to every process in whose command line that path is named; how many."""
    pids = processes_of(named)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    return len(pids)


def agent(broker: Mosquitto, folder: Path, terminal: Terminal) -> list[str]:
    """The command of an agent that reads the board."""
    words = ["agent", "--fleet", "plant", "--name", "rig", "--broker", broker.url, "--data", str(folder / "agent")]
    return [*words, "--port", terminal.path, "--device", "d1"]


def test_a_killed_collector_misses_nothing(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    with mosquitto(tmp_path) as broker, influxd(tmp_path) as influx:
        store = f'[[stores]]\nname = "influx"\nkind = "influxdb"\nurl = "{influx.url}"\n'
        collector = Collector(tmp_path, broker.url, store)
        terminal = Terminal()
        agent_log = tmp_path / "agent.log"
        with memfleet(*agent(broker, tmp_path, terminal), log=agent_log):
            wait_until(lambda: ": open" in said(agent_log), "the port is opened")
            for round_number in range(3):
                with collector.running():
                    first, last = READINGS * round_number // 4, READINGS * (round_number + 1) // 4
                    _print(terminal, range(first, last), pause_s=0.008)
                    wait_until(lambda: collector.get("/healthz"), "the collector comes up")
                    time.sleep(rng.uniform(0.0, 1.5))
                    assert kill(collector.config) >= 5
            with collector.running():
                _print(terminal, range(READINGS * 3 // 4, READINGS), pause_s=0.002)
                wait_until(lambda: _stored(collector) == list(range(READINGS)), "everything is in the series")
                wait_until(lambda: _written(influx) == list(range(READINGS)), "everything is in InfluxDB")
                wait_until(lambda: _accounted(collector), "every row is accounted for")
        terminal.close()


def _accounted(collector: Collector) -> bool:
    """Whether each process counted every reading once, and the agent's own beside them; a doubled one stays counted."""
    counts = collector.counters()
    reports = len(collector.answer("/api/v1/points?device=rig&kind=agent&max_points=10000")["t"])
    intake = counts["intake"]
    known = sum(intake.get(name, 0) for name in ("accepted_rows", "duplicate_rows", "quarantined_rows"))
    written = (intake["accepted_rows"], counts["series"]["series_rows"], counts["store:influx"]["stored_rows"])
    return intake["received_rows"] == known and set(written) == {READINGS + reports}


def test_a_killed_agent_has_what_it_committed(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker:
        collector = Collector(tmp_path, broker.url)
        terminal = Terminal()
        words = agent(broker, tmp_path, terminal)
        log = tmp_path / "agent.log"
        with memfleet(*words, log=log):
            wait_until(lambda: ": open" in said(log), "the port is opened")
            _print(terminal, range(100), pause_s=0.001)
            outbox = tmp_path / "agent" / "outbox.journal"  # nobody has taken them off the agent's hands yet
            wait_until(lambda: _committed(outbox) == list(range(100)), "all are committed", log)
            assert kill(tmp_path / "agent") == 1
        with memfleet(*words, log=log), collector.running():
            wait_until(lambda: _stored(collector) == list(range(100)), "all arrive after the restart", log)
        terminal.close()


def _print(terminal: Terminal, numbers: range, pause_s: float) -> None:
    for number in numbers:
        terminal.print(f"Heap  | Free: 100000 bytes, Allocated: {number} bytes\r\n".encode())
        time.sleep(pause_s)


def _committed(outbox: Path) -> list[int]:
    frames, _ = JournalReader(outbox).read(START, 1_000)
    blocks = [block for frame in frames for block in decode_body(frame.data)]
    heaps = [block for block in blocks if isinstance(block, Rows) and block.kind == "heap"]
    return [row[2 + block.fields.index("used")] for block in heaps for row in block.rows]


def _stored(collector: Collector) -> list[int]:
    answer = collector.get("/api/v1/points?device=d1&kind=heap&name=system&max_points=100000")
    used: list[int] = answer["values"].get("used", []) if answer else []
    return used


def _written(influx: InfluxDB) -> list[int]:
    rows = influx.query("SELECT used FROM memfleet_heap WHERE device = 'd1'", database="memfleet")
    return [row["used"] for row in rows]
