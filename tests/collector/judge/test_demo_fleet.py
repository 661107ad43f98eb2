"""The default rules on the fleet that the demo shows: its truth is known, the judge sees its readings only."""

from __future__ import annotations

import pytest

from collector.records import Finding
from telemetry.readings import About, Reading
from telemetry.wire import Rows, flag_bits
from tests.collector.judge.stream import START_MS, Bench

pytest.importorskip("emulators._core", reason="the emulators want a C compiler")

from emulators.fleet import Fleet
from emulators.truth import Truth

DEVICES, SEED, SECONDS = 80, 2, 300


@pytest.fixture(scope="module")
def judged() -> tuple[list[Finding], dict[str, Truth]]:
    fleet, bench = Fleet.demo(DEVICES, SEED), Bench()
    for _ in range(SECONDS):
        bench.second(*(_block(entry) for entry in fleet.advance(bench.now_ms + 900)))
    return bench.findings, fleet.truth()


def _block(entry: About | Reading) -> About | Rows:
    if isinstance(entry, About):
        return entry
    return Rows(
        entry.device, entry.boot, entry.kind, tuple(entry.names), flag_bits(entry.flags), entry.resolution,
        entry.time_ms, entry.uptime_ms, tuple(entry.values),
        [[0, None if entry.uptime_ms is None else 0, *entry.values.values()]],
    )  # fmt: skip


def test_a_leaking_device_is_told_within_two_minutes(judged: tuple[list[Finding], dict[str, Truth]]) -> None:
    findings, truth = judged
    early = [f for f in findings if f.rule in ("heap-leak", "user-memory-leak") and f.at_ms <= START_MS + 120_000]
    assert [finding for finding in early if truth[finding.device].fault == "leak"]


def test_no_healthy_device_is_called_leaking(judged: tuple[list[Finding], dict[str, Truth]]) -> None:
    findings, truth = judged
    assert [f.key for f in findings if "leak" in f.rule and truth[f.device].fault == "healthy"] == []


def test_every_device_that_was_killed_or_panicked_is_told(judged: tuple[list[Finding], dict[str, Truth]]) -> None:
    findings, truth = judged
    ended = {f.device for f in findings if f.rule in ("out-of-memory-kill", "panic", "stack-overflow")}
    assert ended
    assert all(truth[device].fault != "healthy" for device in ended)


def test_the_rate_told_is_the_rate_of_the_leak(judged: tuple[list[Finding], dict[str, Truth]]) -> None:
    findings, truth = judged
    leaking = {device: known for device, known in truth.items() if known.fault == "leak" and known.from_ms == 0}
    told = [f for f in findings if f.rule == "heap-leak" and f.status == "firing" and f.device in leaking]
    assert told
    for finding in told:
        assert finding.numbers["leak_rate"] == pytest.approx(leaking[finding.device].leak_bytes_per_hour, rel=0.25)
