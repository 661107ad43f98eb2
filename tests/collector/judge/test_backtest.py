"""Backtests: the judge on lines of JSON says what it says on a journal, whatever the order of the lines."""

from __future__ import annotations

import gzip
import json
import random
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from collector.judge import recorded
from collector.judge.backtest import Backtest, Shelf
from collector.judge.engine import Judge
from collector.judge.recorded import batches, open_lines, record, tick_step_ms
from collector.judge.rules import Rule, load_rules, parse_rules
from collector.records import Arrival, Finding
from telemetry import ndjson
from telemetry.errors import UsageError
from telemetry.pace import PERIODS
from telemetry.readings import About, Reading
from tests.collector.judge.stream import START_MS, rows

LOW = """
[[rule]]
name = "low"
kind = "heap"
severity = "warning"
when = "free < 1000"
keep_firing_for = "10s"
reason = "{free:size} are free."
"""


def line(device: str, second: int, free: int, **more: Any) -> bytes:
    table = {"device": device, "platform": "zephyr", "firmware": "1.5", "kind": "heap", "name": "main"}
    return json.dumps(
        table | {"time_s": START_MS / 1000 + second, "uptime_s": second, "boot": 1, "size": 9000, "free": free} | more
    ).encode()


def judged(
    lines: list[bytes], rules: tuple[Rule, ...] | None = None, silent_s: float = 300, tick_ms: int = 1000
) -> list[dict[str, Any]]:
    with ExitStack() as files:
        recording = record(lines, files, ndjson.time_of)
        test = Backtest(rules or parse_rules(LOW), silent_s, tick_ms)
        return list(test.run(batches(recording.readings(), recording.start_ms, tick_ms)))


def test_alerts_and_incidents_are_printed_with_their_times() -> None:
    lines = [line(f"board-{n}", s, 500 if 10 + n <= s < 60 else 5000) for s in range(700) for n in range(3)]
    said = judged(lines)
    fired = [one for one in said if one["type"] == "alert" and one["status"] == "firing"]
    assert [(one["device"], one["since"], one["reason"]) for one in fired] == [
        (f"board-{n}", START_MS / 1000 + 10 + n, "500 bytes are free.") for n in range(3)
    ]
    assert all(one["since"] < one["detected_at"] <= one["since"] + 1 for one in fired)
    (incident,) = [one for one in said if one["type"] == "incident"]
    assert incident["numbers"] == {"free": 500, "devices": 3, "firing": 0}
    assert (incident["status"], incident["first"], incident["firmware"]) == ("resolved", "board-0", "1.5")
    assert incident["over_at"] == START_MS / 1000 + 71


def test_open_incidents_are_printed_at_the_end() -> None:
    said = judged([line("board", second, 10) for second in range(20)])
    assert [(one["type"], one["status"]) for one in said] == [("alert", "firing"), ("incident", "firing")]
    assert said[-1]["over_at"] is None


def test_the_order_of_the_lines_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [line(f"board-{n}", s, 8000 - 13 * s) for s in range(600) for n in range(2)]
    straight = judged(lines, load_rules(None), tick_ms=5000)
    assert {one["rule"] for one in straight} >= {"heap-leak", "heap-low"}
    monkeypatch.setattr(recorded, "_RUN_LINES", 100)  # so that runs are merged from files
    shuffled = list(lines)
    random.Random(3).shuffle(shuffled)
    by_device = sorted(lines, key=lambda one: b"board-1" in one)
    for other in (shuffled, by_device):
        again = judged(other, load_rules(None), tick_ms=5000)
        assert sorted(map(json.dumps, again)) == sorted(map(json.dumps, straight))


def test_a_verdict_is_told_from_an_alert() -> None:
    said = judged([line("board", s, 8000 - 8 * s) for s in range(900)], load_rules(None), tick_ms=5000)
    assert {(one["type"], one["rule"]) for one in said if one["status"] == "firing"} >= {
        ("verdict", "heap-leak"),
        ("alert", "heap-low"),
        ("incident", "heap-leak"),
    }
    assert {one["verdict"] for one in said if one["rule"] == "heap-leak"} == {"leak"}
    assert {one["verdict"] for one in said if one["rule"] == "heap-low"} == {""}
    leak = next(one for one in said if one["type"] == "verdict")
    assert leak["numbers"]["leak_rate"] == pytest.approx(8 * 3600, rel=0.05)


