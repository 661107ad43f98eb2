"""Comparing firmware, from stored readings to the exit status."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from memfleet.cli import main
from telemetry.clock import wall_ms
from telemetry.readings import About
from tests.collector.web.seeding import Collector, rows
from tests.collector.web.server import page_process

SAMPLES, STEP_MS = 120, 60_000


def boot(collector: Collector, device: str, firmware: str, number: int, base: int, start_ms: int) -> None:
    chance = random.Random(f"{device}{number}")
    times = [start_ms + n * STEP_MS for n in range(SAMPLES)]
    used = [base + 5 * chance.randrange(400) for _ in times]
    about = About(device, number, {"platform": "esp32", "firmware": firmware})
    free = [300_000 - value for value in used]
    told = {"used": used} if int(device[1:]) % 2 else {"free": free}  # of the other half used is what is not free
    collector.arrive([about, rows(device, "heap", ("dram",), times, {"size": [300_000] * SAMPLES} | told, number, 0)])


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory: Path = tmp_path_factory.mktemp("compared")
    collector = Collector(directory)
    now_ms = wall_ms()
    for number in range(8):
        start_ms = now_ms - 9 * 3_600_000
        boot(collector, f"d{number}", "1.4.1", 1, 100_000 + 3000 * number, start_ms)
        boot(collector, f"d{number}", "1.5.0", 2, 130_000 + 3000 * number, start_ms + 4 * 3_600_000)
    collector.settle()
    with page_process(directory) as url:
        yield url
    collector.close()


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: int, *words: str) -> Any:
    monkeypatch.setattr(sys, "argv", ["memfleet", "compare", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert (ended.value.code or 0) == status, said.err
    return said.out if status < 2 else said.err


def test_a_hungrier_version_fails_the_build(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = json.loads(run(monkeypatch, capsys, 1, "1.4.1", "1.5.0", "--url", address, "--json"))
    by_measure = {one["measure"]: one for one in found}
    assert by_measure["level"]["verdict"] == "worse"
    assert by_measure["level"]["difference"] == pytest.approx(30_000, abs=1500)
    assert by_measure["level"]["devices"] == [8, 8]
    assert by_measure["level"]["low"] < 30_000 < by_measure["level"]["high"]
    assert by_measure["growth"]["verdict"] == "unclear"  # two hours of traffic hide tens of bytes an hour
    told = run(monkeypatch, capsys, 1, "1.4.1", "1.5.0", "--url", address)
    assert "worse" in told
    assert "unclear: there may be none" in told


def test_the_other_way_round_it_passes(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "better" in run(monkeypatch, capsys, 0, "1.5.0", "1.4.1", "--url", address)


def test_two_boots_of_one_board(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--device", "d3", "--boot", "1", "--boot", "2", "--url", address)
    (found,) = json.loads(run(monkeypatch, capsys, 1, *words, "--json"))
    assert 29_000 < found["low"] < 30_000 < found["high"] < 31_000
    assert "another board may differ" in run(monkeypatch, capsys, 1, *words)


def test_what_is_not_there_is_said(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "there are 1.4.1, 1.5.0" in run(monkeypatch, capsys, 2, "1.4.1", "9.9", "--url", address)
    of_boots = ("--boot", "1", "--boot", "7", "--url", address)
    said = run(monkeypatch, capsys, 2, "--device", "d3", *of_boots)
    assert "boot 7 of 'd3' told nothing, or too little, in that time to be compared: it takes some samples" in said
    assert said.count("boot 1, 2 told enough") == 1
    assert "no device named 'd99' has reported" in run(monkeypatch, capsys, 2, "--device", "d99", *of_boots)
    assert "name two firmware versions" in run(monkeypatch, capsys, 2, "1.4.1", "--url", address)
