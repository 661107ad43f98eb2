"""Restarts: loops with the memory before each, restarts for want of memory, and those that somebody wanted."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from collector.judge.backtest import Shelf
from collector.judge.engine import Judge
from collector.judge.rules import load_rules
from collector.judge.state import TABLES, StateFile
from collector.records import Finding
from telemetry.readings import About
from telemetry.wire import Rows
from tests.collector.judge.stream import Bench, rows, told

SIZE = 100_000


def new_judge() -> Judge:
    """One that takes wide ticks for no outage."""
    return Judge(load_rules(None), Shelf(), 300, step_ms=60_000)


class Board(Bench):
    """A device that says how its heap is, dies, and says why."""

    boot = 1
    uptime_ms = 0

    def __init__(self) -> None:
        super().__init__()
        self.judge = new_judge()

    def live(self, used: list[int], every_s: int = 10) -> None:
        for value in used:
            self.uptime_ms += every_s * 1000
            self.second(self.says("heap", ("main",), {"size": SIZE, "used": value}), seconds=every_s)

    def says(self, kind: str, names: tuple[str, ...], values: dict[str, Any]) -> Rows:
        return rows("board", kind, names, self.now_ms, values, boot=self.boot, uptime_ms=self.uptime_ms)

    def event(self, name: str, **values: Any) -> None:
        self.second(self.says("event", (name,), values or {"text": "so it says"}))

    def restart(self, reason: str = "", *, told: str = "boot", about: About | None = None, cause: str = "") -> None:
        self.boot, self.uptime_ms = self.boot + 1, 300
        blocks = [self.says("event", (told,), {"reason": reason} | ({"cause": cause} if cause else {}))]
        self.second(*([about] if about else []), *blocks)
        self.live([20_000])

    def fired(self, *rules: str) -> list[Finding]:
        chosen = rules or ("reboot-loop", "rebooted-by-memory")
        return [one for one in self.findings if one.status == "firing" and one.rule in chosen]


@pytest.fixture
def board() -> Board:
    board = Board()
    board.live([20_000])
    return board


def test_a_loop_is_told_with_the_memory_before_each_restart(board: Board) -> None:
    for before in (81_000, 82_000, 83_000, 84_000):
        board.live([50_000, before])
        board.restart("TG1WDT_SYS_RESET", told="reset")
    (loop,) = board.fired()
    assert (loop.rule, loop.severity, loop.kind, loop.agent) == ("reboot-loop", "critical", "device", "")
    assert "4 times within 104 s" in loop.reason
    assert "82.0 KiB, 81.1 KiB, 80.1 KiB, 79.1 KiB of 97.7 KiB" in loop.reason
    assert [loop.numbers[f"before_reset_{n}"] for n in (1, 2, 3, 4)] == [84_000, 83_000, 82_000, 81_000]
    board.live([20_000] * 80, every_s=50)
    assert [one.status for one in board.findings if one.rule == "reboot-loop"] == ["firing", "resolved"]


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("POWERON_RESET", ""),
        ("DEEPSLEEP_RESET", ""),
        ("Reset button", ""),
        ("OTA update", ""),
        ("banner", "port opened"),
    ],
)
def test_what_somebody_wanted_is_no_loop(board: Board, reason: str, cause: str) -> None:
    for _ in range(6):
        board.live([30_000, 97_000])
        board.restart(reason, cause=cause)
    assert board.fired() == []


@pytest.mark.parametrize(("reason", "told"), [("", []), ("Interrupt watchdog", ["reboot-loop"])])
def test_a_device_that_was_away_for_long_has_slept_unless_it_names_a_crash(
    board: Board, reason: str, told: list[str]
) -> None:
    for _ in range(4):
        board.live([30_000], every_s=3)
        board.second(seconds=300)
        board.restart(reason)
    assert [one.rule for one in board.fired()] == told


def live_on(board: Board, used: int, hours: float) -> None:
    """Be heard every ten minutes."""
    for _ in range(round(hours * 6)):
        board.now_ms += 540_000
        board.uptime_ms += 600_000
        board.second(board.says("heap", ("main",), {"size": SIZE, "used": used}), seconds=60)


def slow_loop(board: Board, reason: str, *, times: int = 7) -> None:
    """Restarts 80 minutes apart."""
    for number in range(times):
        live_on(board, 50_000 + 1_000 * number, 4 / 3)
        board.restart(reason)


def test_restarts_every_hour_or_two_are_told_with_the_memory_before(board: Board) -> None:
    slow_loop(board, "TG0WDT_SYS_RESET")
    (told_once,) = board.fired("reboot-loop", "restarts-often")
    assert told_once.rule == "restarts-often"
    assert told_once.numbers["crashes_24h"] == told_once.numbers["resets_24h"] == 6
    assert told_once.reason.startswith("The device restarted 6 times within 6.7 hours though nobody asked it to; ")
    assert "newest first: 53.7 KiB, 52.7 KiB, 51.8 KiB, 50.8 KiB, 49.8 KiB, 48.8 KiB of 97.7 KiB" in told_once.reason
    live_on(board, 50_000, 25)
    board.live([50_000] * 40)
    assert [one.status for one in board.findings if one.rule == "restarts-often"] == ["firing", "resolved"]


def test_without_a_reason_only_a_change_is_told(board: Board) -> None:
    slow_loop(board, "", times=9)
    assert board.fired("restarts-often") == []
    live_on(board, 50_000, 30)
    slow_loop(board, "", times=7)
    (found,) = board.fired("restarts-often")
    assert "; the longest boot that one of them ended lasted 31.3 hours; " in found.reason


@pytest.mark.parametrize("ran_before_h", [0, 20])
def test_the_first_boot_that_was_heard_counts_for_as_long_as_it_ran(ran_before_h: int) -> None:
    board = Board()
    board.uptime_ms = ran_before_h * 3_600_000
    live_on(board, 50_000, 30 - ran_before_h)
    slow_loop(board, "", times=7)
    (found,) = board.fired("restarts-often")
    assert "; the longest boot that one of them ended lasted 31.3 hours; " in found.reason


@pytest.mark.parametrize("reason", ["DEEPSLEEP_RESET", "POWERON_RESET", "ota update"])
def test_what_somebody_wanted_every_hour_is_not_told(board: Board, reason: str) -> None:
    live_on(board, 50_000, 30)
    slow_loop(board, reason, times=9)
    assert board.fired("restarts-often", "reboot-loop") == []


@pytest.mark.parametrize(("reason", "told"), [("stopped by its user", []), (None, ["reboot-loop"])])
def test_an_agent_that_its_user_stops_and_starts_is_no_loop(reason: str | None, told: list[str]) -> None:
    bench = Board()
    for boot in range(1, 7):
        values = {"outbox_depth": 0} | ({"reset_reason": reason} if reason and boot > 1 else {})
        bench.second(rows("gw-1", "agent", (), bench.now_ms, values, boot=boot, uptime_ms=0), seconds=20)
    assert [one.rule for one in bench.fired()] == told


def test_an_update_is_known_by_the_firmware(board: Board) -> None:
    for number in range(6):
        board.live([30_000, 97_000])
        texts = {"platform": "esp32", "firmware": f"1.{number // 3}"}
        board.restart("SW_CPU_RESET", about=About("board", board.boot + 1, texts))
    assert board.judge.board.tables["device"].get(0, "resets_1h") == 5


def test_a_reason_that_comes_after_the_first_reading_still_counts(board: Board) -> None:
    for _ in range(5):
        board.boot, board.uptime_ms = board.boot + 1, 300
        board.second(board.says("heap", ("main",), {"size": SIZE, "used": 10_000}))
        board.second(board.says("device", (), {"reset_reason": "power on"}))
        board.live([10_000])
    assert board.fired() == []


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("TG1WDT_SYS_RESET", "probably because memory ran out"),
        ("panic", "probably because memory ran out"),
        ("SW_CPU_RESET", "with little memory left"),
        ("brownout", "with little memory left"),
    ],
)
def test_a_full_heap_before_is_the_reason(board: Board, reason: str, why: str) -> None:
    board.live([50_000, 80_000, 96_000])
    board.restart(reason, told="reset")
    (found,) = board.fired()
    assert found.rule == "rebooted-by-memory"
    assert found.reason == (
        f"The device restarted {why} (reason given: {reason}); 93.8 KiB of the 97.7 KiB of "
        "the heap main were used when it was last read."
    )
    assert found.numbers["memory_reset_used"] == 96_000


def test_a_heap_that_is_always_full_is_not(board: Board) -> None:
    board.live([96_000])
    board.boot += 1
    board.live([95_500, 96_000] * 10)
    board.restart("TG1WDT_SYS_RESET", told="reset")
    board.live([96_000])
    assert board.fired() == []


@pytest.mark.parametrize("event", ["alloc_failed", "oom_kill"])
def test_a_failed_allocation_before_is_the_reason(board: Board, event: str) -> None:
    board.live([40_000])
    board.event(event, size=4096)
    board.live([40_000], every_s=60)
    board.restart("SW_CPU_RESET", told="reset")
    (found,) = board.fired()
    assert found.rule == "rebooted-by-memory"
    sign = ": an allocation had failed" if event == "alloc_failed" else ""
    assert found.reason.startswith(f"The device restarted because memory ran out{sign} (reason given: SW_CPU_RESET); ")


def leak_to(board: Board, used: int) -> None:
    """Be heard every ten minutes for eight hours, while memory leaks from 20 KB on."""
    for step in range(1, 49):
        live_on(board, 20_000 + (used - 20_000) * step // 48, 1 / 6)


@pytest.mark.parametrize(
    ("reason", "used", "counts"),
    [
        ("panic", 78_000, True),
        ("SW_CPU_RESET", 78_000, True),
        ("brownout", 78_000, False),
        ("panic", 66_000, False),  # a leak is told, but less than two thirds are gone
    ],
)
def test_a_crash_at_the_end_of_a_leak_is_for_want_of_memory(board: Board, reason: str, used: int, counts: bool) -> None:
    leak_to(board, used)
    assert board.fired("heap-leak")
    board.restart(reason)
    board.wait(6)
    assert board.judge.board.tables["device"].get(0, "memory_resets_24h") == counts


def test_a_crash_of_a_heap_as_full_as_when_memory_ran_out_before_is_for_want_of_it(board: Board) -> None:
    for used, event in [(78_000, ""), (76_000, "alloc_failed"), (77_000, ""), (74_000, ""), (60_000, "")]:
        board.live([20_000, 20_000, used], every_s=60)
        if event:
            board.event(event, size=4096)
        board.restart("panic")
        board.wait(6)
    assert [one.numbers["memory_resets_24h"] for one in board.fired("rebooted-by-memory")] == [2]
    assert board.judge.board.tables["device"].get(0, "memory_resets_24h") == 3
    assert board.judge.board.tables["device"].get(0, "memory_reset_used") == 77_000


def test_a_failed_allocation_long_before_is_not(board: Board) -> None:
    board.event("alloc_failed", size=4096)
    board.live([40_000] * 20)
    board.restart("SW_CPU_RESET", told="reset")
    assert board.fired() == []


def test_the_device_may_say_so_itself(board: Board) -> None:
    board.live([40_000])
    board.restart("low memory, restarting")
    assert [one.rule for one in board.fired()] == ["rebooted-by-memory"]


def test_a_crash_is_told_though_the_next_boot_comes_in_the_same_tick(board: Board) -> None:
    board.live([40_000])
    crash = board.says("event", ("panic",), {"reason": "LoadProhibited"})
    board.boot, board.uptime_ms = 2, 300
    board.second(crash, board.says("event", ("boot",), {"reason": "panic"}))
    (panic,) = board.fired("panic")
    assert panic.reason == "The firmware panicked: LoadProhibited."
    board.live([20_000] * 70)
    assert [one.status for one in board.findings if one.rule == "panic"] == ["firing", "resolved"]


def test_a_failed_allocation_is_told_beside_what_was_used(board: Board) -> None:
    board.live([40_000])
    board.event("alloc_failed", size=2048)
    (failed,) = board.fired("allocation-failed")
    assert failed.reason.endswith("of 2.0 KiB failed; 39.1 KiB of 97.7 KiB were used when memory was last read.")


def test_external_memory_that_nobody_uses_says_nothing_of_a_restart(board: Board) -> None:
    for _ in range(4):
        spare = board.says("heap", ("psram",), {"size": 100 * SIZE, "used": 0})
        board.second(spare, board.says("heap", ("main",), {"size": SIZE, "used": 40_000}))
        board.boot, board.uptime_ms = board.boot + 1, 300
        board.second(board.says("event", ("boot",), {"reason": "panic"}))
    board.wait(6)
    assert board.fired("reboot-loop")[0].numbers["before_reset_1"] == 40_000


def test_a_reading_of_long_ago_says_nothing(board: Board) -> None:
    board.live([96_000])
    board.second(seconds=3600)
    board.uptime_ms += 3_600_000
    board.restart("TG1WDT_SYS_RESET", told="reset")
    assert board.fired() == []


def test_what_is_known_outlives_the_judge(board: Board) -> None:
    db = sqlite3.connect(":memory:")
    db.executescript(TABLES)
    kept = StateFile(db, board.judge)
    for _ in range(3):
        board.live([30_000, 96_000])
        board.restart("TG1WDT_SYS_RESET", told="reset")
    kept.save(db)
    board.judge = new_judge()
    StateFile(db, board.judge)
    board.restart("TG1WDT_SYS_RESET", told="reset")
    assert [one.rule for one in board.fired()] == ["rebooted-by-memory", "reboot-loop"]


class Sphere(Board):
    """An application on an MT3620."""

    def runs(self, user_mode: int, tracked: int | None = None) -> None:
        blocks = [self.says("process", (), {"user_mode": user_mode})]
        if tracked is not None:
            blocks.append(self.says("heap", ("heap_tracker",), {"used": tracked}))
        self.second(*blocks)


@pytest.fixture
def sphere() -> Sphere:
    sphere = Sphere()
    sphere.second(About("board", 1, {"platform": "mt3620"}, {"user_mode": 262_144}))
    return sphere


def killed(found: list[Finding]) -> list[Finding]:
    return [one for one in found if one.rule.startswith("killed")]


def test_a_kill_near_the_limit_is_for_want_of_memory(sphere: Sphere) -> None:
    sphere.runs(100 * 1024)
    sphere.runs(246 * 1024)
    sphere.event("killed", code=9, reason="SIGKILL")
    (found,) = killed(sphere.findings)
    assert (found.rule, found.severity) == ("killed-out-of-memory", "critical")
    assert "246.0 KiB, 96 % of the 256.0 KiB" in found.reason
    assert "HeapTracker" not in found.reason
    sphere.restart("application start")
    assert [one.rule for one in sphere.fired()] == ["rebooted-by-memory"]


def test_heap_tracker_names_the_size_to_stay_below(sphere: Sphere) -> None:
    sphere.runs(100 * 1024, 20_000)
    sphere.runs(246 * 1024, 120_000)
    sphere.event("killed", code=9, reason="SIGKILL")
    (found,) = killed(sphere.findings)
    assert found.reason.endswith(
        "The last size that HeapTracker saw succeed was 117.2 KiB: set its threshold below that."
    )


def test_a_kill_far_from_the_limit_has_an_unknown_cause(sphere: Sphere) -> None:
    sphere.runs(120 * 1024)
    sphere.event("killed", code=9, reason="SIGKILL")
    (found,) = killed(sphere.findings)
    assert (found.rule, found.severity) == ("killed", "warning")
    assert "for a cause that is not known; memory was not short: 120.0 KiB of 256.0 KiB" in found.reason
    sphere.restart("application start")
    assert sphere.fired() == []


def test_a_crash_of_an_application_is_no_kill(sphere: Sphere) -> None:
    for event, reason in [("killed", "killed, signal 9"), ("", "crash, signal 11")]:
        sphere.runs(100 * 1024)
        sphere.runs(246 * 1024 if event else 242 * 1024)
        if event:
            sphere.event("killed", code=9)
        sphere.boot, sphere.uptime_ms = sphere.boot + 1, 300
        sphere.second(sphere.says("event", ("boot",), {"reason": reason}))
        sphere.wait(6)
    (found,) = sphere.fired()
    assert found.numbers["memory_resets_24h"] == 1
    assert "(reason given: killed, signal 9); 246.0 KiB of the 256.0 KiB of user-mode memory were used" in found.reason


def test_a_kill_of_which_no_reading_tells_has_an_unknown_cause(sphere: Sphere) -> None:
    sphere.event("killed", code=9, reason="SIGKILL")
    assert told(killed(sphere.findings)) == [("killed", "firing")]
    assert killed(sphere.findings)[0].reason.endswith("for a cause that is not known.")
