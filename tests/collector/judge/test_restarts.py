"""What a restart ends is not over: what is said of it, and that it stays one incident until a whole boot was calm."""

from __future__ import annotations

import pytest

from collector.judge.incidents import Incidents
from collector.records import Finding, Incident
from tests.collector.judge.stream import LEAK_RULE, START_MS, Bench, rows, told

SIZE = 100_000
HOUR = 60
VERDICT = """
[[rule]]
name = "growing"
kind = "heap"
severity = "critical"
verdict = "leak"
when = "used > 50000"
keep_firing_for = "5m"
reason = "It grows."
"""
RESTARTED = "The device restarted, and only that ended it: memory began anew."


class Board:
    """A board of one heap that is heard once a minute, its judge, and what people hear of: incidents."""

    def __init__(self, rules: str | None = None) -> None:
        self.bench = Bench(rules)
        self.incidents = Incidents(600_000)
        self.told: list[Incident] = []
        self.boot, self.minutes = 1, 0

    def minute(self, used: int | None) -> list[Finding]:
        """One minute, with a reading at its end unless `used` is None."""
        self.minutes += 1
        time_ms, uptime_ms = self.bench.now_ms + 59_000, self.minutes * 60_000
        values = {"size": SIZE, "used": used, "free": SIZE - (used or 0)}
        reading = rows("board-1", "heap", ("main",), time_ms, values, boot=self.boot, uptime_ms=uptime_ms)
        found = self.bench.second(*([] if used is None else [reading]), seconds=60)
        named, incidents = self.incidents.take(found, self.bench.now_ms)
        self.told += incidents
        return named

    def restart(self) -> None:
        """The next reading is of a new boot."""
        self.boot, self.minutes = self.boot + 1, 0

    def grow(self, minutes: int, a_minute: int) -> None:
        """Grow from 20 % of the heap on."""
        for minute in range(minutes):
            self.minute(20_000 + a_minute * minute)


def test_one_leak_over_many_restarts_is_one_incident_until_a_whole_boot_is_calm() -> None:
    board = Board(LEAK_RULE)
    for _ in range(3):
        board.grow(3 * HOUR, 300)
        board.restart()
    assert told(board.bench.findings) == [("heap-leak", "firing"), ("heap-leak", "resolved")] * 2 + [
        ("heap-leak", "firing")
    ]
    board.grow(3 * HOUR + 10, 0)
    assert told(board.bench.findings)[-1] == ("heap-leak", "resolved")
    assert len(board.incidents.open) == 1
    board.grow(4 * HOUR, 0)
    assert len(board.incidents.open) == 1
    board.grow(2 * HOUR, 0)
    assert not board.incidents.open
    assert len({one.key for one in board.told}) == 1
    over = board.told[-1]
    assert (over.status, over.ended) == ("resolved", "Over after 5.1 hours. It has not happened again for 5.1 hours.")


def test_the_first_reading_of_a_new_boot_ends_what_a_detector_saw_in_the_last() -> None:
    board = Board(VERDICT)
    board.grow(2 * HOUR, 300)
    board.restart()
    (ended,) = board.minute(20_000)
    assert (ended.status, ended.reason, ended.settle_ms) == ("resolved", RESTARTED, 7_200_000)
    assert [one.boot for one in board.bench.findings] == [1, 2]
    assert board.told[-1].ended == RESTARTED


def test_what_a_new_boot_shows_at_once_goes_on() -> None:
    board = Board(VERDICT)
    board.grow(2 * HOUR, 300)
    board.restart()
    for _ in range(20):
        assert board.minute(60_000) == []
    for _ in range(6):
        board.minute(20_000)
    ended = board.bench.findings[-1]
    assert (ended.reason, ended.settle_ms) == ("Over after 44 min.", ended.at_ms - ended.since_ms)


def test_a_value_that_a_restart_ended_waits_and_may_come_back_for_as_long_as_the_boot_was() -> None:
    board = Board(VERDICT.replace('verdict = "leak"\n', ""))
    board.grow(2 * HOUR, 300)
    board.restart()
    assert [bool(board.minute(20_000)) for _ in range(6)] == [False] * 5 + [True]
    ended = board.bench.findings[-1]
    assert ended.reason == "The device restarted, and that ended it."
    assert ended.settle_ms == 7_200_000


@pytest.mark.parametrize("days", [6, 9])
def test_nobody_waits_for_longer_than_a_week(days: int) -> None:
    board = Board(VERDICT)
    board.minute(60_000)
    board.bench.now_ms += days * 86_400_000
    board.minutes += days * 24 * HOUR
    board.minute(60_000)
    board.restart()
    (ended,) = board.minute(20_000)
    assert ended.settle_ms == min(days, 7) * 86_400_000 + (120_000 if days < 7 else 0)
    assert ended.since_ms == START_MS + 59_000


def test_what_comes_back_with_some_boots_of_a_loop_is_one_incident() -> None:
    board = Board(VERDICT.replace('verdict = "leak"\n', ""))
    for used in (*[20_000] * 4, 60_000, *[20_000] * 4, 60_000, 20_000):
        for _ in range(10):
            board.minute(used)
        board.restart()
    assert told(board.bench.findings) == [("growing", "firing"), ("growing", "resolved")] * 2
    assert len({one.key for one in board.told}) == 1
    board.bench.now_ms += 25 * HOUR * 60_000
    board.minute(20_000)
    assert board.told[-1].ended.endswith("It has not happened again for 25.1 hours.")


def test_a_leak_that_has_filled_its_heap_is_not_over_before_a_restart() -> None:
    board = Board()
    board.grow(3 * HOUR, 366)
    for _ in range(4 * HOUR):
        board.minute(86_000)
    leaks = [one for one in board.bench.findings if one.rule == "heap-leak"]
    assert told(leaks) == [("heap-leak", "firing")]
    board.restart()
    board.minute(20_000)
    assert [(one.status, one.reason) for one in board.bench.findings if one.rule == "heap-leak"][1:] == [
        ("resolved", RESTARTED)
    ]
