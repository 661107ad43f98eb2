"""The judge over ticks: states, hysteresis, boots, late samples, silence."""

from __future__ import annotations

import numpy as np
import pytest

from collector.judge.backtest import Shelf
from collector.judge.engine import Judge
from collector.judge.rules import load_rules
from telemetry.readings import About
from tests.collector.judge.stream import Bench, rows, told

LOW = """
[[rule]]
name = "low"
kind = "heap"
severity = "warning"
when = "free < 1000"
clear = "free > 2000"
for = "5s"
keep_firing_for = "10s"
reason = "{free:size} free of {names}."
"""

SILENT = """
[[rule]]
name = "silent"
kind = "device"
severity = "warning"
when = "silent_s >= silent_after_s"
keep_firing_for = "0s"
reason = "Nothing for {silent_s:seconds}."
"""


def test_fires_after_for_and_is_resolved_after_keep_firing_for() -> None:
    bench = Bench(LOW)
    started = bench.now_ms + 900
    assert [told(bench.heap(900)) for _ in range(6)] == [[], [], [], [], [], [("low", "firing")]]
    fired = bench.findings[0]
    assert (fired.since_ms, fired.key) == (started, "low|board-1|heap|main")
    assert fired.reason == "900 bytes free of main."
    assert fired.numbers == {"free": 900.0}
    for _ in range(10):
        assert not bench.heap(3000)
    bench.heap(3000)
    assert told(bench.findings) == [("low", "firing"), ("low", "resolved")]
    assert bench.findings[1].episode == fired.episode


def test_a_shorter_breach_does_not_fire() -> None:
    bench = Bench(LOW)
    for _ in range(20):
        for free in (900, 900, 900, 900, 5000):
            bench.heap(free)
    assert bench.findings == []


def test_ten_minutes_around_the_threshold_make_one_alert() -> None:
    bench = Bench(LOW.replace('"5s"', '"0s"'))
    for second in range(600):
        bench.heap(990 if second % 2 else 2010)
    for _ in range(20):
        bench.heap(5000)
    assert told(bench.findings) == [("low", "firing"), ("low", "resolved")]


def test_between_the_two_thresholds_it_goes_on_firing() -> None:
    bench = Bench(LOW)
    for _ in range(7):
        bench.heap(900)
    for _ in range(60):
        bench.heap(1500)
    assert told(bench.findings) == [("low", "firing")]


def test_a_new_boot_takes_pending_back_and_ends_firing() -> None:
    bench = Bench(LOW)
    for _ in range(4):
        bench.heap(900, boot=1)
    for _ in range(4):
        bench.heap(900, boot=2)
    assert bench.findings == []
    for _ in range(4):
        bench.heap(900, boot=2)
    assert told(bench.findings) == [("low", "firing")]
    bench.second(rows("board-1", "device", (), bench.now_ms + 900, {"uptime": 1}, boot=3))
    bench.wait(15)
    assert told(bench.findings)[1:] == [("low", "resolved")]
    assert bench.findings[1].reason == "The device restarted, and that ended it."


def test_a_boot_count_that_begins_anew_is_a_new_boot() -> None:
    bench = Bench(LOW)
    bench.heap(5000, boot=7)
    for _ in range(7):
        bench.heap(900, boot=1)
    assert told(bench.findings) == [("low", "firing")]


def test_rows_of_an_earlier_boot_say_nothing_of_now() -> None:
    bench = Bench(LOW)
    bench.heap(5000, boot=2)
    for _ in range(10):
        late = rows("board-1", "heap", ("main",), bench.now_ms - 60_000, {"size": 22_528, "free": 10}, boot=1)
        bench.second(late)
    assert bench.findings == []


@pytest.mark.parametrize("flag", ["debugger", "unreliable"])
def test_flagged_readings_are_not_judged(flag: str) -> None:
    bench = Bench(LOW)
    for _ in range(30):
        bench.heap(10, flags=(flag,))
    assert bench.findings == []


def test_samples_older_than_two_minutes_neither_start_nor_end_an_alert() -> None:
    bench = Bench(LOW)
    for _ in range(10):
        bench.second(rows("board-1", "heap", ("main",), bench.now_ms - 121_000, {"size": 22_528, "free": 10}))
    assert bench.findings == []
    for _ in range(10):
        bench.heap(10)
    for _ in range(30):
        bench.second(rows("board-1", "heap", ("main",), bench.now_ms - 121_000, {"size": 22_528, "free": 9000}))
    assert told(bench.findings) == [("low", "firing")]