def test_it_is_the_judge_of_a_collector() -> None:
    lines = [line("board", second, 8000 - 8 * second) for second in range(900)]
    judge = Judge(load_rules(None), Shelf(), 300)
    live: list[Finding] = []
    for second in range(901):
        arrivals = []
        if second < 900:
            values = {"size": 9000, "free": 8000 - 8 * second}
            time_ms = START_MS + 1000 * second
            block = rows("board", "heap", ("main",), time_ms, values, uptime_ms=1000 * second)
            about = About("board", 1, {"platform": "zephyr", "firmware": "1.5"})
            arrivals = [Arrival(time_ms, "recorded", [about, block])]
        live += judge.batch(arrivals, START_MS + 1000 * (second + 1))
    told = [one for one in judged(lines, load_rules(None)) if one["type"] != "incident"]
    assert [(one["rule"], one["status"], one["reason"]) for one in told] == [
        (one.rule, one.status, one.reason) for one in live
    ]


def test_a_silent_device_is_told_while_others_speak() -> None:
    lines = [line("talks", s, 5000) for s in range(600)] + [line("falls-silent", s, 5000) for s in range(100)]
    rules = tuple(rule for rule in load_rules(None) if rule.name == "silent")
    silent = [one for one in judged(lines, rules, silent_s=120) if one["type"] == "alert"]
    assert [(one["device"], one["status"]) for one in silent] == [("falls-silent", "firing")]


def test_a_device_that_speaks_seldom_is_not_silent_between_two_words_of_others() -> None:
    hours = range(0, 40 * 3600, 3600)
    lines = [line("seldom", s, 5000) for s in hours if s < 20 * 3600] + [
        line("often", s, 5000) for s in range(0, hours.stop, 300)
    ]
    rules = tuple(rule for rule in load_rules(None) if rule.name == "silent")
    with ExitStack() as files:
        recording = record(lines, files, ndjson.time_of)
        readings = recording.readings(paced=True)
        said = list(Backtest(rules, 300, 60_000).run(batches(readings, recording.start_ms, 60_000)))
    fired = [one for one in said if one["type"] == "alert" and one["status"] == "firing"]
    assert [one["device"] for one in fired] == ["seldom"]
    assert (fired[0]["detected_at"] - START_MS / 1000) / 3600 == pytest.approx(19 + PERIODS, abs=0.1)


def test_what_a_device_says_as_it_starts_is_not_how_often_it_speaks() -> None:
    started = {"device": "seldom", "kind": "event", "name": "boot", "time_s": START_MS / 1000, "uptime_s": 0}
    lines = [json.dumps(started).encode()] + [line("seldom", s, 5000) for s in range(20, 7200, 600)]
    rules = tuple(rule for rule in load_rules(None) if rule.name == "silent")
    with ExitStack() as files:
        recording = record(lines, files, ndjson.time_of)
        readings = recording.readings(paced=True)
        assert not list(Backtest(rules, 300, 60_000).run(batches(readings, recording.start_ms, 60_000)))


def test_what_a_device_says_some_seconds_after_something_else_is_of_the_same_report() -> None:
    lines = [line("seldom", s, 5000) for s in range(0, 7200, 600)]
    lines += [line("seldom", s + 14, 900, name="script") for s in range(0, 7200, 600)]
    rules = tuple(rule for rule in load_rules(None) if rule.name == "silent")
    with ExitStack() as files:
        recording = record(lines, files, ndjson.time_of)
        readings = recording.readings(paced=True)
        assert not list(Backtest(rules, 300, 60_000).run(batches(readings, recording.start_ms, 60_000)))


def test_what_intake_would_refuse_is_left_out_here_too() -> None:
    lines = [line("a", 1, -5), line("a", 2, 2**32 - 100), line("a", 3, 5, largest_free=4000)]
    lines += [line("a", 4, 5, size=2**64), line("a", 5, 5, size=1e30)]
    nothing = {"device": "a", "kind": "heap", "name": "main", "time_s": START_MS / 1000, "heap_free": 9}
    lines.append(json.dumps(nothing).encode())
    with ExitStack() as files:
        recording = record(lines, files, ndjson.time_of)
        assert not list(recording.readings())
    words = (
        "none of the fields of heap: size, free",
        "negative",
        "underflow",
        "largest_above_free",
        *2 * ("not_64_bit",),
    )
    assert recording.refusals == 6
    assert all(word in said for word, said in zip(words, recording.refused, strict=True))


