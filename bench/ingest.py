"""How fast a collector takes in readings: from MQTT to the journal, and on to each store.

Prints one JSON object. For `journal` and each store: `messages_per_s` (one row a message) and `readings_per_s_50`
(fifty rows a message), both while draining a backlog, which mosquitto holds for the journal and the journal for the
stores; and the CPU seconds that the part takes for 100,000 readings. Also bytes a value on the wire, and at a paced
rate the delay from publish to journal and to the series (p50, p99, milliseconds).

    python bench/ingest.py [--messages 200000] [--pace 10000] [--stores series,influxdb,victoriametrics]
    python bench/ingest.py --against COMMIT [--pairs 3] [--messages 200000] [--stores series]

With --against, this tree and that of an earlier commit take the same load in turns. The object then holds the medians
of both as `now` and `then`, and as `cost_ratio` what a reading costs now by what it cost then, the median of the pairs:
1.1 is ten percent dearer. CPU is to be believed on a busy machine, rates only on a quiet one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from ingestion.load import AGENTS, FIELDS, FLEET, Publisher, frames
from ingestion.parts import HERE, counter, cpu_s, earlier_tree, part, ticks, wait_for, wait_until

from telemetry.clock import wall_ms
from tests.servers import influxd, mosquitto, victoria_metrics

STORE_ROWS = 2_000_000
"""Of a longer backlog a store's rate is taken over so many rows."""
NAMES = {1: ("messages_per_s", "cpu_s_per_100k_readings"), 50: ("readings_per_s_50", "cpu_s_per_100k_readings_50")}
"""By rows a message: what the rate and the cost are called."""

Figures = dict[str, float]
Looks = list[tuple[float, int]]
"""Monotonic times, and how many readings there were then."""


# -- measurements ------------------------------------------------------------------------------------------------------


def drain_backlog(tree: Path, port: int, directory: Path, messages: int, rows: int) -> tuple[Figures, int]:
    """Drain a backlog that the broker holds: rate and CPU of intake, bytes of all frames."""
    config = {"fleet": FLEET, "data_dir": str(directory), "broker": {"url": f"mqtt://127.0.0.1:{port}"}}
    path = directory / "readings.journal"
    with part(tree, "intake", config, directory):  # makes the session, so that the broker keeps what comes
        wait_until(lambda: ticks(path) > 1)
    publisher = Publisher(port)
    size = 0
    for agent, frame in frames(messages, rows, wall_ms()):
        publisher.send(agent, frame)
        size += len(frame)
    publisher.finish()
    with part(tree, "intake", config, directory) as intake:
        return _drain(intake, path, "accepted_rows", messages * rows, rows), size


def drain_store(tree: Path, directory: Path, rows: int, per_message: int, store: dict[str, Any] | None) -> Figures:
    """Rate and CPU from the journal to one store, None for the series, for everything that the journal holds."""
    config = {"fleet": FLEET, "data_dir": str(directory), "stores": [store] if store else []}
    name = ["store", store["name"]] if store else ["series"]
    path = directory / (f"store-{store['name']}.db" if store else "series.db")
    with part(tree, name[0], config, directory, *name[1:]) as process:
        return _drain(process, path, "stored_rows" if store else "series_rows", rows, per_message)


def _drain(process: Any, path: Path, name: str, rows: int, per_message: int) -> Figures:
    """From the first rows to the last, so that starting does not count."""
    wait_until(lambda: counter(path, name) > 0)
    begun, base, cpu = time.monotonic(), counter(path, name), cpu_s(process)
    ended = wait_for(path, name, rows)
    used, done = cpu_s(process) - cpu, rows - base
    if not done:
        raise SystemExit(f"{path.name}: all {rows} rows came in one go; measure with more --messages")
    rate, cost = NAMES[per_message]
    count = done / per_message if per_message == 1 else done
    return {rate: round(count / (ended - begun)), cost: round(used / done * 100_000, 4)}


def paced_delays(port: int, directory: Path, pace: int, seconds: int) -> Figures:
    """Delay from publish to journal and to the series at a steady rate, ms."""
    config = {"fleet": FLEET, "data_dir": str(directory), "broker": {"url": f"mqtt://127.0.0.1:{port}"}}
    with part(HERE, "intake", config, directory), part(HERE, "series", config, directory):
        sent, seen = _sent_and_seen(port, directory, pace, seconds)
    out: Figures = {"messages_per_s": pace}
    for name, looks in seen.items():
        delays = _delays(sent, looks)
        out[f"{name}_p50_ms"] = round(statistics.median(delays), 1)
        out[f"{name}_p99_ms"] = round(statistics.quantiles(delays, n=100)[98], 1)
    return out


