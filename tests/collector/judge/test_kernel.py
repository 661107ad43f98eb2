"""What the kernel holds for an application: sockets that are never closed are told, those that come and go are not."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing

import numpy as np
import pytest

from collector.judge.backtest import Shelf
from collector.judge.engine import Judge
from collector.judge.explaining_device import explain_device
from collector.judge.rules import load_rules
from collector.judge.state import STEPS, TABLES, StateFile
from collector.judge.used import used_of
from collector.records import Arrival, Finding
from telemetry.migration import bring_up
from telemetry.wire import Rows
from tests.collector.judge.stream import START_MS, rows

EVERY_H, KIB, USER = 1.0, 1024, 90_000
PAGE = 4 * KIB
IDLE = 12 * PAGE

Held = Callable[[float], float]
"""Bytes that sockets hold, so many hours after the boot."""


def leak(pages_a_day: float, from_h: float = 0) -> Held:
    return lambda hour: PAGE * (max(0, hour - from_h) * pages_a_day // 24)


def between(begin_h: float, end_h: float, held: float) -> Held:
    """The same each day."""
    return lambda hour: held if begin_h <= hour % 24 < end_h else 0


def outages(each_h: float, last_h: float, held_an_hour: float) -> Held:
    """Sockets wait for as long as the uplink is away."""
    return lambda hour: held_an_hour * (hour % each_h) * (hour % each_h < last_h)


def warm_up(pages: int, hours: float) -> Held:
    return lambda hour: PAGE * (pages * (1 - 2.72 ** (-hour / hours)) // 1)


def bursts(seed: int) -> Held:
    """Of 1 to 12 sockets of 64 KiB, in each third hour."""
    chance = random.Random(seed)
    return lambda hour: 64 * KIB * chance.randint(1, 12) * (chance.random() < 0.33)


def clients(seed: int) -> Held:
    """By day more than by night, of 16 KiB each."""
    chance = random.Random(seed)
    return lambda hour: 16 * KIB * round(chance.gauss(6 - 5 * np.cos(2 * np.pi * hour / 24), 1) ** 2 / 10)


def by_chance(seed: int, pages_an_hour: int) -> Held:
    """From none to twice as many pages in each hour, which stay."""
    chance, held = random.Random(seed), [0]

    def more(hour: float) -> float:
        held[0] += chance.randint(0, 2 * pages_an_hour)
        return PAGE * held[0]

    return more


def together(*parts: Held) -> Held:
    return lambda hour: sum(part(hour) for part in parts)


LEAKS: dict[str, tuple[Held, float]] = {  # what is held, and by when it must be told, days
    "four sockets a day": (leak(4), 3.8),
    "twelve sockets a day": (leak(12), 3.8),
    "from the third day on": (leak(12, 60), 7),
    "beneath uploads, bursts and outages": (
        together(leak(16), between(3, 5, 8 * PAGE), bursts(1), outages(30, 6, 8 * KIB)), 5,
    ),
    "after a boot that took hours": (together(leak(10), warm_up(20, 6)), 8),
    "beneath clients": (together(leak(30), clients(2)), 8),
}  # fmt: skip
FAST: dict[str, tuple[Held, float]] = {
    "three sockets an hour": (leak(3 * 24), 1.25),
    "none to six pages an hour": (by_chance(8, 3), 1.4),
    "beneath an upload each day": (together(leak(3 * 24), between(3, 5, 8 * PAGE)), 1.5),
}
HEALTHY: dict[str, Held] = {
    "bursts": bursts(3),
    "clients by day": clients(4),
    "an upload each day": between(2, 7, 512 * KIB),
    "a queue in each outage": outages(40, 12, 64 * KIB),
    "a pool that fills after the boot": warm_up(40, 10),
    "a boot that takes more and more for 18 hours": lambda hour: PAGE * (min(100, 5.5 * hour) // 1),
    "a pool of large buffers that fills for a day and a half": lambda hour: 64 * KIB * min(12, hour // 3),
    "all of it": together(
        bursts(5), clients(6), between(2, 3, 64 * KIB), outages(55, 12, 16 * KIB), warm_up(30, 8)
    ),
    "a pool that fills for days": warm_up(40, 50),
    "what is closed each second day": lambda hour: PAGE * (hour % 48) // 1,
    "what is closed each fourth day, below what stood before": (
        lambda hour: PAGE * (30 if hour < 40 else (hour - 40) % 100 // 4)
    ),
    "a few connections that stay": lambda hour: 3 * PAGE * min(6, hour // 11),
    "a week with more and more of them, beneath those of the day": together(
        between(8, 18, 60 * PAGE), lambda hour: PAGE * (hour % 168 // 4 if hour % 168 < 120 else 0)
    ),
}  # fmt: skip


def reading(hour: float, held: float, device: str = "sphere", boot: int = 1, boot_h: float = 0) -> Rows:
    user = USER + PAGE * (hour > 50)
    total = (user + IDLE + held) // KIB * KIB
    values = {"total": int(total), "user_mode": user // KIB * KIB, "peak_user_mode": user // KIB * KIB}
    up_ms = round((hour - boot_h) * 3_600_000) + 1
    time_ms = START_MS + round(hour * 3_600_000)
    return rows(device, "process", (), time_ms, values, resolution=KIB, uptime_ms=up_ms, boot=boot)


def new_judge() -> Judge:
    rules = [rule for rule in load_rules(None) if rule.name == "kernel-memory-leak"]
    return Judge(rules, Shelf(), 14_400, step_ms=60_000)


def hear(judge: Judge, *blocks: Rows) -> list[Finding]:
    return judge.batch([Arrival(blocks[0].t0 + 10, "agent", list(blocks))], blocks[0].t0 + 1000)


def lived(judge: Judge, fleet: Mapping[str, Held], days: float) -> Iterator[Finding]:
    for number in range(round(days * 24 / EVERY_H)):
        hour = number * EVERY_H
        yield from hear(judge, *(reading(hour, held(hour), device) for device, held in fleet.items()))


def days_of(finding: Finding) -> float:
    return (finding.at_ms - START_MS) / 86_400_000


def test_sockets_that_are_never_closed_are_told() -> None:
    fleet = {f"board-{number}": held for number, (held, _) in enumerate(LEAKS.values())}
    told = {one.device: one for one in lived(new_judge(), fleet, 8)}
    assert {(one.rule, one.status, one.kind, one.names) for one in told.values()} == {
        ("kernel-memory-leak", "firing", "process", ())
    }
    for device, (what, (_, by_day)) in zip(fleet, LEAKS.items(), strict=True):
        assert 3.5 <= days_of(told[device]) <= by_day, what


def test_a_fast_leak_is_told_before_it_ends_the_boot() -> None:
    fleet = {f"board-{number}": held for number, (held, _) in enumerate(FAST.values())}
    told = {one.device: one for one in lived(new_judge(), fleet, 2)}
    for device, (what, (_, by_day)) in zip(fleet, FAST.items(), strict=True):
        assert 1 <= days_of(told[device]) <= by_day, what
        assert told[device].numbers["leak_rate"] == pytest.approx(3 * PAGE, rel=0.2), what


def test_sockets_that_are_closed_are_not() -> None:
    fleet = {f"board-{number}": held for number, held in enumerate(HEALTHY.values())}
    names = dict(zip(fleet, HEALTHY, strict=True))
    assert [names[one.device] for one in lived(new_judge(), fleet, 14)] == []


def test_it_says_how_fast_under_the_names_of_any_leak_and_suspects_nobody() -> None:
    judge = new_judge()
    failed = rows("sphere", "event", ("alloc_failed",), START_MS + 1, {"size": 100, "caller": "parse"})
    judge.batch([Arrival(START_MS + 10, "agent", [failed])], START_MS + 20)
    (told,) = lived(judge, {"sphere": leak(12)}, 3.7)
    assert told.numbers["leak_rate"] == pytest.approx(PAGE / 2, rel=0.1)
    assert told.numbers["leak_rate_low"] <= told.numbers["leak_rate"] <= told.numbers["leak_rate_high"]
    assert "grows by 2.0 KiB/h" in told.reason
    assert "sockets" in told.reason
    assert told.suspect == ""
    (said, *_) = (one.why for one in explain_device(judge, "sphere") if one.why.question == "kernel" and one.told)
    assert said.window is not None
    assert said.window.slope == told.numbers["leak_rate"]


def test_a_restart_ends_it() -> None:
    judge = new_judge()
    assert [one.status for one in lived(judge, {"sphere": leak(12)}, 3.7)] == ["firing"]
    (over,) = hear(judge, reading(89, 0, boot=2, boot_h=89))
    assert (over.rule, over.status) == ("kernel-memory-leak", "resolved")


def test_a_judge_that_was_killed_each_day_says_the_same_of_it() -> None:
    held = together(leak(12), bursts(7))
    at_once = list(lived(new_judge(), {"sphere": held}, 6))
    held = together(leak(12), bursts(7))
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(TABLES)
        judge, said = new_judge(), []
        kept = StateFile(db, judge)
        for number in range(round(6 * 24 / EVERY_H)):
            said += hear(judge, reading(number * EVERY_H, held(number * EVERY_H)))
            kept.save(db)
            if number % 24 == 23:
                judge = new_judge()
                kept = StateFile(db, judge)
    assert said == at_once
    assert [one.rule for one in said] == ["kernel-memory-leak"]


def test_blocks_that_are_free_say_what_is_used_of_a_pool() -> None:
    columns = {"blocks_free": np.array([30.0, np.nan]), "block_size": np.array([128.0, 128.0])}
    used = used_of("pool", columns, np.full(2, 4096.0))
    assert used is not None
    assert np.array_equal(used, np.array([[256], [np.nan]]), equal_nan=True)


def test_what_was_read_at_two_moments_is_not_known() -> None:
    columns = {"total": np.array([100.0, 90.0, np.nan]), "user_mode": np.array([60.0, 95.0, 50.0])}
    used = used_of("process", columns, np.full(3, np.nan))
    assert used is not None
    assert np.array_equal(used, np.array([[60, 40], [95, np.nan], [50, np.nan]]), equal_nan=True)
    alone = used_of("process", {"user_mode": np.array([60.0])}, np.full(1, np.nan))
    assert alone is not None
    assert np.array_equal(alone, np.array([[60, np.nan]]), equal_nan=True)


def test_a_peak_stands_for_what_is_used_where_that_was_never_told() -> None:
    columns = {"total": np.full(3, 100.0), "peak_user_mode": np.array([70.0, 80.0, 90.0])}
    only_peaks = np.array([True, True, False])
    used = used_of("process", columns, np.full(3, np.nan), only_peaks)
    assert used is not None
    assert np.array_equal(used[:, 0], [70, 80, np.nan], equal_nan=True)
    assert np.isnan(used[:, 1]).all(), "nobody knows what the kernel held then"
    both = used_of("process", columns | {"user_mode": np.array([60.0, np.nan, 50.0])}, np.full(3, np.nan), only_peaks)
    assert both is not None
    assert np.array_equal(both, [[60, 40], [80, np.nan], [50, 50]], equal_nan=True)


def test_samples_of_processes_of_an_earlier_version_are_left_out(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("old") / "findings.journal"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        bring_up(db, path, TABLES.replace("spared_ms INTEGER NOT NULL DEFAULT 0", "later INTEGER"), STEPS[:2])
        for number, kind in enumerate(("process", "heap")):
            db.execute("INSERT INTO judge_samples VALUES(?, ?, x'', x'')", (number, kind))
            db.execute("INSERT INTO judge_histories VALUES(?, 0, 0, x'', x'')", (kind,))
        bring_up(db, path, TABLES, STEPS)
        for table in ("judge_samples", "judge_histories"):
            assert db.execute(f"SELECT kind FROM {table}").fetchall() == [("heap",)]
