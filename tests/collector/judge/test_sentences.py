"""What the shipped rules say is true: of boots that are over, of stacks that are used up, of peers that do not grow."""

from __future__ import annotations

import re

import numpy as np
import pytest

from collector.judge import reasons
from collector.judge.rules import load_rules
from collector.records import Finding
from tests.collector.judge.nights import five_minutes
from tests.collector.judge.stream import Bench, rows

RULES = {rule.name: rule for rule in load_rules(None)}


def firing(bench: Bench, rule: str) -> list[Finding]:
    return [one for one in bench.findings if (one.rule, one.status) == (rule, "firing")]


@pytest.mark.parametrize("task", [False, True])
def test_a_leak_that_several_boots_tell_names_where_the_last_ended_and_that_restarts_give_it_back(task: bool) -> None:
    bench = Bench()
    kind, names, used, size = (
        ("task", ("mqtt", "main"), "current", "heap_size") if task else ("heap", ("main",), "used", "size")
    )
    for boot in range(1, 6):
        for number in range(3):
            values, time_ms = {size: 100_000, used: 20_480 + 25_600 * number}, bench.now_ms + 599_000
            reading = rows("b", kind, names, time_ms, values, boot=boot, uptime_ms=(number + 1) * 600_000)
            bench.second(reading, seconds=600)
    found = firing(bench, f"{kind}-leak")[0]
    assert "never came back" not in found.reason
    assert "it is at" not in found.reason
    said = r"in \d+ min of a boot, as [345] boots together tell, and only restarts give it back; "
    assert re.search(said + r"the last ended with 70.0 KiB taken", found.reason)
    assert task or "taken and memory ends about" in found.reason


def test_a_leak_of_the_boot_that_has_just_ended_names_where_it_ended() -> None:
    bench, chance = Bench(), np.random.default_rng(3)
    for boot, hours in ((1, 3), (2, 0.25)):
        for seconds in range(0, int(hours * 3600), 300):
            five_minutes(bench, seconds, 3.8, lambda: 110_000 * chance.uniform(), boot)
    (found,) = firing(bench, "heap-leak")
    taken = found.numbers["leak_ended"]
    assert taken > 200_000 > found.numbers["used"]
    assert f", until the boot ended with {reasons.size(taken)} taken and memory ends about " in found.reason
    assert " after a start" in found.reason


def test_a_stack_that_is_used_up_is_no_end_of_its_creeping() -> None:
    bench = Bench()

    def hear(used: int) -> None:
        bench.second(rows("b", "stack", ("net",), bench.now_ms + 59_000, {"size": 4096, "max_used": used}), seconds=60)

    for minute in range(600):
        hear(min(4096, 1500 + 8 * minute))
    for _ in range(24 * 60):
        hear(4096)
    assert [one.status for one in bench.findings if one.rule == "stack-creep"] == ["firing"]


def test_peers_that_do_not_grow_are_not_said_to_grow_by_nothing() -> None:
    known = {"peers": 9.0, "own_used": 120e3, "peer_used": 60e3, "own_growth": 20.0, "peer_growth": 0.0}
    for name in ("unlike-peers", "process-unlike-peers"):
        reason = RULES[name].reason
        assert reasons.fill(reason, known).endswith("(the median); its use changes by 20 bytes/h, theirs by 0 bytes/h.")
        assert reasons.fill(reason, known | {"own_growth": np.nan}).endswith("they 58.6 KiB (the median).")


@pytest.mark.parametrize(
    ("rule", "told", "sentence"),
    [
        ("stack-overflow", {"task": "wifi"}, "The stack of wifi overflowed."),
        ("stack-overflow", {"thread": "rx", "fault": "MPU FAULT"}, "The stack of rx overflowed: MPU FAULT."),
        ("stack-overflow", {"reason": "smashing"}, "A stack overflowed: smashing."),
        ("stack-fault", {"task": "sens"}, "The stack of sens ran past its bounds."),
        ("panic", {"thread": "net_rx", "fault": "MPU FAULT", "reason": "Unknown error"},
         "The firmware panicked in net_rx: MPU FAULT, Unknown error."),
        ("panic", {"reason": "LoadProhibited"}, "The firmware panicked: LoadProhibited."),
        ("abort", {"task": "main"}, "The firmware aborted in main."),
        ("abort", {}, "The firmware aborted."),
    ],
)  # fmt: skip
def test_what_broke_is_said_with_whose_it_was(rule: str, told: dict[str, str], sentence: str) -> None:
    assert reasons.fill(RULES[rule].reason, told) == sentence


def test_what_a_device_says_may_end_in_a_full_stop() -> None:
    said = reasons.fill(RULES["panic"].reason, {"reason": "Interrupt wdt timeout. Exception was unhandled."})
    assert said == "The firmware panicked: Interrupt wdt timeout. Exception was unhandled."
    assert reasons.fill("Said: {reason}. More.", {"reason": "no..."}) == "Said: no.... More."
    assert reasons.fill("Said: {reason}.", {"reason": "see ../a..b"}) == "Said: see ../a..b."


def test_fragmentation_says_what_was_free_then_and_now() -> None:
    known = {"fragment_before": 114_688.0, "fragment_now": 29_696.0, "fragment_hours": 37.3, "largest_free": 20_480.0}
    known |= {"free": 86_733.0}
    free = {"fragment_free_before": 143_360.0, "fragment_free_now": 122_880.0}
    reason = RULES["heap-fragmentation"].reason
    assert reasons.fill(reason, known | free) == (
        "The largest free block shrank from 112.0 KiB to 29.0 KiB in 37.3 hours and is 20.0 KiB now, while at best "
        "140.0 KiB were free then and 120.0 KiB are now; larger requests fail though memory is free."
    )
    assert reasons.fill(reason, known).endswith("and is 20.0 KiB now; larger requests fail though memory is free.")