def _sent_and_seen(port: int, directory: Path, pace: int, seconds: int) -> tuple[list[float], dict[str, Looks]]:
    """When each message was sent, and when how many were seen to be stored."""
    path, series = directory / "readings.journal", directory / "series.db"
    wait_until(lambda: series.exists() and ticks(path) > 1)
    base, base_series = counter(path, "accepted_rows"), counter(series, "series_rows")
    sent: list[float] = []
    seen: dict[str, Looks] = {"journal": [], "series": []}
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
    return sent, seen


def _delays(sent: list[float], looks: Looks) -> list[float]:
    """For every message, how long after it was sent the counter was first seen to include it."""
    delays, index = [], 0
    for number, at in enumerate(sent):
        while looks[index][1] <= number:
            index += 1
        delays.append(max(0.0, (looks[index][0] - at) * 1000))
    return delays


@contextlib.contextmanager
def running(name: str, folder: Path) -> Iterator[dict[str, Any] | None]:
    """The configuration of a store whose real server runs meanwhile; None for the series, which has none."""
    if name == "influxdb":
        with influxd(folder) as server:
            yield {"name": name, "kind": name, "url": server.url, "api": 1}
    elif name == "victoriametrics":
        with victoria_metrics(folder) as server:
            yield {"name": name, "kind": name, "url": server.url, "api": 2, "settle_s": 0}
    else:
        yield None


def measure(tree: Path, port: int, messages: int, stores: list[str]) -> dict[str, Figures]:
    """Everything but the delays, of one tree."""
    out: dict[str, Figures] = {name: {} for name in ("journal", *stores, "bytes_per_value")}
    with tempfile.TemporaryDirectory() as folder:
        for rows in NAMES:
            directory = Path(folder) / str(rows)
            figures, size = drain_backlog(tree, port, directory, messages, rows)
            out["journal"] |= figures
            out["bytes_per_value"][str(rows)] = round(size / (messages * rows) / (len(FIELDS) + 2), 2)
            for name in stores:
                with running(name, Path(folder) / f"{name}-{rows}") as store:
                    total = min(messages * rows, STORE_ROWS)
                    out[name] |= drain_store(tree, directory, total, rows, store)
    return out


# -- one tree, or two --------------------------------------------------------------------------------------------------


def alone(port: int, options: argparse.Namespace) -> dict[str, Any]:
    """The figures of this tree."""
    figures: dict[str, Any] = {**measure(HERE, port, options.messages, options.stores.split(","))}
    with tempfile.TemporaryDirectory() as folder:
        figures["paced"] = paced_delays(port, Path(folder), options.pace, options.pace_seconds)
    return figures | {"peak_rss_mb": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)}


def compared(port: int, options: argparse.Namespace) -> dict[str, Any]:
    """The figures of this tree and of an earlier one, measured in turns."""
    now, then = [], []
    with earlier_tree(options.against) as earlier:
        for _ in range(options.pairs):
            now.append(measure(HERE, port, options.messages, options.stores.split(",")))
            then.append(measure(earlier, port, options.messages, options.stores.split(",")))
    result: dict[str, Any] = {"against": options.against, "pairs": options.pairs, "now": {}, "then": {}}
    result["cost_ratio"] = {}
    for name in ("journal", *options.stores.split(",")):
        for side, runs in (("now", now), ("then", then)):
            result[side][name] = {key: statistics.median(run[name][key] for run in runs) for key in runs[0][name]}
        result["cost_ratio"][name] = {
            key: _cost_ratio(key, [run[name][key] for run in now], [run[name][key] for run in then])
            for key in now[0][name]
        }
    return result


def _cost_ratio(key: str, now: list[float], then: list[float]) -> float:
    """The median over the pairs; a rate is the other way round."""
    pairs = zip(now, then, strict=True)
    return round(statistics.median(b / a if "_per_s" in key else a / b for a, b in pairs), 3)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--messages", type=int, default=200_000)
    arguments.add_argument("--pace", type=int, default=10_000)
    arguments.add_argument("--pace-seconds", type=int, default=10)
    arguments.add_argument("--stores", default="series,influxdb,victoriametrics")
    arguments.add_argument("--against", metavar="COMMIT", help="measure an earlier commit in turns with this tree")
    arguments.add_argument("--pairs", type=int, default=3)
    options = arguments.parse_args()
    result: dict[str, Any] = {"bench": "ingest", "messages": options.messages, "cores": os.cpu_count()}
    result["agents"] = AGENTS
    with tempfile.TemporaryDirectory() as folder, mosquitto(Path(folder)) as broker:
        result |= compared(broker.port, options) if options.against else alone(broker.port, options)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
