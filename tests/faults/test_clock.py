"""The wall clock of the collector's host is set by an hour, twice: nobody is called silent, nothing ends that lasts."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.judge.process import JudgeProcess
from collector.judge.rules import load_rules
from collector.records import Finding, decode_finding, encode_arrival, encode_tick
from telemetry.journal import START, Journal, JournalReader
from telemetry.readings import About
from telemetry.wire import Rows, encode_body
from tests.collector.stores.made import T0

HOUR_MS = 3_600_000
SECONDS = 450
RULES = """
[[rule]]
name = "full"
kind = "heap"
when = "free < 1000"
for = "10s"
severity = "critical"
reason = "{free} bytes free"

[[rule]]
name = "silent"
kind = "device"
when = "silent_s >= silent_after_s"
severity = "warning"
reason = "silent for {silent_s} s"
"""


def second(number: int, off_ms: int) -> list[tuple[bytes, int]]:
    """What intake journals in a second: a device that is fine, one whose heap is full, a tick by its wrong clock."""
    now_ms = T0 + number * 1000
    entries = []
    for device, free in (("fine", 50_000), ("full", 500)):
        rows = Rows(device, 1, "heap", ("h",), 0, 1, now_ms, number * 1000, ("size", "free"), [[0, 0, 100_000, free]])
        blocks = [About(device, 1, {"platform": "esp32"}, {}), rows] if number == 0 else [rows]
        entries.append((encode_arrival(now_ms + off_ms, f"agent-{device}", 0, encode_body(blocks)), 1))
    return [*entries, (encode_tick(now_ms + off_ms), 0)]


@pytest.mark.parametrize("off_ms", [HOUR_MS, -HOUR_MS])
def test_a_clock_step_neither_fires_nor_resolves(tmp_path: Path, off_ms: int) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES)
    journal = Journal(tmp_path / "readings.journal")
    with journal.transaction():
        for number in range(SECONDS):
            journal.append(second(number, off_ms if SECONDS // 3 <= number < 2 * SECONDS // 3 else 0))
    judge = JudgeProcess(tmp_path, load_rules(rules), 60.0, 2**30)
    while judge.step():
        pass
    judge.close()
    frames, _ = JournalReader(tmp_path / "findings.journal").read(START, 1000)
    found = [entry for frame in frames if isinstance(entry := decode_finding(frame.data), Finding)]
    assert [(entry.rule, entry.device, entry.status) for entry in found] == [("full", "full", "firing")]
