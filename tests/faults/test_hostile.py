"""Hostile payloads cost little and raise nothing but what is declared; one poisoned frame holds up no other."""

from __future__ import annotations

import random
import time
from pathlib import Path

from collector.config import CollectorConfig
from collector.intake.process import Intake
from telemetry.mqtt import Message
from telemetry.settings import Broker
from telemetry.topics import Topic
from telemetry.wire import Header, Rows, encode_body, seal
from tests.faults.fuzz import BOMBS, run
from tests.servers import free_port

FRAMES = 10_000
EVERY = 100
SHARE = 0.8
T0 = 1_795_000_000_000
HOUR_MS = 3_600_000


def test_twenty_thousand_hostile_payloads_raise_only_what_is_declared() -> None:
    report = run(20_000, seed=20_261_121)
    assert report["undeclared"] == 0, report["details"]
    assert report["memory_growth_mib"] <= 32, report
    assert report["ms_a_refusal"] <= 1.0, report
    assert report["wire_p99_ms"] <= 5.0, report
    assert report["largest_p99_ms"] <= 50.0, report  # 64 KiB that say 4,500 readings: no more than their size explains
    assert report["payloads"] == 20_000


def take_all(folder: Path, frames: list[bytes]) -> tuple[Intake, float]:
    """An intake with all of them in its journal, and the CPU seconds that took."""
    config = CollectorConfig(fleet="plant", broker=Broker(url=f"mqtt://127.0.0.1:{free_port()}"))
    intake = Intake(config, folder, lambda: T0 + HOUR_MS)
    topic, began = str(Topic.of("plant", "rig", "frame")), time.process_time()
    for start in range(0, len(frames), 1_000):
        for number, frame in enumerate(frames[start : start + 1_000]):
            intake.received(Message(topic, frame, False, number + 1, 1))
        intake.step()
    return intake, time.process_time() - began


def body(number: int) -> bytes:
    """Ten readings of a device."""
    rows = [[i, i, 1_000_000, number * 10 + i] for i in range(10)]
    return encode_body([Rows("d1", 1, "heap", ("h",), 0, 1, T0 + number * 10, 0, ("free", "used"), rows)])


def test_one_in_a_hundred_poisoned_costs_that_one(tmp_path: Path) -> None:
    dice = random.Random(5)
    clean = [body(number) for number in range(FRAMES)]
    poisons = [*BOMBS, clean[0][: len(clean[0]) // 2], dice.randbytes(300)]
    mixed = [dice.choice(poisons) if number % EVERY == EVERY - 1 else good for number, good in enumerate(clean)]
    intakes: dict[str, Intake] = {}
    seconds, shares = dict[str, float](), list[float]()
    while len(shares) < 6:  # one fair turn is enough: the machine does other things, too, and then is slower for both
        for name, bodies in (("clean", clean), ("mixed", mixed)):
            sealed = [seal(Header(7, number + 1, 1, 0), each) for number, each in enumerate(bodies)]
            intakes[name], seconds[name] = take_all(tmp_path / f"{name}-{len(shares)}", sealed)
        shares.append(seconds["clean"] / seconds["mixed"])
        if shares[-1] >= SHARE:
            break
    counters = intakes["mixed"].journal.counters()
    assert counters["accepted_rows"] == (FRAMES - FRAMES // EVERY) * 10
    assert counters["quarantined_rows"] == FRAMES // EVERY
    kept = intakes["mixed"].journal.db.execute("SELECT count(*), count(reason) FROM quarantine").fetchone()
    assert kept == (FRAMES // EVERY, FRAMES // EVERY)
    assert shares[-1] >= SHARE, shares
    for intake in intakes.values():
        intake.close()
