"""Incidents of several collectors as one list."""

from __future__ import annotations

from typing import Any

from collector.web.folding import Folded, Part, fold

LEAK = "heap-leak|esp32|1.5|heap|dram"


def part(peer: str, since_ms: int, *, fault: str = LEAK, **more: Any) -> Part:
    incident = {
        "key": f"{fault}@{since_ms}", "status": "firing", "severity": "warning", "since_ms": since_ms,
        "at_ms": since_ms + 10, "devices": 2, "firing": 1, "numbers": {}, "acknowledged_ms": 0, "acknowledged_by": "",
        "silenced_until_ms": 0,
    }  # fmt: skip
    return Part(peer, incident | more)


def one(*parts: Part) -> Folded:
    (folded,) = fold(parts)
    return folded


def test_one_fault_at_one_time_on_two_collectors_is_one_incident() -> None:
    own = part("", 200, severity="critical", numbers={"leak_hours_left": 9.0})
    folded = one(own, part("http://b", 100))
    assert (folded.devices, folded.firing, folded.severity, folded.since_ms) == (4, 2, "critical", 100)
    assert folded.key == f"{LEAK}@100"
    assert folded.worst is own


def test_the_one_with_the_least_time_left_is_the_worst() -> None:
    soon = part("http://b", 300, numbers={"leak_hours_left": 3.0})
    assert one(part("", 100, numbers={"leak_hours_left": 9.0}), soon, part("http://c", 200)).worst is soon


def test_other_faults_other_times_and_one_collectors_own_stay_apart() -> None:
    assert len(fold([part("", 100), part("http://b", 100, fault="silence|zephyr|1|device")])) == 2
    over = part("", 100, status="resolved", at_ms=150)
    assert len(fold([over, part("http://b", 151)])) == 2
    assert len(fold([over, part("http://b", 150)])) == 1
    assert len(fold([part("", 100), part("", 120)])) == 2


def test_it_is_over_known_and_silenced_only_where_all_open_parts_are() -> None:
    known: dict[str, Any] = {"acknowledged_ms": 5, "acknowledged_by": "ann", "silenced_until_ms": 900}
    folded = one(part("", 100, **known), part("http://b", 100))
    assert (folded.acknowledged, folded.acknowledged_by, folded.silenced_until_ms) == (False, "ann", 0)
    folded = one(part("", 100, **known), part("http://b", 100, status="resolved", at_ms=400))
    assert (folded.status, folded.acknowledged, folded.silenced_until_ms) == ("firing", True, 900)


def test_the_worst_open_ones_come_first() -> None:
    over = part("", 900, fault="a", status="resolved", severity="critical")
    old, new = part("", 100, fault="b"), part("", 200, fault="c")
    worst = part("", 50, fault="d", severity="critical")
    assert [found.first for found in fold([over, old, new, worst])] == [worst, new, old, over]
