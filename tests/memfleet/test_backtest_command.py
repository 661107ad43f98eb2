"""`memfleet backtest` as it is called: a file of somebody else's readings, and why a verdict is what it is."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.memfleet.running import run

START_S, EVERY_S, HOURS = 1_790_000_000, 300, 20


def line(device: str, number: int, used: float) -> dict[str, Any]:
    """As a stranger writes it: no boot, no uptime, no firmware, numbers with a fraction, a field of its own."""
    time_s = START_S + number * EVERY_S + 0.25
    return {"device": device, "kind": "heap", "time_s": time_s, "size": 200_000.0, "used": used, "humidity": 3, "x": []}


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A device that leaks, one that does not, device by device; and lines that are none."""
    count = HOURS * 3600 // EVERY_S
    leaks = [line("room 1/leaks", number, 50_000 + 600.5 * number) for number in range(count)]
    steady = [line("steady", number, 50_000 + number % 7) for number in range(count)]
    lines = [json.dumps(one) for one in (*leaks, *steady)]
    lines[10:10] = ["{", json.dumps({"device": "a", "kind": "tree", "time_s": 1})]
    path = tmp_path_factory.mktemp("recording") / "readings.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


def test_each_verdict_is_a_line_and_each_bad_line_is_named(recording: Path) -> None:
    done = run("backtest", "--input", recording)
    said = [json.loads(one) for one in done.stdout.splitlines()]
    verdicts = [one for one in said if one["type"] == "verdict" and one["status"] == "firing"]
    assert {(one["device"], one["verdict"], one["name"]) for one in verdicts} == {("room 1/leaks", "leak", "")}
    assert set(verdicts[0]) >= {"device", "kind", "name", "reason", "since", "detected_at", "numbers"}
    assert f"left out: {recording}, line 11: is no JSON object" in done.stderr
    assert "line 12: kind 'tree' is none of" in done.stderr
    assert done.returncode == 0


def test_a_verdict_is_explained(recording: Path) -> None:
    words = run("backtest", "--input", recording, "--explain", "room 1/leaks", columns=200).stdout
    assert words.startswith("room 1/leaks: heap: a leak\n")
    assert "slope     7.0 KiB/h, 95 % interval 7.0 to 7.0" in words
    assert "NO" not in words.partition("it is more than healthy memory does")[0]
    views = json.loads(run("backtest", "--input", recording, "--explain", "steady", "--json").stdout)
    assert not any(one["told"] for one in views)
    assert {"buckets", "kept", "envelope", "slope_low", "conditions"} <= set(views[-1]["window"])


def test_nobody_can_be_explained_who_is_not_there(recording: Path) -> None:
    done = run("backtest", "--input", recording, "--explain", "nobody")
    assert done.returncode == 2
    assert "nothing is known of nobody" in done.stderr