def test_an_alert_stays_when_the_device_falls_silent() -> None:
    bench = Bench(LOW)
    for _ in range(10):
        bench.heap(10)
    bench.wait(400)
    assert told(bench.findings) == [("low", "firing")]


def test_selectors_follow_the_description() -> None:
    bench = Bench(LOW.replace('for = "5s"', 'for = "0s"\nplatform = "zephyr"\nfirmware = "2.*"\ndevice = "board-*"'))
    bench.second(About("board-1", 1, {"platform": "zephyr", "firmware": "1.9"}))
    assert not bench.heap(10)
    bench.second(About("board-1", 1, {"platform": "zephyr", "firmware": "2.0"}))
    found = bench.heap(10)
    assert told(found) == [("low", "firing")]
    assert (found[0].platform, found[0].firmware) == ("zephyr", "2.0")


def test_a_silent_device_is_told_and_taken_back() -> None:
    bench = Bench(SILENT, silent_after_s=60)
    for _ in range(70):
        bench.heap(9000)
    last_heard = bench.now_ms - 100
    bench.wait(58)
    assert bench.findings == []
    bench.wait(3)
    assert told(bench.findings) == [("silent", "firing")]
    assert bench.findings[0].since_ms == last_heard
    bench.heap(9000)
    assert told(bench.findings)[1:] == [("silent", "resolved")]


@pytest.mark.parametrize("spoke_before", [True, False])
def test_what_its_agent_tells_of_its_port_is_no_word_of_a_device(spoke_before: bool) -> None:
    bench = Bench(SILENT, silent_after_s=60)
    if spoke_before:
        bench.heap(9000)
    for name in ("port_lost", "console_silent"):
        bench.second(rows("board-1", "event", (name,), bench.now_ms, {"text": "?"}))
        bench.wait(31)
    assert told(bench.findings) == [("silent", "firing")]
    bench.second(rows("board-1", "event", ("console_silent",), bench.now_ms, {"text": "?"}))
    assert told(bench.findings) == [("silent", "firing")]
    bench.second(rows("board-1", "event", ("console_heard",), bench.now_ms, {"text": "?"}))
    assert told(bench.findings)[1:] == [("silent", "resolved")]


def test_a_device_that_speaks_seldom_is_silent_after_a_span_of_its_own() -> None:
    bench = Bench(SILENT, silent_after_s=60)
    bench.second(About("board-1", 1, {}, {"silent_after_s": 900}))
    bench.heap(9000)
    bench.wait(890)
    assert bench.findings == []
    bench.wait(11)
    assert told(bench.findings) == [("silent", "firing")]


def test_our_own_outage_makes_nobody_silent() -> None:
    bench = Bench(SILENT, silent_after_s=60)
    bench.heap(9000)
    bench.second(seconds=3600)
    bench.wait(58)
    assert bench.findings == []
    bench.wait(3)
    assert told(bench.findings) == [("silent", "firing")]


def test_an_agent_that_drains_its_backlog_makes_nobody_silent() -> None:
    bench = Bench(SILENT, silent_after_s=60)
    bench.heap(9000)
    offline_from = bench.now_ms
    bench.second(seconds=4)
    for second in range(600):
        time_ms = offline_from + second * 1000  # ten minutes behind, and it comes one second a second
        bench.now_ms = max(bench.now_ms, offline_from + 600_000)
        bench.second(rows("board-1", "heap", ("main",), time_ms, {"size": 22_528, "free": 9000}))
    assert bench.findings == []


def test_events_fire_once_and_end_by_themselves() -> None:
    bench = Bench()
    event = {"size": 2312, "caller": "pb_decode"}
    bench.second(rows("board-1", "event", ("alloc_failed",), bench.now_ms + 900, event))
    for _ in range(5):
        bench.second(rows("board-1", "event", ("alloc_failed",), bench.now_ms + 900, event))
    for _ in range(298):
        bench.heap(9000)
    assert told(bench.findings) == [("allocation-failed", "firing")]
    assert bench.findings[0].reason == "An allocation of 2.3 KiB failed in pb_decode."
    bench.second(seconds=3290)
    bench.wait(5)
    assert told(bench.findings) == [("allocation-failed", "firing")]
    bench.wait(15)
    assert told(bench.findings)[1:] == [("allocation-failed", "resolved")]


