"""Who is to be looked at first for a leak: a task, a thread, the caller of a failed allocation."""

from __future__ import annotations

from collector.records import Finding
from telemetry.wire import Rows
from tests.collector.judge.stream import Bench, rows

SIZE = 400_000


def leaking(bench: Bench, seconds: int, *others: tuple[str, tuple[str, str], int]) -> list[Finding]:
    """A heap that loses 100 bytes a second, and tasks that take each so much of it."""
    for second in range(0, seconds, 20):
        up = {"uptime_ms": 60_000 + 1000 * second}
        blocks: list[Rows] = [
            rows("a", "task", names, bench.now_ms + 19_900, {"current": 5_000 + rate * second, "alive": 1}, **up)
            for _, names, rate in others
        ]
        heap = {"size": SIZE, "used": 100_000 + 100 * second}
        bench.second(rows("a", "heap", ("DRAM",), bench.now_ms + 19_900, heap, **up), *blocks, seconds=20)
    return [one for one in bench.findings if one.rule == "heap-leak" and one.status == "firing"]


def test_the_task_that_grew_most_is_named() -> None:
    found = leaking(
        Bench(), 2400, ("task", ("net", "DRAM"), 75), ("task", ("idle", "DRAM"), 0), ("task", ("log", "PSRAM"), 200)
    )
    assert {one.suspect for one in found} == {"net"}
    assert "; to look at first: the task net, which took " in found[0].reason
    assert 0.6 * found[0].numbers["leak_grown"] <= found[0].numbers["suspect_grown"] < found[0].numbers["leak_grown"]


def test_who_took_all_of_it_took_no_more_than_that() -> None:
    found = leaking(Bench(), 2400, ("task", ("net", "DRAM"), 100))
    assert {one.numbers["suspect_grown"] for one in found} == {one.numbers["leak_grown"] for one in found}


def test_nobody_is_named_for_a_small_part_of_it_unless_an_allocation_failed() -> None:
    bench = Bench()
    found = leaking(bench, 2400, ("task", ("net", "DRAM"), 5))
    assert {one.suspect for one in found} == {""}
    assert "look at first" not in found[0].reason
    bench = Bench()
    bench.second(
        rows("a", "event", ("alloc_failed",), bench.now_ms + 900, {"size": 9_000, "caller": "camera_grab"}, uptime_ms=1)
    )
    found = leaking(bench, 2400, ("task", ("net", "DRAM"), 5))
    assert {one.suspect for one in found} == {"camera_grab"}
    assert "to look at first: camera_grab, whose allocation failed." in found[0].reason


def test_a_task_that_is_gone_and_holds_memory_leaks_at_once_unless_it_is_the_main_one() -> None:
    bench = Bench()
    for _ in range(7):
        values = {"current": 4096, "alive": 0, "blocks": 2}
        bench.second(*(rows("a", "task", (name, "DRAM"), bench.now_ms + 900, values) for name in ("worker", "main")))
    (found,) = bench.findings
    assert (found.rule, found.suspect) == ("deleted-task-holds-memory", "worker")
    assert found.reason == (
        "The task worker is gone and still holds 4.0 KiB in 2 blocks in DRAM: nobody is left to give it back."
    )


def test_a_task_that_is_listed_no_more_holds_nothing_any_more() -> None:
    """Newer ESP-IDF leaves out a task that is gone as soon as nothing of it is left."""
    bench, told = Bench(), []
    for listing in range(60):
        names = ["idle", "worker"] if listing < 20 or listing == 22 else ["idle"]
        values = {"idle": {"current": 100, "alive": 1}, "worker": {"current": 4096, "alive": 0}}
        listed = [rows("a", "task", (name, "DRAM"), bench.now_ms + 900, values[name]) for name in names]
        bench.second(*listed, seconds=10)
        told.append([(one.status, one.reason) for one in bench.findings])
    assert [status for status, _ in told[25]] == ["firing"]
    assert told[-1][1:] == [("resolved", "The device lists the task no more.")]
