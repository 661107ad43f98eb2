"""How fast a collector takes in readings: from MQTT to the journal, and on to each store.

Prints one JSON object. For `journal` and each store: `messages_per_s` (one row a message) and `readings_per_s_50`
(fifty rows a message), both while draining a backlog that mosquitto holds for the collector's session; the collector's
CPU seconds per 100,000 readings; bytes a value on the wire; and at a paced rate the delay from publish to journal and
to the series (p50, p99, milliseconds). Messages are sent over a raw socket, which costs next to nothing.

    python bench/ingest.py [--messages 200000] [--pace 10000] [--stores series,influxdb,victoriametrics]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import signal
import socket
import sqlite3
import statistics
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from collector.config import CollectorConfig, StoreConfig
from collector.intake.process import run as run_intake
from collector.series.process import run as run_series
from collector.stores.process import run as run_store
from telemetry.clock import monotonic_ms, wall_ms
from telemetry.settings import Broker
from telemetry.topics import Topic
from telemetry.wire import Header, Rows, encode_body, seal
from tests.servers import influxd, mosquitto, victoria_metrics

FLEET = "bench"
AGENTS = 50
FIELDS = ("size", "free", "used", "min_free")
WINDOW = 2_000
STORE_ROWS = 2_000_000
"""Of a longer backlog a store's rate is taken over so many rows."""


# -- the load ----------------------------------------------------------------------------------------------------------


def frames(messages: int, rows: int, start_ms: int) -> Iterator[tuple[int, bytes]]:
    """(agent number, frame) pairs in sequence for every agent; each row is another instant of one of its heaps."""
    epoch = int.from_bytes(os.urandom(7), "big")
    for number in range(messages):
        agent, turn = number % AGENTS, number // AGENTS
        used = 20_000 + (turn * 37) % 60_000
        values = [163_840, 163_840 - used, used, 40_000]
        block = Rows(
            f"device-{agent}", 1, "heap", ("internal",), 0, 1, start_ms - 3_600_000 + turn * rows * 10,
            turn * rows * 10, FIELDS, [[i * 10, i * 10, *values] for i in range(rows)],
        )  # fmt: skip
        header = Header(epoch, turn + 1, 1, monotonic_ms())
        yield agent, seal(header, encode_body([block]))


class Publisher:
    """Speaks just enough MQTT 3.1.1 to send QoS 1 messages as fast as the broker takes them."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = b"bench-publisher"
        body = b"\x00\x04MQTT\x04\x02\x00\x3c" + struct.pack(">H", len(client)) + client
        self._socket.sendall(b"\x10" + _length(len(body)) + body)
        if self._socket.recv(4)[3:] != b"\x00":
            raise SystemExit("the broker refused the publisher")
        self._topics = [str(Topic.of(FLEET, f"agent-{n}", "frame")).encode() for n in range(AGENTS)]
        self._sent = self._acked = 0
        self._rest = b""

    def send(self, agent: int, frame: bytes) -> None:
        """Send one message; waits only when the window of unacknowledged ones is full."""
        topic = self._topics[agent]
        body = struct.pack(">H", len(topic)) + topic + struct.pack(">H", self._sent % 65_535 + 1) + frame
        self._socket.sendall(b"\x32" + _length(len(body)) + body)
        self._sent += 1
        while self._sent - self._acked >= WINDOW:
            self._read_acks()

    def finish(self) -> None:
        """Wait until the broker has acknowledged everything."""
        while self._acked < self._sent:
            self._read_acks()

    def _read_acks(self) -> None:
        data = self._rest + self._socket.recv(65_536)
        self._acked += len(data) // 4  # a PUBACK is four bytes
        self._rest = data[len(data) - len(data) % 4 :]


def _length(size: int) -> bytes:
    out = bytearray()
    while True:
        size, digit = divmod(size, 128)
        out.append(digit | (128 if size else 0))
        if not size:
            return bytes(out)


# -- the parts, each in a process of its own ---------------------------------------------------------------------------


def start(target: Callable[..., None], *args: Any) -> multiprocessing.Process:
    """Run a part of the collector in another process until it gets SIGTERM."""
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_part, args=(target, *args))
    process.start()
    return process


def _part(target: Callable[..., None], config: CollectorConfig, directory: Path, *rest: str) -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    target(config, directory, stop, *rest)


def cpu_s(process: multiprocessing.Process) -> float:
    """CPU seconds that a process has used."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def stop(*processes: multiprocessing.Process) -> None:
    """End parts in order."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(20)


def counter(path: Path, name: str) -> int:
    """A counter of one of the collector's files, 0 while there is none."""
    if not path.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            row = db.execute("SELECT value FROM counters WHERE name = ?", (name,)).fetchone()
    except sqlite3.OperationalError:
        return 0
    return row[0] if row else 0