def test_mt3620_memory_is_measured_against_256_kib() -> None:
    bench = Bench()
    bench.second(About("sphere", 1, {"platform": "mt3620"}))
    for used in (100, 240, 250):
        for _ in range(12):
            values = {"total": 300 * 1024, "user_mode": used * 1024, "peak_user_mode": used * 1024}
            bench.second(rows("sphere", "process", (), bench.now_ms + 900, values, resolution=1024))
    assert told(bench.findings) == [("user-memory-high", "firing"), ("user-memory-critical", "firing")]
    assert bench.findings[0].reason == (
        "User-mode memory is 240.0 KiB, 94 % of the 256.0 KiB at which the application is killed."
    )


@pytest.mark.parametrize("after_min", [0, 20])
def test_what_an_mt3620_takes_while_it_starts_is_no_rush(after_min: int) -> None:
    """Its counter keeps it; the same is told of a program that has started."""
    bench = Bench()
    bench.second(About("sphere", 1, {"platform": "mt3620"}))
    for second in range(0, 60 * after_min + 600, 20):
        used = 150 + max(0, min(80, (second - 60 * after_min) // 6))
        values = {"total": 300 * 1024, "user_mode": used * 1024, "peak_user_mode": used * 1024}
        block = rows("sphere", "process", (), bench.now_ms + 900, values, resolution=1024, uptime_ms=second * 1000)
        bench.second(block, seconds=20)
    told = [finding.rule for finding in bench.findings if finding.rule == "user-memory-leak"]
    assert told == (["user-memory-leak"] if after_min else [])


@pytest.mark.parametrize(("largest_free", "told_after_min"), [(24_000, 60), (26_000, None)])
def test_free_memory_in_small_pieces_is_told_after_an_hour(largest_free: int, told_after_min: int | None) -> None:
    bench = Bench()
    values = {"size": 300_000, "free": 100_000, "largest_free": largest_free}
    found = [bench.second(rows("a", "heap", ("dram",), bench.now_ms, values), seconds=60) for _ in range(90)]
    told_at = [minute for minute, findings in enumerate(found) if findings]
    assert told_at == ([] if told_after_min is None else [told_after_min])
    for finding in bench.findings:
        assert finding.rule == "heap-in-pieces"
        assert finding.reason.startswith("97.7 KiB of 293.0 KiB are free, but in small pieces: for an hour")


def test_what_is_told_to_grow_is_not_told_to_step() -> None:
    (step,) = (rule for rule in load_rules(None) if rule.name == "heap-step")
    columns = {"step_size": np.array([9000.0, 9000.0]), "leak_rate": np.array([np.nan, 500.0])}
    assert step.when is not None
    assert step.clear is not None
    assert step.verdict == "step"
    assert step.when(columns).tolist() == [True, False]
    assert step.clear(columns).tolist() == [False, False]


@pytest.mark.parametrize(("heap", "told"), [("DRAM", set()), ("PSRAM", {"task-leak"})], ids=["its heap", "another"])
def test_what_a_task_may_take_is_its_heap_whichever_told_the_size(heap: str, told: set[str]) -> None:
    """A task whose log fills evenly, for six hours, 7 KiB of a heap of 80."""
    bench = Bench()
    for minute in range(0, 360, 5):
        time_ms, log = bench.now_ms + 299_000, 500 + 20 * minute
        bench.second(
            rows("a", "task", ("log", "DRAM"), time_ms, {"current": log}),
            rows("a", "heap", (heap,), time_ms, {"size": 80_000, "used": 40_000}),
            seconds=300,
        )
    assert {finding.rule for finding in bench.findings} == told


def test_default_rules_tell_low_stacks_thresholds_and_dead_tasks() -> None:
    bench = Bench()
    for _ in range(40):
        time_ms = bench.now_ms + 900
        bench.second(
            rows("a", "stack", ("main",), time_ms, {"size": 1024, "min_free": 64}),
            rows("a", "stack", ("idle",), time_ms, {"min_free": 300}),
            rows("a", "stack", ("net",), time_ms, {"min_free": 200}),
            rows("a", "heap", ("HeapTracker",), time_ms, {"used": 30_000, "threshold": 20_000}),
            rows("a", "task", ("worker", "DRAM"), time_ms, {"current": 512, "alive": 0, "blocks": 3}),
        )
    assert sorted(finding.key for finding in bench.findings) == [
        "deleted-task-holds-memory|a|task|worker|DRAM",
        "heap-above-threshold|a|heap|HeapTracker",
        "stack-low-of-unknown-size|a|stack|net",
        "stack-low|a|stack|main",
    ]


@pytest.mark.parametrize(("platform", "left", "told"), [("freertos", 200, []), ("freertos", 100, ["small-stack-low"]),
                                                        ("esp32", 200, ["stack-low-of-unknown-size"])])  # fmt: skip
def test_small_stacks_of_freertos_do_well_with_less(platform: str, left: int, told: list[str]) -> None:
    bench = Bench()
    bench.second(About("a", 1, {"platform": platform}))
    bench.second(rows("a", "stack", ("idle",), bench.now_ms, {"min_free": left}))
    assert [finding.rule for finding in bench.findings] == told


def test_a_device_that_was_listed_and_never_spoke_is_silent_in_the_end_and_a_retired_one_never() -> None:
    bench = Bench(silent_after_s=300)
    bench.second(About("listed", 0, {"site": "Lyon"}), About("old", 0, {"retired": "yes"}), agent="")
    assert bench.wait(295) == []
    (found,) = bench.wait(10)
    assert (found.rule, found.device, found.status) == ("silent", "listed", "firing")
    assert found.reason.endswith(": it has not spoken yet.")
    (ended,) = bench.second(About("listed", 0, {"site": "Lyon", "retired": "yes"}), agent="")
    assert (ended.rule, ended.device, ended.status) == ("silent", "listed", "resolved")
    assert ended.reason == "The device was taken out of service."


def test_all_alerts_of_a_device_end_at_once_when_it_is_taken_out_of_service() -> None:
    """Long after it was heard, too: who retires a device has often waited for it."""
    bench = Bench(silent_after_s=300)
    bench.second(About("a", 1, {"platform": "esp32"}), rows("a", "stack", ("main",), bench.now_ms, {"min_free": 50}))
    bench.second(rows("a", "event", ("panic",), bench.now_ms, {"fault": "LoadProhibited"}))
    fired = {one.rule for one in bench.findings + bench.wait(3600) if one.status == "firing"}
    assert {"stack-low-of-unknown-size", "silent"} <= fired
    assert not any("spoken yet" in one.reason for one in bench.findings)
    ended = bench.second(About("a", 1, {"platform": "esp32", "retired": "yes"}), agent="")
    still = {one.rule for one in ended if one.status == "resolved"}
    assert {"stack-low-of-unknown-size", "silent"} <= still
    assert {one.reason for one in ended} == {"The device was taken out of service."}


def test_what_a_rule_leaves_alone_from_now_on_has_not_got_better() -> None:
    low = '[[rule]]\nname = "low"\nkind = "heap"\nseverity = "info"\nwhen = "free < 1000"\nfirmware = "1.*"\n'
    bench = Bench(low + 'reason = "x"\nresolved = "{free:size} are free again."\n')
    found = []
    for firmware in ("1.9", "2.0"):
        found += bench.second(About("board-1", 1, {"firmware": firmware}))
        found += [finding for _ in range(90) for finding in bench.heap(500)]
    assert [(one.status, one.reason) for one in found] == [
        ("firing", "x"), ("resolved", "The rule does not apply to it any more."),
    ]  # fmt: skip


def test_a_panic_is_over_when_none_came_again_not_by_the_restart_that_it_brought() -> None:
    bench = Bench()
    bench.second(rows("a", "event", ("panic",), bench.now_ms + 900, {"reason": "StoreProhibited"}, uptime_ms=90_000))
    bench.second(rows("a", "heap", ("main",), bench.now_ms + 900, {"size": 9000, "free": 5000}, boot=2, uptime_ms=500))

    def ended() -> list[str]:
        return [one.reason for one in bench.findings if one.rule == "panic" and one.status == "resolved"]

    bench.wait(2000)
    assert ended() == [], "nothing was heard of it that would say so"
    for minute in range(12):
        assert minute > 9 or ended() == []
        bench.second(rows("a", "heap", ("main",), bench.now_ms + 900, {"size": 9000, "free": 5000}, boot=2))
        bench.wait(60)
    assert ended() == ["No further panic for ten minutes."]


def test_a_device_that_died_in_a_loop_of_restarts_has_not_left_it() -> None:
    bench = Bench()
    bench.judge = Judge(load_rules(None), Shelf(), 300, step_ms=60_000)
    for boot in range(1, 7):
        began = rows("a", "event", ("boot",), bench.now_ms, {"reason": "panic"}, boot=boot, uptime_ms=10)
        bench.second(began, seconds=60)
    for _ in range(120):
        bench.second(seconds=60)
    assert ("reboot-loop", "firing") in told(bench.findings)
    assert ("reboot-loop", "resolved") not in told(bench.findings)
    for _ in range(20):
        bench.second(rows("a", "heap", ("main",), bench.now_ms, {"size": 9000, "free": 5000}, boot=6), seconds=60)
    assert ("reboot-loop", "resolved") in told(bench.findings)
