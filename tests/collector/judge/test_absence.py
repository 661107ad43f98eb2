"""Rules that cannot be judged say so, as states of their own: no_data and error."""

from __future__ import annotations

from telemetry.readings import About
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


def test_nothing_is_missed_any_more_of_a_device_that_is_taken_out_of_service() -> None:
    bench = Bench(RULE.replace('no_data = "30s"', 'no_data = "30s"\nkeep_firing_for = "5m"'))
    heap(bench, free=5000, largest_free=4000)
    other(bench, 31)
    bench.second(About("board-1", 1, {"platform": "zephyr", "retired": "yes"}), agent="")
    assert states(bench) == [("low", "no_data", "firing"), ("low", "no_data", "resolved")]
    assert bench.findings[-1].reason == "The device was taken out of service."


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
    assert (
        bench.findings[0].reason
        == "The rule cannot be judged: it asks for free and largest_free, and the readings do not say that."
    )
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


ON_ONE_FIELD = RULE.replace("free < 1000 and largest_free < 500", "largest_free < 500").replace(
    "{free", "{largest_free"
)


def test_a_field_that_is_told_no_more_is_no_breach_and_no_health() -> None:
    bench = Bench(ON_ONE_FIELD)
    heap(bench, free=5000, largest_free=300)
    assert states(bench) == [("low", "breach", "firing")]
    for _ in range(59):
        heap(bench, free=5000)
    assert states(bench)[1:] == []
    for _ in range(200):
        heap(bench, free=5000)
    assert states(bench)[1:] == [("low", "error", "firing")]
    assert (
        bench.findings[1].reason
        == "The rule cannot be judged: it asks for largest_free, and the readings do not say that."
    )
    heap(bench, free=5000, largest_free=4000)
    assert states(bench)[2:] == [("low", "error", "resolved")]
    for _ in range(60):
        heap(bench, free=5000, largest_free=4000)
    assert states(bench)[3:] == [("low", "breach", "resolved")]


def test_a_condition_is_not_held_by_one_sample_that_is_older_than_the_rule_waits() -> None:
    bench = Bench(ON_ONE_FIELD.replace("no_data", 'for = "30s"\nno_data'))
    heap(bench, free=5000, largest_free=300)
    for _ in range(100):
        heap(bench, free=5000)
    assert states(bench) == [("low", "error", "firing")]


def test_after_an_outage_a_field_has_time_to_be_told_again() -> None:
    bench = Bench(ON_ONE_FIELD)
    for _ in range(3):
        heap(bench, free=5000)
        heap(bench, largest_free=4000)
    bench.wait(200)
    for _ in range(29):
        heap(bench, free=5000)
    heap(bench, largest_free=4000)
    assert states(bench) == []


def test_who_asks_whether_a_field_is_known_is_answered_by_what_was_said_of_late() -> None:
    bench = Bench(ON_ONE_FIELD.replace("largest_free < 500", "known(largest_free) and largest_free < 500"))
    heap(bench, free=5000, largest_free=300)
    for _ in range(100):
        heap(bench, free=5000)
    assert [one[1:] for one in states(bench)] == [("breach", "firing"), ("breach", "resolved")]


def test_fields_that_are_told_in_turns_and_those_that_stay_as_they_are_count_on() -> None:
    when = "largest_free < 0.1 * size and free > 2000 and used > 1"
    bench = Bench(RULE.replace("free < 1000 and largest_free < 500", when))
    heap(bench, size=9000)
    for _ in range(8):
        heap(bench, free=5000)
        other(bench, 10)
        heap(bench, largest_free=300)
    assert states(bench) == [("low", "breach", "firing")]


def test_without_the_setting_a_value_counts_until_a_newer_one_replaces_it() -> None:
    bench = Bench(ON_ONE_FIELD.replace('no_data = "30s"\n', ""))
    heap(bench, free=5000, largest_free=300)
    for _ in range(100):
        heap(bench, free=5000)
    assert states(bench) == [("low", "breach", "firing")]


def test_a_new_boot_begins_anew() -> None:
    bench = Bench(ON_ONE_FIELD)
    heap(bench, free=5000, largest_free=4000)
    for _ in range(20):
        heap(bench, free=5000)
    for _ in range(25):
        bench.second(rows("board-1", "heap", ("main",), bench.now_ms + 900, {"free": 5000}, boot=2))
    assert states(bench) == []
    for _ in range(10):
        bench.second(rows("board-1", "heap", ("main",), bench.now_ms + 900, {"free": 5000}, boot=2))
    assert states(bench) == [("low", "error", "firing")]
