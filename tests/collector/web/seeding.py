"""Data directories for tests of API and page: real journals, folded into `series.db` by the real series process."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from collector.config import Retention
from collector.intake.state import TABLES
from collector.records import Finding, Incident, encode_arrival, encode_finding, encode_tick
from collector.series.process import SeriesProcess, keep_of
from telemetry.clock import wall_ms
from telemetry.journal import Journal
from telemetry.readings import About
from telemetry.wire import Rows, encode_body

KIB = 1024
AGENT = "gateway-1"


class Collector:
    """What intake and judge would write, written by hand; `settle` lets the series process take it in."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.readings = Journal(directory / "readings.journal", tables=TABLES)
        self.findings = Journal(directory / "findings.journal")
        self._series = SeriesProcess(directory, keep_of(Retention()))

    def arrive(self, blocks: Sequence[About | Rows], agent: str = AGENT, received_ms: int | None = None) -> None:
        """A frame of readings, and the tick after it."""
        now_ms = wall_ms() if received_ms is None else received_ms
        with self.readings.transaction():
            self.readings.append([(encode_arrival(now_ms, agent, 0, encode_body(list(blocks))), 1)])
            self.readings.append([(encode_tick(now_ms), 0)])
            self.readings.count({"frames": 1})

    def find(self, finding: Finding | Incident) -> None:
        """A verdict of the judge."""
        with self.findings.transaction():
            self.findings.append([(encode_finding(finding), 1)])

    def refuse(self, reason: str, body: bytes, agent: str = AGENT) -> None:
        """A body that intake did not take."""
        with self.readings.transaction() as db:
            row = (wall_ms(), agent, reason, "made for a test", 1, body)
            db.execute(
                "INSERT INTO quarantine(received_ms, agent, reason, detail, rows, body) VALUES(?, ?, ?, ?, ?, ?)", row
            )

    def settle(self) -> None:
        """Bring `series.db` up to date with the journals."""
        while self._series.step():
            pass

    def close(self) -> None:
        """Close every file."""
        self._series.close()
        self.readings.close()
        self.findings.close()


def rows(
    device: str,
    kind: str,
    names: Sequence[str],
    times: Sequence[int],
    columns: Mapping[str, Sequence[int | str]],
    boot: int = 1,
    uptime_ms: int = 600_000,
) -> Rows:
    """A block of readings from columns; `uptime_ms` is the device's at the first of them."""
    first = times[0]
    values = zip(*columns.values(), strict=True)
    listed = [[time - first, time - first, *row] for time, row in zip(times, values, strict=True)]
    return Rows(device, boot, kind, tuple(names), 0, 1, first, uptime_ms, tuple(columns), listed)


def alert(device: str, reason: str, severity: str = "critical", **more: Any) -> Finding:
    """A finding that fires; `more` sets further fields."""
    now_ms = wall_ms()
    fields: dict[str, Any] = {
        "key": f"user_mode_limit|{device}|process|",
        "status": "firing",
        "rule": "user_mode_limit",
        "kind": "process",
        "names": (),
        "since_ms": now_ms,
        "at_ms": now_ms,
        **more,
    }
    episode = f"{fields['key']}@{fields['since_ms']}"
    return Finding(episode=episode, severity=severity, device=device, reason=reason, **fields)


