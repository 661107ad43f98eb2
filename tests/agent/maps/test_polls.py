"""Questions to devices: in turn, and more often for those that the collector suspects."""

from __future__ import annotations

from agent.maps.mapfile import Poll
from agent.maps.polls import AT_ONCE, Poller, Question
from agent.maps.report import Report

POLLS = {"shelly": [Poll(topic="{device}/rpc", payload="{client}")]}


def report(alias: str, *, online: bool | None = None) -> Report:
    return Report(system="shelly", family="shelly", alias=alias, time_ms=0, poll=True, online=online)


def asked(questions: list[Question]) -> list[str]:
    return [topic.removesuffix("/rpc") for topic, _ in questions]


def test_everybody_is_asked_in_turn_and_nobody_that_has_gone() -> None:
    poller = Poller(POLLS, "me", every_s=60)
    for number in range(AT_ONCE + 1):
        poller.heard(report(f"d{number}"))
    first, second = asked(poller.due(0)), asked(poller.due(0))
    assert (len(first), len(second)) == (AT_ONCE, 1)
    assert {*first, *second} == {f"d{number}" for number in range(AT_ONCE + 1)}
    poller.heard(report("d3", online=False))
    assert "d3" not in {*asked(poller.due(60_000)), *asked(poller.due(60_000))}


def test_a_suspected_device_is_asked_more_often_for_a_while() -> None:
    poller = Poller(POLLS, "me", every_s=60)
    for alias in ("calm", "suspect", "gone"):
        poller.heard(report(alias))
    poller.due(0)
    poller.hurry([("shelly", "suspect"), ("shelly", "gone"), ("shelly", "stranger")], 10_000, 50_000)
    poller.heard(report("gone", online=False))
    told = [(second, name) for second in range(1, 70) for name in asked(poller.due(second * 1000))]
    assert told[:5] == [(1, "suspect"), (11, "suspect"), (21, "suspect"), (31, "suspect"), (41, "suspect")]
    assert set(told[5:]) == {(60, "calm"), (60, "suspect")}
