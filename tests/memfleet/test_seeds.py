"""The main job on real parts: the console text of the five seed documents goes in at a serial port and comes out of a
real InfluxDB by InfluxQL and of a real VictoriaMetrics by PromQL, every number as the document prints it.

The numbers are taken from the text by expressions of this test's own, not by memfleet's parsers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.memfleet.running import Collector, Terminal, memfleet
from tests.servers import InfluxDB, Mosquitto, VictoriaMetrics, influxd, mosquitto, victoria_metrics
from tests.waiting import said, wait_until

SEEDS = Path(__file__).parent.parent / "cases" / "seeds"
NAMES = sorted(path.name for path in SEEDS.iterdir() if path.is_dir())


@dataclass(frozen=True)
class Expected:
    """A field of a series with all its values in order; `tags` choose the series."""

    kind: str
    tags: tuple[tuple[str, str], ...]
    field: str
    values: tuple[int, ...]


def numbers(pattern: str, text: str) -> tuple[int, ...]:
    """Every number that the pattern's group finds, in order."""
    return tuple(int(found) for found in re.findall(pattern, text, re.MULTILINE))


def of_000(text: str) -> list[Expected]:
    fields = {"user_mode": "User memory", "peak_user_mode": "Peak user memory", "total": "Total memory"}
    return [
        Expected("process", (), field, tuple(1024 * kib for kib in numbers(rf"^{label}: (\d+) KB", text)))
        for field, label in fields.items()
    ]


def of_001(text: str) -> list[Expected]:
    fields = {"total": r"Total \(Kernel \+ User Mode\)", "user_mode": "User Mode ", "peak_user_mode": "Peak User Mode"}
    return [Expected("process", (), f, numbers(rf"^ {label} *(\d+)", text)) for f, label in fields.items()]


def of_002(text: str) -> list[Expected]:
    tags = (("heap", "heap_tracker"),)
    used = numbers(r"(?:heap_allocated|, allocated) \((\d+) bytes\)", text)
    return [Expected("heap", tags, "used", used), Expected("heap", tags, "threshold", (256_000,) * len(used))]


def of_003(text: str) -> list[Expected]:
    found: dict[tuple[str, str, str], list[int]] = {}
    task = ""
    for line in text.splitlines():
        if total := re.match(r"(\S+): (?:ALIVE ?|DELETED): Peak Usage (\d+), Current Usage (\d+)", line):
            task = total[1]
            found.setdefault((task, "total", "peak"), []).append(int(total[2]))
            found.setdefault((task, "total", "current"), []).append(int(total[3]))
        elif heap := re.match(
            r"    (\S+): Caps: (\d+). Size (\d+), Current Usage (\d+), Peak Usage (\d+), alloc count (\d+)", line
        ):
            for field, number in zip(
                ("caps", "heap_size", "current", "peak", "blocks"), heap.groups()[1:], strict=True
            ):
                found.setdefault((task, f"{heap[1]}#{heap[3]}", field), []).append(int(number))
    return [
        Expected("task", (("task", task), ("heap", heap)), field, tuple(values))
        for (task, heap, field), values in found.items()
    ]


def of_004(text: str) -> list[Expected]:
    heap = (("heap", "system"),)
    return [
        Expected("stack", (("thread", "main"),), "min_free", numbers(r"^Stack \| Free: (\d+) bytes", text)),
        Expected("heap", heap, "free", numbers(r"^Heap +\| Free: (\d+) bytes", text)),
        Expected("heap", heap, "used", numbers(r"Allocated: (\d+) bytes", text)),
    ]


DOCUMENTED = {"000": of_000, "001": of_001, "002": of_002, "003": of_003, "004": of_004}


class Bench:
    """Broker, databases and collector; one board for each document, all read by one agent."""

    def __init__(self, folder: Path, broker: Mosquitto, influx: InfluxDB, victoria: VictoriaMetrics) -> None:
        self.influx, self.victoria = influx, victoria
        stores = "".join(
            f'[[stores]]\nname = "{name}"\nkind = "{name}"\nurl = "{url}"\napi = {api}\n'
            for name, url, api in (("influxdb", influx.url, 1), ("victoriametrics", victoria.url, 2))
        )
        self.collector = Collector(folder, broker.url, stores)
        self.terminals = {name: Terminal() for name in NAMES}
        self.agent_words = ["agent", "--fleet", "plant", "--name", "rig", "--broker", broker.url, "--data", str(folder)]
        for name, terminal in self.terminals.items():
            self.agent_words += ["--port", terminal.path, "--device", name]
        self.agent_log = folder / "agent.log"

    def influx_values(self, device: str, expected: Expected) -> tuple[int, ...]:
        where = " AND ".join(f"\"{tag}\" = '{value}'" for tag, value in (("device", device), *expected.tags))
        rows = self.influx.query(
            f'SELECT "{expected.field}" FROM "memfleet_{expected.kind}" WHERE {where}', database="memfleet"
        )
        return tuple(row[expected.field] for row in rows)

    def victoria_values(self, device: str, expected: Expected) -> tuple[int, ...]:
        labels = ",".join(f'{tag}="{value}"' for tag, value in (("device", device), *expected.tags))
        found = self.victoria.promql(f"memfleet_{expected.kind}_{expected.field}{{{labels}}}[1h]")
        return tuple(int(float(value)) for _, value in found[0]["values"]) if found else ()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("seeds")
    with mosquitto(folder) as broker, influxd(folder) as influx, victoria_metrics(folder) as victoria:
        made = Bench(folder, broker, influx, victoria)
        with made.collector.running(), memfleet(*made.agent_words, log=made.agent_log):
            wait_until(lambda: said(made.agent_log).count(": open") >= len(NAMES), "the ports are opened")
            for name, terminal in made.terminals.items():
                terminal.print((SEEDS / name / "input.log").read_bytes())
                terminal.print(b"\n")
            wait_until(lambda: "memfleet" in str(influx.query("SHOW DATABASES")), "the store makes its database")
            yield made


@pytest.mark.parametrize("name", NAMES)
def test_every_number_of_the_document_is_in_the_databases(bench: Bench, name: str) -> None:
    text = (SEEDS / name / "input.log").read_text()
    documented = DOCUMENTED[name[:3]](text)
    assert documented
    assert all(expected.values for expected in documented)
    for read in (bench.influx_values, bench.victoria_values):
        for expected in documented:
            wait_until(
                lambda expected=expected, read=read: read(name, expected) == expected.values,  # type: ignore[misc]
                f"{read.__name__} {expected}",
                bench.collector.log,
            )


def test_nothing_was_refused_on_the_way(bench: Bench) -> None:
    bench.collector.wait_ready()
    intake = bench.collector.counters()["intake"]
    assert intake["received_rows"] == intake["accepted_rows"] > 0

    def adds_up() -> bool:
        found = bench.collector.counters()
        return all(
            found[store].get("refused_rows", 0) == 0 and found[store].get("accepted_rows", 0) >= intake["accepted_rows"]
            for store in ("store:influxdb", "store:victoriametrics")
        )

    wait_until(adds_up, f"the stores have what intake took; {json.dumps(intake)}")
