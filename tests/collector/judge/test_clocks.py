"""Clocks that are wrong, an agent's or our own: said, and no reason to be deaf for long."""

from __future__ import annotations

import pytest

from collector.agentclock import BEHIND_MS, behind_s
from telemetry.wire import Rows
from tests.collector.judge.stream import Bench, rows, told

HOUR_S = 3600


def own(bench: Bench, behind_ms: int, waits_ms: int = 0) -> Rows:
    """What an agent says of itself, by a clock that is behind."""
    time_ms = bench.now_ms + 900 - behind_ms
    return rows("gw-1", "agent", (), time_ms, {"outbox_depth": 1, "oldest_age_ms": waits_ms, "disk_free": 10**9})


def test_a_gateway_whose_clock_is_behind_is_told_and_when_it_is_right_again() -> None:
    bench = Bench()
    for _ in range(5):
        bench.second(own(bench, 600_000), agent="gw-1")
        bench.wait(29)
    assert told(bench.findings) == [("gateway-clock", "firing")]
    assert "The clock of this gateway is 10 min behind the collector's" in bench.findings[0].reason
    for _ in range(5):
        bench.second(own(bench, 100), agent="gw-1")
        bench.wait(29)
    assert told(bench.findings)[1:] == [("gateway-clock", "resolved")]


@pytest.mark.parametrize(
    ("behind_ms", "rule", "said"),
    [
        (-90_000, "gateway-clock-ahead", "is 90 s ahead of the collector's"),
        (-3_600_000, "gateway-clock-ahead", "is 60 min ahead of the collector's"),
        (50 * 365 * 86_400_000, "gateway-clock", "is 18250 days behind the collector's"),
    ],
)
def test_a_clock_that_intake_knows_to_be_wrong_is_told(behind_ms: int, rule: str, said: str) -> None:
    bench = Bench()
    for _ in range(5):
        values = {"oldest_age_ms": 0, BEHIND_MS: behind_ms}
        bench.second(rows("gw-1", "agent", (), bench.now_ms + 900, values, flags=("guess",)), agent="gw-1")
        bench.wait(29)
    assert told(bench.findings) == [(rule, "firing")]
    assert said in bench.findings[0].reason
    for _ in range(5):
        bench.second(own(bench, 100), agent="gw-1")
        bench.wait(29)
    assert told(bench.findings)[1:] == [(rule, "resolved")]


@pytest.mark.parametrize(("behind_ms", "expected"), [(90_000, ["reboot-loop"]), (-90_000, ["reboot-loop"]), (0, [])])
def test_restarts_behind_a_clock_that_is_off_count_as_it_runs_evenly(behind_ms: int, expected: list[str]) -> None:
    bench = Bench()
    for boot in range(1, 7):
        time_ms = bench.now_ms + 900 - behind_ms
        values = {"oldest_age_ms": 0, BEHIND_MS: behind_ms}
        word = rows("gw-1", "agent", (), time_ms, values, flags=("guess",))
        said = rows("board-1", "event", ("boot",), time_ms, {"reason": "panic"}, boot=boot, flags=("guess",))
        bench.second(word, said, agent="gw-1")
        bench.wait(59)
    assert [one.rule for one in bench.findings if one.device == "board-1" and one.rule == "reboot-loop"] == expected


@pytest.mark.parametrize("behind_ms", [-3_600_000, 3_600_000])
def test_nobody_is_silent_whose_readings_are_refused_or_dated_wrong_for_a_clock(behind_ms: int) -> None:
    """board-1 goes on speaking all the time; board-2 dies meanwhile, and that is told once it can be known."""
    bench = Bench(silent_after_s=120)

    def word(off_ms: int) -> Rows:
        values = {"oldest_age_ms": 0, BEHIND_MS: off_ms}
        return rows("gw-1", "agent", (), bench.now_ms + 900 - max(0, off_ms), values)

    def heap(name: str, off_ms: int) -> Rows:
        return rows(name, "heap", ("main",), bench.now_ms + 900 - off_ms, {"size": 22_528, "free": 9_000})

    bench.second(word(0), heap("board-1", 0), heap("board-2", 0), agent="gw-1")
    for _ in range(20):
        blocks = [word(behind_ms)] + ([heap("board-1", behind_ms)] if behind_ms > 0 else [])
        bench.second(*blocks, agent="gw-1")
        bench.wait(29)
    for _ in range(20):
        bench.second(word(0), agent="gw-1")
        bench.wait(28)
        bench.second(heap("board-1", 0), agent="gw-1")
    silent = [(one.device, one.status) for one in bench.findings if one.rule == "silent"]
    assert silent == [("board-2", "firing")]


def test_a_gateway_that_comes_back_with_a_backlog_has_the_right_time() -> None:
    bench = Bench()
    bench.second(own(bench, 0), agent="gw-1")
    bench.wait(HOUR_S)
    backlog = [own(bench, 1000 * ago, 1000 * (HOUR_S - ago)) for ago in range(HOUR_S, 0, -30)]
    for block in backlog:
        bench.second(block, agent="gw-1")
    for _ in range(10):
        bench.second(own(bench, 100), agent="gw-1")
        bench.wait(29)
    assert [rule for rule, _ in told(bench.findings) if rule != "silent"] == []


@pytest.mark.parametrize(("waits", "expected"), [(0, 600.0), (9_000, 600.0), (30_000, None), (None, None), ("x", None)])
def test_only_what_did_not_wait_tells_the_clock(waits: object, expected: float | None) -> None:
    assert behind_s(1_000, 601_000, waits) == expected


def test_silence_is_noticed_after_our_own_clock_had_been_ahead() -> None:
    bench = Bench(silent_after_s=120)
    for hour in (0, HOUR_S, -HOUR_S):
        bench.now_ms += 1000 * hour
        for name in ("board-1", "board-2"):
            block = rows(name, "heap", ("main",), bench.now_ms + 900, {"size": 22_528, "free": 9_000})
            bench.second(block, agent=f"gw of {name}")
    for _ in range(200):
        block = rows("board-2", "heap", ("main",), bench.now_ms + 900, {"size": 22_528, "free": 9_000})
        bench.second(block, agent="gw of board-2")
    assert [(one.rule, one.device, one.status) for one in bench.findings] == [("silent", "board-1", "firing")]
