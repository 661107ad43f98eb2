"""The judge's state on disk: after any commit a new judge is given what the old one had, byte for byte."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing

import numpy as np
import pytest

from collector.agentclock import BEHIND_MS
from collector.judge import archive
from collector.judge.backtest import Shelf
from collector.judge.columns import REBOOT_COLUMNS, SILENCE_COLUMNS
from collector.judge.engine import Judge
from collector.judge.rules import load_rules, parse_rules
from collector.judge.state import TABLES, StateFile
from collector.records import Arrival
from telemetry.wire import Rows
from tests.collector.judge.stream import START_MS, rows

DEVICES = 40
WATCHED = """
[[rule]]
name = "watched"
kind = "heap"
severity = "info"
when = "largest_free < 500"
no_data = "5m"
reason = "x"
"""
AT_EACH_TICK = (*SILENCE_COLUMNS, *REBOOT_COLUMNS)


def new_judge() -> Judge:
    return Judge((*load_rules(None), *parse_rules(WATCHED)), Shelf(), 300)


def fleet(chance: random.Random, now_ms: int, boots: dict[str, int]) -> list[Arrival]:
    """Some devices speak: of now or of the last minutes, some after a reboot, some with a text."""
    blocks: list[Rows] = []
    for device in chance.sample(sorted(boots), chance.randint(0, 12)):
        time_ms = now_ms - chance.choice([100, 100, 100, 30_000, 400_000])
        boots[device] += chance.random() < 0.05
        for late in range(chance.choice([1, 1, 3])):
            heap = {"size": 100_000, "used": chance.randint(1_000, 90_000), "largest_free": chance.randint(1, 900)}
            if chance.random() < 0.5:
                del heap["largest_free"]
            stack = {"size": 4_000, "max_used": chance.randint(100, 3_900)}
            blocks.append(rows(device, "heap", ("main",), time_ms + late, heap, boot=boots[device]))
            blocks.append(rows(device, "stack", ("worker",), time_ms + late, stack, boot=boots[device]))
        if chance.random() < 0.1:
            said = {"size": 10, "caller": f"f{chance.random()}"}
            blocks.append(rows(device, "event", ("alloc_failed",), time_ms, said, boot=boots[device]))
    if chance.random() < 0.2:
        word = {"oldest_age_ms": 0, BEHIND_MS: chance.choice([0, 3_600_000, -3_600_000])}
        blocks.append(rows("agent", "agent", (), now_ms - 100, word))
    return [Arrival(now_ms - 10, "agent", list(blocks))] if blocks else []


def assert_same(old: Judge, new: Judge) -> None:
    """Every number of every series, every history, and who was heard when."""
    assert old.hearing.agents == new.hearing.agents
    for kind, table in old.board.tables.items():
        other, count = new.board.tables[kind], len(table)
        assert (table.devices, table.names, table.texts) == (other.devices, other.names, other.texts)
        told = [place for place, name in enumerate(table.columns) if name not in AT_EACH_TICK]
        assert np.array_equal(table.values[:count, told], other.values[:count, told], equal_nan=True)
        assert (table.told_ms is None) == (other.told_ms is None) == (kind != "heap")
        if table.told_ms is not None and other.told_ms is not None:
            assert np.array_equal(table.told_ms[:count], other.told_ms[:count])
        for name in ("time_ms", "heard_ms", "resolution", "boot", "outdated"):
            assert np.array_equal(getattr(table, name)[:count], getattr(other, name)[:count]), name
    for kind, history in old.board.histories.items():
        known, every = new.board.histories[kind], np.arange(len(old.board.tables[kind]))
        for name in ("least", "newest", "peaks"):
            held, given = getattr(history, name)[every], getattr(known, name)[every]
            assert held.tobytes() == given.tobytes(), (kind, name)
        assert history.blocks.saved(every) == known.blocks.saved(every)


@pytest.mark.parametrize("pages_a_sample", [0, 8, 2_000])
def test_a_new_judge_is_given_what_the_old_one_had(monkeypatch: pytest.MonkeyPatch, pages_a_sample: int) -> None:
    monkeypatch.setattr(archive, "_PAGES_A_SAMPLE", pages_a_sample)
    chance = random.Random(pages_a_sample)
    boots = {f"device-{number}": 1 for number in range(DEVICES)}
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(TABLES)
        judge = new_judge()
        kept, now_ms = StateFile(db, judge), START_MS
        for number in range(60):
            for _ in range(chance.choice([1, 1, 2])):
                now_ms += chance.choice([1_000, 20_000, 300_000])
                judge.batch(fleet(chance, now_ms, boots), now_ms)
            kept.save(db)
            if number % 8 == 7:
                old, judge = judge, new_judge()
                kept = StateFile(db, judge)
                assert_same(old, judge)
        (samples,) = db.execute("SELECT coalesce(sum(length(samples)), 0) FROM judge_samples").fetchone()
        (pages,) = db.execute("SELECT coalesce(sum(length(buckets)), 0) FROM judge_histories").fetchone()
    assert any(judge.board.tables["event"].texts)
    assert max(boots.values()) > 2
    assert pages_a_sample * samples <= 2 * pages, "what the pages hold is forgotten"