def test_what_a_line_leaves_out_of_its_device_is_as_lines_before_said() -> None:
    texts = {"site": "ulm"}
    lines = [
        line("a", 1, 5, texts=texts, limits={"heap": 9}),
        json.dumps({"device": "a", "kind": "heap", "name": "main", "time_s": START_MS / 1000 + 2, "free": 5}).encode(),
        line("a", 3, 5, firmware="1.6", limits={"stack": 7}),
        json.dumps({"device": "b", "kind": "heap", "name": "main", "time_s": START_MS / 1000 + 4, "free": 5}).encode(),
    ]
    with ExitStack() as files:
        first, bare, updated, other = [about for about, _ in record(lines, files, ndjson.time_of).readings()]
    assert first.texts == bare.texts == {"platform": "zephyr", "firmware": "1.5", "site": "ulm"}
    assert updated.texts == {"platform": "zephyr", "firmware": "1.6", "site": "ulm"}
    assert (bare.limits, updated.limits) == ({"heap": 9}, {"heap": 9, "stack": 7})
    assert (other.texts, other.limits) == ({"platform": "other"}, {})


def test_boots_are_told_apart_by_uptime_where_lines_do_not() -> None:
    lines = [line("board", s, 5000, boot=None, uptime_s=s % 100) for s in range(300)]
    with ExitStack() as files:
        found = [reading for _, reading in record(lines, files, ndjson.time_of).readings()]
    assert [found[at].boot for at in (0, 99, 100, 199, 200, 299)] == [1, 1, 2, 2, 3, 3]


def test_what_cannot_be_read_is_left_out_and_said() -> None:
    lines = [line("board", 1, 5000), b"nonsense", b"", line("", 2, 1), line("board", 3, 5000)]
    with ExitStack() as files:
        recording = record(lines, files, ndjson.time_of)
        assert len(list(recording.readings())) == 2
    assert (recording.refusals, recording.numbered) == (2, 4)
    assert [one.split(":")[0] for one in recording.refused] == ["line 2", "line 4"]


def test_what_a_clock_said_before_it_was_set_is_left_out() -> None:
    unset = [line("board", 0, 1, time_s=40 + s, uptime_s=s, boot=boot) for boot in (1, 2) for s in (10, 20)]
    known = [line("board", 100 * boot + s, 5000, uptime_s=s, boot=boot) for boot in (1, 2) for s in (30, 40)]
    with ExitStack() as files:
        recording = record([*unset, *known], files, ndjson.time_of)
        found = [reading for _, reading in recording.readings()]
        assert [(one.boot, one.uptime_ms) for one in found] == [(1, 30_000), (1, 40_000), (2, 30_000), (2, 40_000)]
        assert (recording.start_ms, recording.lines, recording.refusals) == (found[0].time_ms, 4, 4)
        assert recording.refused[0].startswith("line 1: time_s: 50 is before 2000")
        only = record(unset, files, ndjson.time_of)  # the times of a recording may well be no dates
        assert (len(list(only.readings())), only.refusals) == (4, 0)


def test_an_uptime_of_32_bits_that_begins_anew_is_no_boot() -> None:
    turn = 2**32 / 1000
    lines = [line("board", s, 5000, boot=1, uptime_s=(turn - 120 + s) % turn) for s in range(0, 240, 10)]
    lines.append(line("board", 300, 5000, boot=1, uptime_s=20))
    with ExitStack() as files:
        found = [reading for _, reading in record(lines, files, ndjson.time_of).readings()]
    assert [one.boot for one in found] == [1] * 24 + [2]


def test_a_boot_that_is_told_late_is_no_new_one() -> None:
    lines = [line("board", s, 5000, boot=None if s < 2 else 7, uptime_s=s) for s in range(5)]
    lines += [line("board", s, 5000, boot=8, uptime_s=s - 5) for s in range(5, 8)]
    with ExitStack() as files:
        found = [reading for _, reading in record(lines, files, ndjson.time_of).readings()]
    assert [one.boot for one in found] == [1, 1, 1, 1, 1, 8, 8, 8]


def test_a_boot_that_is_always_called_the_same_ends_with_its_uptime_too() -> None:
    lines = [line("board", s, 5000, boot=7, uptime_s=s % 100) for s in range(300)]
    lines += [line("late", 10, 1, boot=3, uptime_s=5), line("late", 11, 1, boot=4, uptime_s=1)]
    lines += [line("late", 12, 1, boot=3, uptime_s=7), line("late", 13, 1, boot=4, uptime_s=3)]
    with ExitStack() as files:
        found = [reading for _, reading in record(lines, files, ndjson.time_of).readings()]
    assert [one.boot for one in found if one.device == "board"][::60] == [7, 7, 8, 8, 9]
    assert [one.boot for one in found if one.device == "late"] == [3, 4, 3, 4]


