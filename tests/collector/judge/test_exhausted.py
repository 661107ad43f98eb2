"""A heap that ran out while much of it was free: memory ends there again, until the board lives above it."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest

from collector.judge.backtest import Shelf
from collector.judge.columns import EXHAUSTED_AT
from collector.judge.engine import Judge
from collector.judge.rules import load_rules
from collector.judge.state import TABLES, StateFile
from collector.judge.used import end_of_memory
from collector.records import Finding
from telemetry.readings import About
from tests.collector.judge.stream import SlowBoard

SIZE, LEAST, MOST = 300_000, 100_000, 190_000


class Board(SlowBoard):
    """A board that tells its heap's size, and what fails before it restarts."""

    def live(self, *used: float) -> None:
        self.hear("main", [{"size": SIZE, "used": round(value)} for value in used])

    def restart(self, reason: str = "panic", about: About | None = None, *, failed: bool = True) -> None:
        if failed:
            self.second(self.says("event", "alloc_failed", {"size": 40_000}))
        super().restart(reason, about)

    def leak(self, hours: float = 30, to: float = MOST) -> None:
        """Grow evenly, with what comes and goes on top."""
        count = round(hours * 12)
        self.live(*(np.linspace(LEAST, to, count) + np.resize([0, 3_000, 1_000], count)))

    @property
    def exhausted_at(self) -> float:
        return self.judge.board.tables["heap"].get(0, EXHAUSTED_AT)

    @property
    def ends_at(self) -> float:
        return float(end_of_memory(self.judge.board.tables["heap"].view(np.array([0])))[0])

    def leaks(self) -> list[Finding]:
        return [one for one in self.findings if one.status == "firing" and one.rule == "heap-leak"]


@pytest.fixture
def board() -> Board:
    board = Board()
    board.leak()
    board.restart()
    return board


def test_where_it_ran_out_a_leak_ends_memory_again(board: Board) -> None:
    assert (board.exhausted_at, board.ends_at) == (pytest.approx(MOST, rel=0.02), board.exhausted_at)
    board.findings.clear()
    begun_ms = board.now_ms
    board.leak(24, LEAST + 0.8 * (MOST - LEAST))
    (found, *_) = board.leaks()
    assert found.at_ms - begun_ms < 0.7 * 30 * 3_600_000
    assert ": it ran out before with 186.5 KiB used" in found.reason
    left_h = 30 - (found.at_ms - begun_ms) / 3_600_000
    assert found.numbers["leak_hours_left"] == pytest.approx(left_h, rel=0.15)


def test_without_a_word_of_memory_it_ends_at_the_limit() -> None:
    board = Board()
    board.leak(to=150_000)
    board.restart(failed=False)
    assert np.isnan(board.exhausted_at)
    assert board.ends_at == SIZE


def test_one_large_request_where_it_had_long_stood_tells_no_level() -> None:
    board = Board()
    board.live(*[LEAST, 150_000] * 36)
    board.restart()
    assert np.isnan(board.exhausted_at)


def test_who_lives_well_above_it_has_outlived_it(board: Board) -> None:
    board.live(195_000)
    assert board.ends_at == 195_000
    board.live(230_000)
    assert board.ends_at == SIZE


def test_another_firmware_knows_of_no_level(board: Board) -> None:
    about = About("board", 3, {"platform": "esp32", "firmware": "1.1"}, {})
    board.second(About("board", 2, {"platform": "esp32", "firmware": "1.0"}, {}))
    assert board.ends_at < SIZE
    board.restart(failed=False, about=about)
    board.live(LEAST)
    assert np.isnan(board.exhausted_at)
    assert board.ends_at == SIZE


def test_it_is_kept_over_restarts_of_board_and_collector() -> None:
    db, board = sqlite3.connect(":memory:"), Board()
    db.executescript(TABLES)
    state = StateFile(db, board.judge)
    board.leak()
    board.restart()
    known = board.exhausted_at
    board.live(LEAST, LEAST)
    board.restart("POWERON_RESET", failed=False)
    assert board.exhausted_at == known > 0
    state.save(db)
    again = Judge(load_rules(None), Shelf(), 600, step_ms=600_000)
    StateFile(db, again)
    assert again.board.tables["heap"].get(0, EXHAUSTED_AT) == known
