"""A device that is unlike its peers: told once, and only where there are peers to compare with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from collector.judge.backtest import Shelf
from collector.judge.engine import Judge
from collector.judge.rules import load_rules
from collector.records import Arrival, Finding
from telemetry.readings import About
from telemetry.wire import Rows
from tests.collector.judge.stream import START_MS, rows

SIZE = 200_000


def fleet(
    levels: list[int], hours: int = 8, *, sizes: Sequence[int] = (), versions: Sequence[str] = ()
) -> list[Finding]:
    """What is said of devices that hold so much, read every five minutes."""
    judge = Judge([rule for rule in load_rules(None) if rule.name == "unlike-peers"], Shelf(), 3600, step_ms=60_000)
    sizes, versions = sizes or [SIZE] * len(levels), versions or ["1.0"] * len(levels)
    noise = np.random.default_rng(5)
    said: list[Finding] = []
    for number in range(hours * 12):
        now_ms = START_MS + number * 300_000
        blocks: list[About | Rows] = []
        for device, (level, size, firmware) in enumerate(zip(levels, sizes, versions, strict=True)):
            name, used = f"d{device}", level + int(noise.integers(0, 3000))
            about = About(name, 1, {"platform": "esp32", "board": "c3", "firmware": firmware})
            values = {"size": size, "used": used}
            blocks += [about, rows(name, "heap", ("dram",), now_ms, values, uptime_ms=3_600_000 + number * 300_000)]
        said += judge.batch([Arrival(now_ms, "agent", blocks)], now_ms + 1)
        for minute in range(1, 5):
            said += judge.batch([], now_ms + 1 + minute * 60_000)
    return said


def test_the_one_that_holds_far_more_is_told_once() -> None:
    (found,) = fleet([60_000 + 1000 * n for n in range(9)] + [120_000])
    assert (found.device, found.severity, found.status) == ("d9", "info", "firing")
    assert found.reason.startswith("Unlike its 9 peers of the same board, firmware and age of boot: it holds 117.")
    assert found.numbers["peer_used"] < 70_000


def test_few_peers_wide_spreads_other_sizes_and_other_firmware_tell_nothing() -> None:
    assert fleet([60_000] * 8 + [120_000], hours=5, versions=["1.0"] * 4 + ["1.1"] * 5) == []
    assert fleet([20_000 + 13_000 * n for n in range(12)], hours=5) == []
    assert fleet([60_000] * 9 + [160_000], hours=5, sizes=[SIZE] * 9 + [SIZE * 2]) == []
