"""`memfleet backtest` as it is called: a file of somebody else's readings, and why a verdict is what it is."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
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
    lines[10:10] = ["{", json.dumps({"device": "a", "kind": "tree", "time_s": START_S})]
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


@pytest.mark.parametrize("unpacked", [bytes, gzip.decompress], ids=["packed", "plain"])
def test_readings_come_from_another_program(recording: Path, unpacked: Callable[[bytes], bytes]) -> None:
    done = run("backtest", "--input", "-", data=unpacked(recording.read_bytes()))
    assert done.stdout == run("backtest", "--input", recording).stdout
    assert "left out: standard input, line 11: is no JSON object" in done.stderr


def test_only_the_time_that_was_asked_for_is_judged(recording: Path) -> None:
    def told(*chosen: str) -> list[float]:
        done = run("backtest", "--input", recording, *chosen)
        said = [json.loads(one) for one in done.stdout.splitlines()]
        return [one["detected_at"] for one in said if one["type"] == "verdict" and one["status"] == "firing"]

    (whole,) = told()
    assert told("--to", str(int((whole - 60) * 1000))) == []
    (later,) = told("--from", str((START_S + 4 * 3600) * 1000))
    assert later > whole, "growth before was not seen"
    done = run("backtest", "--input", recording, "--from", "2020-01-01T00:00:00Z", "--to", "2020-01-02T00:00:00Z")
    assert done.returncode == 2
    assert "no reading of that time; its readings are from 2026-09-21" in done.stderr.replace("\n", " ")


def test_a_verdict_is_explained(recording: Path) -> None:
    done = run("backtest", "--input", recording, "--explain", "room 1/leaks", columns=200)
    words = done.stdout
    assert "room 1/leaks is judged by itself here: it is compared with no peers" in done.stderr
    leak = words.partition("a leak since the device started: yes\n")[2].partition("most of the memory taken")[0]
    assert "slope     7.0 KiB/h, 95 % interval 7.0 KiB/h to 7.0 KiB/h" in leak
    assert re.search(r"yes  times that it rose: no step +13  at least 6\n", leak)
    assert "NO" not in leak.partition("more than healthy memory does")[0]
    assert "  told: a leak since the device started, rule heap-low (firing), rule heap-leak (firing)\n" in words
    assert "rule heap-leak: yes (firing)" in words


def test_what_is_not_told_is_explained_as_well_with_every_number(recording: Path) -> None:
    said = json.loads(run("backtest", "--input", recording, "--explain", "steady", "--json").stdout)
    assert not any(one["told"] for one in said)
    questions = {one["why"]["question"] for one in said}
    assert {
        "leak",
        "block",
        "rush",
        "boots",
        "fragmentation",
        "step",
        "peers",
        "restarts",
        "rule heap-low",
    } <= questions
    leak = next(one["why"] for one in said if one["why"]["question"] == "leak")
    assert {"buckets", "kept", "envelope", "slope_low"} <= set(leak["window"])
    assert {"what", "measured", "relation", "asked", "held"} <= set(leak["conditions"][0])


def test_what_a_debugger_inflated_is_said_to_be_left_alone(tmp_path: Path) -> None:
    flagged = [line("board", number, 50_000) | {"flags": ["debugger"]} for number in range(3)]
    path = tmp_path / "readings.ndjson"
    path.write_text("\n".join(json.dumps(one) for one in [*flagged, line("board", 3, 50_000)]))
    done = run("backtest", "--input", path, "--explain", "board")
    assert "3 readings carry the flag debugger: they are shown, not judged" in done.stderr


def test_nobody_can_be_explained_who_is_not_there(recording: Path) -> None:
    done = run("backtest", "--input", recording, "--explain", "nobody")
    assert done.returncode == 2
    assert "has nothing of nobody in that time; it speaks of room 1/leaks, steady" in " ".join(done.stderr.split())


def test_readings_in_the_place_of_rules_are_told_apart(recording: Path) -> None:
    done = run("backtest", recording)
    assert done.returncode == 2
    assert f"memfleet backtest --input {recording}" in done.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\n \n", "there is no line in it"),
        ("{}".encode("utf-16"), "write it as UTF-8"),
        (b"time,device\n" * 9, "none of its 9 lines could be read as a reading: one JSON object a line"),
    ],
)
def test_a_file_that_holds_no_readings_says_so(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "odd.ndjson").write_bytes(content)
    done = run("backtest", "--input", tmp_path / "odd.ndjson")
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") <= 4, "the same is not said of every line"


def test_a_file_of_readings_that_is_not_there_is_a_wrong_command(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        done = run("backtest", "--input", path)
        assert (done.returncode, f"{path}: cannot be read: " in done.stderr) == (2, True)
