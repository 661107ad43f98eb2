"""Rules that cannot be judged say so, as states of their own: no_data and error."""

from __future__ import annotations

from tests.collector.judge.stream import Bench, rows

RULE = """
[[rule]]
name = "low"
kind = "heap"
severity = "warning"
when = "free < 1000 and largest_free < 500"
no_data = "30s"
reason = "{free:size} are free."
"""


def states(bench: Bench) -> list[tuple[str, str, str]]:
    return [(one.rule, one.state, one.status) for one in bench.findings]


def heap(bench: Bench, **values: int) -> None:
    bench.second(rows("board-1", "heap", ("main",), bench.now_ms + 900, values))


def other(bench: Bench, seconds: int) -> None:
    for _ in range(seconds):
        bench.second(rows("board-1", "stack", ("main",), bench.now_ms + 900, {"size": 100, "min_free": 90}))


def test_a_thing_that_falls_silent_on_a_device_that_speaks() -> None:
    bench = Bench(RULE)
    heap(bench, free=5000, largest_free=4000)
    other(bench, 29)
    assert states(bench) == []
    other(bench, 2)
    assert states(bench) == [("low", "no_data", "firing")]
    assert bench.findings[0].key == "low:no_data|board-1|heap|main"
    assert "Nothing was heard of main" in bench.findings[0].reason
    heap(bench, free=5000, largest_free=4000)
    assert states(bench)[1:] == [("low", "no_data", "resolved")]


def test_a_silent_device_is_another_matter() -> None:
    bench = Bench(RULE)
    heap(bench, free=5000, largest_free=4000)
    bench.wait(200)
    assert states(bench) == []


def test_readings_that_do_not_say_what_is_asked() -> None:
    bench = Bench(RULE)
    for _ in range(40):
        heap(bench, free=5000)
    assert states(bench) == [("low", "error", "firing")]
    assert bench.findings[0].reason == "The rule cannot be judged: the readings do not say free or largest_free."
    heap(bench, free=400, largest_free=300)
    assert states(bench)[1:] == [("low", "breach", "firing"), ("low", "error", "resolved")]


def test_a_reboot_is_no_absence() -> None:
    bench = Bench(RULE)
    heap(bench, free=5000, largest_free=4000)
    for _ in range(100):
        bench.second(rows("board-1", "stack", ("main",), bench.now_ms + 900, {"size": 100, "min_free": 90}, boot=2))
    assert states(bench) == []


def test_without_the_setting_nothing_is_told() -> None:
    bench = Bench(RULE.replace('no_data = "30s"\n', ""))
    heap(bench, free=5000)
    other(bench, 100)
    assert states(bench) == []
