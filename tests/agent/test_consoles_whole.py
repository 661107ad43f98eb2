"""A whole log at once, as other programs ask for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import memfleet
from agent.consoles import Console
from memfleet.advice import read_of
from telemetry.errors import UsageError

LOG = "User memory: 36 KB.\nPeak user memory: 40 KB.\nTotal memory: 64 KB.\n"


@pytest.mark.parametrize("log", [LOG, LOG.encode()])
def test_text_and_bytes_say_the_same(log: str | bytes) -> None:
    [fact] = memfleet.parse(log)
    assert (fact.kind, fact.system) == ("process", "mt3620")
    assert fact.values == {"user_mode": 36864, "peak_user_mode": 40960, "total": 65536}


def test_a_system_that_does_not_exist_is_told() -> None:
    with pytest.raises(UsageError, match="choose one of mt3620"):
        memfleet.parse(LOG, "vms")


def test_what_is_not_believed_is_counted_by_its_reason() -> None:
    console = Console("zephyr")
    stack = "{:<20}: STACK: unused 648 usage 376 / 1024 (36 %); CPU: 0 %\n"
    heap = "free:           {}\nallocated:      100\nmax. allocated: 200\n"
    log = [heap.format(58_312), stack.format("idle"), "idle     : STACK: unused 648 usage 376 / 1024 (36 %)\n"]
    log += [heap.format(5_831), heap.format(5_832), "x" * 100_000 + "\n"]
    facts = [fact for line in log for fact in console.feed(line.encode())] + console.close()
    assert [fact.values["free"] for fact in facts if "free" in fact.values] == [58_312, 5_832]
    assert [fact.names for fact in facts if fact.kind == "stack"] == [("idle",)]
    assert console.refused == {"cut_numbers": 1, "cut_names": 1, "long_lines": 1}
    assert read_of(console) == "12 lines, 11 understood (not believed: cut numbers 1, cut names 1, long lines 1)"


@given(st.text() | st.binary())
def test_no_log_breaks_it(log: str | bytes) -> None:
    memfleet.parse(log)