def wait_for(path: Path, name: str, value: int, limit_s: float = 300) -> float:
    """Wait until the counter has reached the value; the monotonic time at which it had."""
    deadline = time.monotonic() + limit_s
    while counter(path, name) < value:
        if time.monotonic() > deadline:
            raise SystemExit(f"{path.name}: {name} stays at {counter(path, name)} of {value}")
        time.sleep(0.005)
    return time.monotonic()


# -- measurements ------------------------------------------------------------------------------------------------------


def drain_backlog(port: int, directory: Path, messages: int, rows: int) -> tuple[float, float, int]:
    """Drain a backlog that the broker holds: seconds, CPU seconds of intake, bytes of all frames."""
    config = CollectorConfig(fleet=FLEET, data_dir=str(directory), broker=Broker(url=f"mqtt://127.0.0.1:{port}"))
    path = directory / "readings.journal"
    first = start(run_intake, config, directory)  # make the session, so that the broker keeps what comes
    wait_until(lambda: path.exists() and _ticks(path) > 1)
    stop(first)
    publisher = Publisher(port)
    size = 0
    for agent, frame in frames(messages, rows, wall_ms()):
        publisher.send(agent, frame)
        size += len(frame)
    publisher.finish()
    before = counter(path, "accepted_rows")
    intake = start(run_intake, config, directory)
    wait_until(lambda: counter(path, "accepted_rows") > before)
    begun, base, cpu = time.monotonic(), counter(path, "accepted_rows"), cpu_s(intake)
    ended = wait_for(path, "accepted_rows", before + messages * rows)
    used = cpu_s(intake) - cpu
    done = before + messages * rows - base
    stop(intake)
    return (ended - begun) / done * messages * rows, used / done * messages * rows, size


def wait_until(holds: Callable[[], bool], limit_s: float = 60) -> None:
    """Wait for a condition, in small steps."""
    deadline = time.monotonic() + limit_s
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit("a part of the collector does not start")
        time.sleep(0.005)


def _ticks(path: Path) -> int:
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            return db.execute("SELECT count(*) FROM frames").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


def drain_store(directory: Path, rows: int, target: Callable[..., None], file: str, name: str, *rest: Any) -> float:
    """Seconds from the journal to one store, for everything that the journal holds."""
    config = rest[0] if rest else CollectorConfig(fleet=FLEET, data_dir=str(directory))
    path = directory / file
    process = start(target, config, directory, *rest[1:])
    wait_until(lambda: counter(path, name) > 0)
    begun, base = time.monotonic(), counter(path, name)
    ended = wait_for(path, name, rows)
    stop(process)
    return (ended - begun) / (rows - base) * rows


def paced_delays(port: int, directory: Path, pace: int, seconds: int) -> dict[str, float]:
    """Delay from publish to journal and to the series at a steady rate, ms."""
    config = CollectorConfig(fleet=FLEET, data_dir=str(directory), broker=Broker(url=f"mqtt://127.0.0.1:{port}"))
    parts = [start(run_intake, config, directory), start(run_series, config, directory)]
    path, series = directory / "readings.journal", directory / "series.db"
    wait_until(lambda: path.exists() and series.exists() and _ticks(path) > 1)
    base, base_series = counter(path, "accepted_rows"), counter(series, "series_rows")
    sent: list[float] = []
    seen: dict[str, list[tuple[float, int]]] = {"journal": [], "series": []}
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            seen["journal"].append((time.monotonic(), counter(path, "accepted_rows") - base))
            seen["series"].append((time.monotonic(), counter(series, "series_rows") - base_series))
            time.sleep(0.004)

    watcher = threading.Thread(target=look)
    watcher.start()
    publisher = Publisher(port)
    begun = time.monotonic()
    for number, (agent, frame) in enumerate(frames(pace * seconds, 1, wall_ms())):
        due = begun + number / pace
        while (now := time.monotonic()) < due:
            time.sleep(min(0.002, due - now))
        publisher.send(agent, frame)
        sent.append(time.monotonic())
    publisher.finish()
    wait_for(series, "series_rows", base_series + len(sent))
    time.sleep(0.05)
    ended.set()
    watcher.join()
    stop(*parts)
    out = {}
    for name, looks in seen.items():
        delays = _delays(sent, looks)
        out[f"{name}_p50_ms"] = round(statistics.median(delays), 1)
        out[f"{name}_p99_ms"] = round(statistics.quantiles(delays, n=100)[98], 1)
    return out


