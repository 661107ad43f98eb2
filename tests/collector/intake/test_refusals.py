"""What was refused of an agent stands beside what it says of itself, for an hour."""

from __future__ import annotations

from telemetry.readings import Reading
from telemetry.wire import Rows
from tests.collector.intake.test_wallclocks import NOW, Gateway

MINUTE_MS = 60_000


def bad(rows: int) -> Rows:
    """Counters that went below zero."""
    return Rows("d1", 1, "heap", ("system",), 0, 1, NOW, 0, ("free",), [[n, n, 2**32 - 1] for n in range(rows)])


def refused(readings: list[Reading]) -> list[tuple[object, object]]:
    """What the agent's words of itself say of it."""
    own = [reading.values for reading in readings if reading.kind == "agent"]
    return [(values.get("refused_rows"), values.get("refused_why")) for values in own]


def test_an_agent_of_which_nothing_is_refused_says_so_once() -> None:
    gateway = Gateway()
    assert [refused(gateway.speak()) for _ in range(3)] == [[(0, None)], [(None, None)], [(None, None)]]


def test_rows_of_the_last_hour_count_and_the_reason_of_most_is_named() -> None:
    gateway = Gateway()
    gateway.speak()
    gateway.send(bad(3))
    assert refused(gateway.speak()) == [(3, "underflow")]
    gateway.now_ms += 30 * MINUTE_MS
    gateway.send(Rows("d1", 1, "heap", ("system",), 0, 1, NOW, 0, ("free",), [[n, n, -1] for n in range(4)]))
    assert refused(gateway.speak()) == [(7, "negative")]
    gateway.now_ms += 30 * MINUTE_MS
    assert refused(gateway.speak()) == [(4, "negative")]
    gateway.now_ms += 60 * MINUTE_MS
    assert refused(gateway.speak()) == [(0, None)], "so that whoever was told learns of the end"
    assert refused(gateway.speak()) == [(None, None)]


def test_the_last_hour_outlives_a_kill_of_the_collector() -> None:
    gateway = Gateway()
    gateway.send(bad(3))
    gateway.begin()
    assert refused(gateway.speak()) == [(3, "underflow")]
    gateway.now_ms += 61 * MINUTE_MS
    gateway.begin()
    assert refused(gateway.speak()) == [(0, None)]


def test_what_is_refused_of_one_agent_is_not_said_of_another() -> None:
    gateway = Gateway()
    gateway.state.refusals.note("other", NOW, "time", 50)
    assert refused(gateway.speak()) == [(0, None)]
