"""Crashes of a heap that had sunk, of which each is evidence of the other, where only what is free is told."""

from __future__ import annotations

import pytest

from collector.records import Finding
from telemetry.readings import About
from tests.collector.judge.stream import SlowBoard

FREE = 80_000


class Board(SlowBoard):
    """A board that says how much of its heap is free, and why it started."""

    def __init__(self, size: int | None = None) -> None:
        super().__init__()
        self.more = {} if size is None else {"size": size}

    def live(self, hours: float, *free: int) -> None:
        """As much is free as the values say, in turn."""
        self.hear("main", [{"free": free[number % len(free)]} | self.more for number in range(round(hours * 12))])

    def sink(self, reason: str = "panic", left: int = 20_000) -> None:
        """Live as ever, then lose all but so much at once, which is no leak, and restart."""
        self.live(5, FREE)
        self.live(0.5, left)
        self.restart(reason)

    def fired(self, *rules: str) -> list[Finding]:
        chosen = rules or ("rebooted-by-memory",)
        return [one for one in self.findings if one.status == "firing" and one.rule in chosen]

    @property
    def by_memory(self) -> float:
        return self.judge.board.tables["device"].get(0, "memory_resets_24h")


def test_the_second_crash_of_a_heap_that_had_sunk_tells_both() -> None:
    board = Board()
    board.sink()
    assert board.by_memory == 0
    board.sink(left=24_000)
    (found,) = board.fired()
    assert found.reason == (
        "The device restarted probably because memory ran out (reason given: panic); 23.4 KiB of the heap main were "
        "left when it was last read, 78.1 KiB were free at first."
    )
    assert (found.numbers["memory_reset_left"], found.numbers["memory_reset_first"]) == (24_000, FREE)
    assert "memory_reset_limit" not in found.numbers


@pytest.mark.parametrize(("reason", "left"), [("brownout", 20_000), ("POWERON_RESET", 20_000), ("panic", 28_000)])
def test_only_another_crash_that_had_lost_two_thirds_is_evidence(reason: str, left: int) -> None:
    board = Board()
    board.sink(reason, left)
    board.sink()
    assert board.fired() == []
    board.sink()
    assert board.by_memory == 2


def test_where_the_size_is_known_the_sentence_says_what_was_used() -> None:
    board = Board(size=200_000)
    board.sink("TG1WDT_SYS_RESET")
    board.sink("SW_CPU_RESET")
    (found,) = board.fired()
    assert "; 175.8 KiB of the 195.3 KiB of the heap main were used when it was last read." in found.reason


@pytest.mark.parametrize("reason", ["brownout", "POWERON_RESET", "DEEPSLEEP_RESET", "ota update"])
def test_what_no_request_for_memory_ends_in_is_not_for_want_of_it(reason: str) -> None:
    board = Board()
    for _ in range(4):
        board.sink(reason)
    assert board.fired() == []


def test_an_update_is_not_for_want_of_memory() -> None:
    board = Board()
    for number in range(4):
        board.live(5, FREE)
        board.live(0.5, 20_000)
        texts = {"platform": "esp32", "firmware": f"1.{number}"}
        board.restart("SW_CPU_RESET", About("board", board.boot + 1, texts))
    assert board.fired() == []


@pytest.mark.parametrize("reason", ["panic", "TG1WDT_SYS_RESET", "SW_CPU_RESET"])
def test_a_board_that_crashes_with_much_free_does_so_for_other_reasons(reason: str) -> None:
    board = Board()
    for left in (70_000, 45_000, 60_000, 30_000, 78_000):
        board.sink(reason, left)
    assert board.fired() == []


@pytest.mark.parametrize("hours", [0.25, 1, 4])
def test_a_board_of_which_little_is_free_by_design_has_not_sunk(hours: float) -> None:
    board = Board()
    for _ in range(5):
        board.live(hours, FREE)
        board.live(10, 21_000, 24_000, 22_000)
        board.live(0.25, 19_000)
        board.restart("TG1WDT_SYS_RESET")
    assert board.fired() == []


def test_a_boot_of_less_than_two_hours_may_still_take_what_it_keeps() -> None:
    board = Board()
    for _ in range(5):
        board.live(1, FREE)
        board.live(0.9, 20_000)
        board.restart("panic")
    assert board.fired() == []


def test_the_loop_of_a_heap_of_unknown_size_is_told_with_what_was_left() -> None:
    board = Board()
    for _ in range(5):
        board.live(1 / 6, FREE)
        board.live(1 / 12, 20_000)
        board.restart("panic")
    assert board.fired() == []
    (loop,) = board.fired("reboot-loop")
    assert "; memory left when it was last read before each, newest first: 19.5 KiB, 19.5 KiB" in loop.reason
    assert loop.reason.endswith("19.5 KiB; 78.1 KiB were free at first.")


def test_a_saw_whose_crashes_come_at_any_level_is_not_told() -> None:
    board = Board()
    for lived, left in [(30, 70_000), (26, 20_000), (33, 50_000), (28, 24_000), (26, 20_000)]:
        board.live(lived, FREE, 60_000, 40_000)
        board.live(0.5, left)
        board.restart("panic")
    assert board.fired() == []


def test_after_a_crash_with_much_free_no_two_are_alike_but_what_was_told_stays() -> None:
    crashed_otherwise = Board()
    crashed_otherwise.sink()
    crashed_otherwise.sink(left=60_000)
    crashed_otherwise.sink()
    crashed_otherwise.sink()
    assert crashed_otherwise.fired() == []
    told = Board()
    for left in (20_000, 20_000, 60_000):
        told.sink(left=left)
    assert told.by_memory == 2


def test_crashes_of_two_heaps_are_not_alike() -> None:
    board = Board()
    for heap in ("internal", "spiram"):
        for free in [FREE] * 60 + [20_000] * 6:
            board.hear(heap, [{"free": free}])
        board.restart("panic")
    assert board.fired() == []


def test_more_free_than_at_first_is_said_as_it_is() -> None:
    board = Board()
    board.live(1, 60_000)
    board.live(1, 90_000)
    board.second(board.says("event", "alloc_failed", {"size": 100_000}))
    board.restart("SW_CPU_RESET")
    (found,) = board.fired()
    assert "; 87.9 KiB of the heap main were left when it was last read, 58.6 KiB were free at first." in found.reason


def test_beside_an_event_stands_a_memory_of_known_size() -> None:
    board = Board()
    for free in (FREE, 1_000):
        sized = board.says("heap", "sized", {"size": 100_000, "used": 40_000})
        board.second(board.says("heap", "main", {"free": free}), sized)
    board.second(board.says("event", "alloc_failed", {"size": 2_048}))
    (failed,) = board.fired("allocation-failed")
    assert failed.reason.endswith("of 2.0 KiB failed; 39.1 KiB of 97.7 KiB were used when memory was last read.")