def azure_sphere(device: str, end_ms: int, leak: int, count: int = 360, base: int = 96 * KIB) -> Iterator[About | Rows]:
    """An MT3620 whose application grows by `leak` bytes a sample from one boot to the next."""
    chance = random.Random(device)
    step_ms = 10_000
    half = count // 2
    yield About(
        device,
        2,
        {"platform": "mt3620", "board": "Avnet SK", "firmware": "24.09-3", "os": "24.03"},
        {"user_mode": 256 * KIB},
    )
    for boot, begin, number in ((1, 0, half), (2, half, count - half)):
        times = [end_ms - (count - begin - i) * step_ms for i in range(number)]
        user = [base + i * leak // KIB * KIB + 4 * KIB * chance.randrange(3) for i in range(number)]
        total = [value + 60 * KIB + 8 * KIB * chance.randrange(4) for value in user]
        peak = [max(user[: i + 1]) for i in range(number)]
        yield rows(device, "process", (), times, {"total": total, "user_mode": user, "peak_user_mode": peak}, boot)


def tracked_heaps(device: str, end_ms: int, count: int) -> Iterator[Rows]:
    """What an MT3620 with heap tracking tells of the application and its libraries, in its second boot."""
    times = [end_ms - (count - i) * 10_000 for i in range(count)]
    for name, size, leak in (
        ("App + Static Libraries", 30, 40),
        ("libtlsutils.so.0.2", 12, 0),
        ("libcurl.so.4", 20, 0),
    ):
        yield rows(device, "heap", (name,), times, {"used": [size * KIB + leak * i for i in range(count)]}, boot=2)


def esp32(device: str, end_ms: int, count: int = 360, step_ms: int = 10_000) -> Iterator[About | Rows]:
    """An ESP32 with two heaps, three tasks and its log lines."""
    chance = random.Random(device)
    times = [end_ms - (count - i) * step_ms for i in range(count)]
    yield About(
        device, 1, {"platform": "esp32", "board": "ESP32-S3-DevKitC", "firmware": "2.4.1", "os": "ESP-IDF v5.3"}
    )
    for name, size in (("DRAM", 320 * KIB), ("SPIRAM", 2048 * KIB)):
        share = chance.uniform(0.3, 0.6)
        free = [int(size * (share + 0.06 * math.sin(i / 19) + 0.02 * chance.random())) for i in range(count)]
        least = [min(free[: i + 1]) for i in range(count)]
        largest = [int(value * (0.8 - 0.0012 * i)) for i, value in enumerate(free)]
        columns = {"size": [size] * count, "free": free, "min_free": least, "largest_free": largest}
        yield rows(device, "heap", (name,), times, columns)
    for task, base in (("wifi", 38 * KIB), ("mqtt", 17 * KIB), ("sensor", 6 * KIB)):
        held = [base + chance.randrange(3 * KIB) for _ in range(count)]
        yield rows(
            device, "task", (task, "DRAM"), times, {"current": held, "peak": [max(held[: i + 1]) for i in range(count)]}
        )
    texts = ["heap largest block below 64 KiB", "reconnecting to broker", "sensor timeout, retry 1"]
    columns_of_text = {"level": ["warning"] * 3, "module": ["heap", "mqtt", "sensor"], "text": texts}
    said = [end_ms - 90_000, end_ms - 40_000, end_ms - 6_000]
    yield rows(device, "log", (), said, columns_of_text, uptime_ms=600_000 + said[0] - times[0])
    failure: dict[str, Sequence[int | str]] = {"size": [65_536], "caller": ["camera_grab"]}
    yield rows(device, "event", ("alloc_failed",), [end_ms - 41_000], failure, uptime_ms=600_000 + said[1] - times[0])


def zephyr(device: str, end_ms: int, count: int = 360, step_ms: int = 10_000) -> Iterator[About | Rows]:
    """A Zephyr board with its kernel heap and three threads."""
    times = [end_ms - (count - i) * step_ms for i in range(count)]
    chance = random.Random(device)
    yield About(
        device,
        1,
        {
            "platform": "zephyr",
            "board": "nrf52840dk",
            "firmware": chance.choice(("1.9.0", "1.8.2")),
            "os": "Zephyr 4.1",
        },
    )
    base = chance.randrange(6, 18) * KIB
    used = [base + 100 * (i % 60) + chance.randrange(200) for i in range(count)]
    columns = {
        "size": [32 * KIB] * count,
        "used": used,
        "free": [32 * KIB - value for value in used],
        "max_used": [max(used[: i + 1]) for i in range(count)],
    }
    yield rows(device, "heap", ("kernel",), times, columns)
    for thread, size in (("main", 2048), ("sysworkq", 1024), ("ble_rx", 4096)):
        unused = int(size * chance.uniform(0.3, 0.8))
        left = [unused - (24 if i > count // 2 else 0) for i in range(count)]
        yield rows(
            device,
            "stack",
            (thread,),
            times,
            {"size": [size] * count, "min_free": left, "max_used": [size - value for value in left]},
        )


def seed_fleet(collector: Collector, now_ms: int, others: int = 30) -> None:
    """A fleet worth looking at: all platforms, a leaking device, a fragmented one, a silent one."""
    collector.arrive([*azure_sphere("meter-0042", now_ms, leak=800)])
    collector.arrive([*esp32("kitchen-1", now_ms)])
    collector.arrive([*zephyr("lock-17", now_ms)])
    collector.arrive([*zephyr("lock-18", now_ms - 900_000)], received_ms=now_ms - 900_000)
    makers = (
        lambda name: azure_sphere(name, now_ms, 40, 20, random.Random(name).randrange(80, 200) * KIB),
        lambda name: esp32(name, now_ms, 20),
        lambda name: zephyr(name, now_ms, 20),
    )
    kinds = ("meter", "sensor", "lock")
    for index in range(others):
        collector.arrive([*makers[index % 3](f"{kinds[index % 3]}-{1000 + index}")])
    collector.find(
        alert(
            "meter-0042",
            "User-mode memory grows by 281 KiB/hour (276 to 287), 140 KiB in 30 min that never came back; "
            "it is at 244 KiB of 256 KiB and memory ends in about 3 minutes.",
            key="leak|meter-0042|process|",
            rule="leak",
            since_ms=now_ms - 1_260_000,
            numbers={"leak_rate": 281.0 * KIB, "leak_hours_left": 0.05},
        )
    )
    collector.find(
        alert(
            "kitchen-1",
            "The largest free block fell to 49 KiB while 134 KiB are free: the heap is fragmented.",
            "warning",
            key="fragmentation|kitchen-1|heap|DRAM",
            rule="fragmentation",
            kind="heap",
            names=("DRAM",),
            since_ms=now_ms - 300_000,
        )
    )
    collector.settle()


def seed_incident(collector: Collector, now_ms: int, devices: Sequence[str], since_ms: int) -> str:
    """The same leak on several devices, which they had begun to complain about; gives the incident's key."""
    key = f"heap-leak|esp32|2.4.1|heap|DRAM@{since_ms}"
    more: dict[str, Any] = {"platform": "esp32", "firmware": "2.4.1", "kind": "heap", "names": ("DRAM",)}
    reasons = []
    for number, device in enumerate(devices):
        began_ms = since_ms + number * 300_000
        rate, left = 2.9 + number / 10, 61 - number
        reasons.append(f"Used memory grows by {rate:.1f} KiB/hour; memory ends in about {left} hours.")
        numbers = {"leak_rate": rate * KIB, "leak_hours_left": float(left)}
        collector.find(
            alert(
                device, reasons[-1], key=f"heap-leak|{device}|heap|DRAM", rule="heap-leak", since_ms=began_ms,
                at_ms=now_ms, numbers=numbers, incident=key, **more,
            )
        )  # fmt: skip
        said = {
            "level": ["W", "E"],
            "module": ["heap", "mqtt"],
            "text": ["free heap is low: 20480", "publish failed: no memory"],
        }
        collector.arrive([rows(device, "log", (), [began_ms - 40_000, began_ms - 9_000], said)])
    worst = {"leak_rate": rate * KIB, "leak_hours_left": float(left)}
    collector.find(
        Incident(
            key, "firing", "heap-leak", "critical", since_ms, now_ms, len(devices), len(devices), devices[0],
            devices[-1], reasons[-1], numbers=worst, **more,
        )
    )  # fmt: skip
    return key


def seed_update(collector: Collector, now_ms: int, devices: int = 6, samples: int = 90) -> None:
    """Pumps that were brought from 1.4.1 to 1.5.0, which needs 30 KiB more."""
    for number in range(devices):
        for boot, firmware, base in ((1, "1.4.1", 100_000), (2, "1.5.0", 130_000)):
            chance = random.Random(f"{number} {boot}")
            times = [now_ms - (3 - boot) * 4 * 3_600_000 + n * 60_000 for n in range(samples)]
            used = [base + 3000 * number + 5 * chance.randrange(400) for _ in times]
            columns = {"size": [300_000] * samples, "used": used}
            collector.arrive(
                [
                    About(f"pump-{number}", boot, {"platform": "esp32", "firmware": firmware}),
                    rows(f"pump-{number}", "heap", ("dram",), times, columns, boot, 0),
                ]
            )
