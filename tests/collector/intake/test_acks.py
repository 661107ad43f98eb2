"""When an agent is told how far the collector has come."""

from __future__ import annotations

from collector.intake.acks import FRAMES, SPAN_MS, Acks


def test_a_single_frame_is_acknowledged_at_once_and_then_every_span() -> None:
    acks = Acks()
    acks.owe("a", 1)
    assert acks.due(0) == [("a", 1)]
    acks.owe("a", 1)
    assert acks.due(SPAN_MS - 1) == []
    assert acks.due(SPAN_MS) == [("a", 1)]
    assert acks.due(10 * SPAN_MS) == []


def test_many_frames_do_not_wait_for_the_span() -> None:
    acks = Acks()
    acks.owe("a", 1)
    acks.due(0)
    for _ in range(FRAMES):
        acks.owe("a", 1)
    assert acks.due(1) == [("a", 1)]