def test_one_misread_uptime_is_no_boot_where_lines_say_that_it_is_the_same() -> None:
    def read(lines: list[bytes]) -> list[tuple[int, int | None]]:
        with ExitStack() as files:
            return [(one.boot, one.uptime_ms) for _, one in record(lines, files, ndjson.time_of).readings()]

    lost_digit = {40: 4, 60: 6}
    lines = [line("board", s, 5000, boot=3, uptime_s=1000 + lost_digit.get(s, s)) for s in range(0, 100, 10)]
    assert read(lines) == [(3, None if s in lost_digit else 1_000_000 + s * 1000) for s in range(0, 100, 10)]
    counted = [line("board", s, 5000, boot=4, uptime_s=s - 100) for s in (100, 110)]
    misread = [line("board", 95, 5000, boot=3, uptime_s=9)]
    assert read(lines[:1] + misread + counted) == [(3, 1_000_000), (3, None), (4, 0), (4, 10_000)]


def test_a_boot_called_the_same_that_is_over_at_once_is_one_and_the_last_of_a_recording_too() -> None:
    with ExitStack() as files:
        lines = [
            line("board", s, 5000, boot=3, uptime_s=up) for s, up in ((0, 500), (10, 510), (20, 8), (25, 3), (30, 0))
        ]
        assert [one.boot for _, one in record(lines, files, ndjson.time_of).readings()] == [3, 3, 4, 5, 6]


def test_log_lines_begin_no_boot() -> None:
    """A co-processor stamps its lines with a clock of its own."""
    log = {"kind": "log", "name": "", "text": "wifi: connected", "level": "info"}
    lines = [line("board", s, 5000, boot=1, uptime_s=1000 + s) for s in range(0, 100, 10)]
    lines += [line("board", s, 5000, boot=1, uptime_s=5, **log) for s in (15, 45, 75)]
    lines += [line("board", s, 5000, boot=1, uptime_s=99_999, **log) for s in (25, 55)]
    with ExitStack() as files:
        assert {one.boot for _, one in record(lines, files, ndjson.time_of).readings()} == {1}


def test_readings_that_stand_far_apart_are_judged_in_wider_ticks() -> None:
    with ExitStack() as files:
        recording = record([line(f"board-{n % 3}", 300 * n, 5000) for n in range(9)], files, ndjson.time_of)
        assert recording.sampling_ms() == 900_000
    weeks_ms = 28 * 86_400_000
    assert [tick_step_ms(weeks_ms, s * 1000) for s in (0, 60, 150, 300, 900)] == [
        60_000,
        60_000,
        120_000,
        300_000,
        300_000,
    ]
    at_ms = START_MS - START_MS % 300_000
    items = [(About("a", 1), Reading("a", "heap", ("x",), at_ms + n * 90_000, {"free": n}, 1)) for n in range(3)]
    (first, *_) = batches(items, at_ms, 300_000)
    assert [arrival.received_ms - at_ms for arrival in first.arrivals] == [0, 90_000, 180_000]


def test_years_without_a_reading_are_passed_over() -> None:
    items = [(About("a", 1), Reading("a", "heap", ("x",), at_ms, {"free": 1}, 1)) for at_ms in (1000, START_MS)]
    found = list(batches(items, 1000, 60_000))
    assert len(found) == 362
    assert [len(batch.arrivals) for batch in (found[0], found[-1])] == [1, 1]
    assert found[-1].tick_ms - START_MS <= 60_000


def test_damaged_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson.gz"
    path.write_bytes(gzip.compress(b"".join(line("a", n, 1) + b"\n" for n in range(1000)))[:-200])
    with ExitStack() as files, pytest.raises(UsageError, match="is damaged or cut short"):
        list(open_lines(path, files))


def test_packed_files_are_unpacked(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.ndjson", tmp_path / "a.ndjson.gz"
    plain.write_bytes(b"1\n2\n")
    packed.write_bytes(gzip.compress(b"1\n2\n"))
    with ExitStack() as files:
        assert list(open_lines(plain, files)) == list(open_lines(packed, files)) == [b"1\n", b"2\n"]


def test_ticks_stand_closer_in_short_recordings() -> None:
    assert [tick_step_ms(hours * 3_600_000) for hours in (1, 8, 24, 24 * 28, 24 * 365)] == [
        1_000, 5_000, 10_000, 60_000, 60_000,
    ]  # fmt: skip


def test_readings_of_one_sort_share_a_block() -> None:
    about = About("a", 1, {"platform": "zephyr"})
    items = [(about, Reading("a", "heap", ("x",), START_MS + n * 100, {"free": n}, 1, n)) for n in range(25)]
    (first, *rest) = batches(items, START_MS, 1000)
    (arrival,) = first.arrivals
    (described, block) = arrival.blocks
    assert described == about
    assert not isinstance(block, About)
    assert [r.values["free"] for r in block.readings()] == list(range(10))
    assert len(rest) == 2