def _delays(sent: list[float], looks: list[tuple[float, int]]) -> list[float]:
    """For every message, how long after it was sent the counter was first seen to include it."""
    delays, index = [], 0
    for number, at in enumerate(sent):
        while looks[index][1] <= number:
            index += 1
        delays.append(max(0.0, (looks[index][0] - at) * 1000))
    return delays


def store_configs(wanted: list[str], folder: Path) -> Iterator[tuple[str, StoreConfig, Any]]:
    """The real servers asked for, each running while it is measured."""
    if "influxdb" in wanted:
        with influxd(folder / "influxd") as server:
            yield "influxdb", StoreConfig(name="influxdb", kind="influxdb", url=server.url, api=1), server
    if "victoriametrics" in wanted:
        with victoria_metrics(folder / "victoria") as server:
            store = StoreConfig(name="vm", kind="victoriametrics", url=server.url, api=2, settle_s=0)
            yield "victoriametrics", store, server


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--messages", type=int, default=200_000)
    arguments.add_argument("--pace", type=int, default=10_000)
    arguments.add_argument("--pace-seconds", type=int, default=10)
    arguments.add_argument("--stores", default="series,influxdb,victoriametrics")
    options = arguments.parse_args()
    wanted = options.stores.split(",")
    result: dict[str, Any] = {"bench": "ingest", "messages": options.messages, "cores": os.cpu_count()}
    with tempfile.TemporaryDirectory() as folder, mosquitto(Path(folder)) as broker:
        one, fifty = Path(folder) / "one", Path(folder) / "fifty"
        result["journal"], cpu = _measure_journal(broker.port, one, fifty, options.messages)
        result |= cpu
        for rows, key, directory in ((1, "messages_per_s", one), (50, "readings_per_s_50", fifty)):
            total = min(options.messages * rows, STORE_ROWS)
            if "series" in wanted:
                spent = drain_store(directory, total, run_series, "series.db", "series_rows")
                result.setdefault("series", {})[key] = round(total / spent)
            for name, store, _server in store_configs(wanted, Path(folder)):
                config = CollectorConfig(fleet=FLEET, data_dir=str(directory), stores=(store,))
                file = f"store-{store.name}.db"
                spent = drain_store(directory, total, run_store, file, "stored_rows", config, store.name)
                result.setdefault(name, {})[key] = round(total / spent)
        result["paced"] = {"messages_per_s": options.pace} | paced_delays(
            broker.port, Path(folder) / "paced", options.pace, options.pace_seconds
        )
    result["peak_rss_mb"] = round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
    print(json.dumps(result))


def _measure_journal(port: int, one: Path, fifty: Path, messages: int) -> tuple[dict[str, int], dict[str, float]]:
    seconds, cpu, size = drain_backlog(port, one, messages, 1)
    seconds_50, cpu_50, size_50 = drain_backlog(port, fifty, messages, 50)
    values = len(FIELDS) + 2  # with time and uptime
    rates = {"messages_per_s": round(messages / seconds), "readings_per_s_50": round(messages * 50 / seconds_50)}
    return rates, {
        "cpu_s_per_100k_readings": round(cpu / messages * 100_000, 2),
        "cpu_s_per_100k_readings_50": round(cpu_50 / (messages * 50) * 100_000, 3),
        "bytes_per_value": round(size / messages / values, 2),
        "bytes_per_value_50": round(size_50 / (messages * 50) / values, 2),
    }


if __name__ == "__main__":
    main()
