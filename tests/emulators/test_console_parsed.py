"""Emulated consoles through the agent's parsers: back come exactly the numbers that the emulated memory holds."""

from __future__ import annotations

import pytest

from agent.consoles.console import Console
from agent.consoles.fact import Fact
from emulators.consoles import EmulatedConsole
from emulators.devices.esp32 import Esp32Memory
from emulators.devices.mt3620 import LIBRARIES, OWN_HEAP, Mt3620Memory
from emulators.devices.zephyr import ZephyrMemory

MODULUS = 65536


class Desk:
    """A console on a desk with the agent's parser at its port."""

    def __init__(self, system: str, workload: str, **options: object) -> None:
        self.emulated = EmulatedConsole(system, workload, **options)  # type: ignore[arg-type]
        self.parser = Console()

    def facts_until(self, now_ms: int) -> list[Fact]:
        """What the parser understood up to then."""
        return self.parser.feed(self.emulated.advance(now_ms))


def _of_kind(facts: list[Fact], kind: str) -> list[Fact]:
    return [fact for fact in facts if fact.kind == kind]


def test_memory_usage_comes_back() -> None:
    desk = Desk("mt3620", "memory-usage")
    desk.facts_until(0)
    for timer in range(1, 60):
        memory = desk.emulated.device.memory
        assert isinstance(memory, Mt3620Memory)
        held = {"total": memory.total(), "user_mode": memory.user_mode(), "peak_user_mode": memory.peak}
        printed = _of_kind(desk.facts_until(timer * 250), "process")  # before the event changes anything
        assert dict(printed[0].values) == held
        assert len(printed) == (2 if timer % 8 == 1 and timer > 1 else 1)
    assert desk.parser.system == "mt3620"


def test_heap_tracker_comes_back() -> None:
    desk = Desk("mt3620", "heap-tracker-malloc")
    facts = desk.facts_until(0) + desk.facts_until(11_000) + desk.parser.close()
    used = [fact.values["used"] for fact in _of_kind(facts, "heap")]
    assert used[0] == 0
    assert used[1:9] == [1024, 0, 2048, 0, 3072, 0, 4096, 0]
    assert max(int(one) for one in used) == 257_024


def test_heap_task_tracking_comes_back_modulo_65536() -> None:
    desk = Desk("esp32", "heap-task-tracking")
    for second in range(4):
        facts = _of_kind(desk.facts_until(second * 1000), "task")
        memory = desk.emulated.device.memory
        assert isinstance(memory, Esp32Memory)
        assert memory.tracking is not None
        for name in ("no_leak_task", "leaking_task"):
            for heap in memory.tracking.tasks[name].heaps.values():
                label = f"RAM#{heap.region.spec.size % MODULUS}"
                (fact,) = [fact for fact in facts if fact.names == (name, label)]
                assert fact.values["current"] == heap.current % MODULUS
                assert fact.values["peak"] == heap.peak % MODULUS
                assert fact.values["blocks"] == len(heap.blocks)
                assert "modulus" in fact.flags


def test_the_tutorial_comes_back() -> None:
    desk = Desk("zephyr", "tutorial-leak")
    for second in range(220):
        facts = desk.facts_until(second * 1000)
        memory = desk.emulated.device.memory
        assert isinstance(memory, ZephyrMemory)
        stats = memory.region.heap.stats()
        assert dict(_of_kind(facts, "heap")[0].values) == {"free": stats.free, "used": stats.used}
        assert _of_kind(facts, "stack")[0].values["min_free"] == memory.stacks.free("main")


@pytest.mark.parametrize("workload", ["steady", "saw-tooth", "fast-leak"])
def test_zephyrs_reports_come_back(workload: str) -> None:
    desk = Desk("zephyr", workload, period_s=5)
    desk.facts_until(0)
    for report in range(1, 20):
        facts = desk.facts_until(report * 5000)
        measures = list(desk.emulated.device.memory.measures())
        (heap,) = _of_kind(facts, "heap")
        assert dict(heap.values) == {name: measures[0].values[name] for name in ("free", "used")}
        stacks = {fact.names: dict(fact.values) for fact in _of_kind(facts, "stack")}
        assert stacks == {one.names: dict(one.values) for one in measures if one.kind == "stack"}


@pytest.mark.parametrize(
    ("workload", "board"), [("steady", "esp32"), ("slow-leak-tracked", "esp32s3"), ("server", "esp32c3")]
)
def test_esp_idfs_summaries_come_back(workload: str, board: str) -> None:
    desk = Desk("esp32", workload, period_s=5, board=board)
    desk.facts_until(0)
    for report in range(1, 20):
        facts = desk.facts_until(report * 5000)
        memory = desk.emulated.device.memory
        assert isinstance(memory, Esp32Memory)
        heaps = {fact.names[0]: dict(fact.values) for fact in _of_kind(facts, "heap")}
        for region in memory.regions:
            stats = region.heap.stats()
            assert heaps[f"0x{region.spec.start:08x}"] == {
                "size": region.spec.size, "free": stats.free, "used": stats.used, "min_free": stats.min_free,
                "largest_free": stats.largest_free, "alloc_blocks": stats.used_blocks,
                "free_blocks": stats.free_blocks,
            }  # fmt: skip
        info = memory.info(internal=True)
        totals = heaps["caps 0x00000804"]
        assert totals == {name: info[name] for name in ("free", "used", "min_free", "largest_free")}
        if memory.tracking:
            tasks = {fact.names: dict(fact.values) for fact in _of_kind(facts, "task")}
            totals = {task: values["current"] for (task, heap), values in tasks.items() if heap == "total"}
            assert totals == {use.name: use.current for use in memory.tracking.newest_first()}
            tree = {names: values for names, values in tasks.items() if names[1] != "total"}
            assert tree == {one.names: dict(one.values) for one in memory.tracking.measures()}


@pytest.mark.parametrize(
    ("system", "workload", "period_s"),
    [("esp32", "panics", 30), ("esp32", "stack-creep", 60), ("zephyr", "stack-creep", 60), ("mt3620", "fast-leak", 10)],
)
def test_each_boot_of_the_device_is_seen(system: str, workload: str, period_s: float) -> None:
    desk = Desk(system, workload, period_s=period_s)
    facts = desk.facts_until(0) + desk.facts_until(2_400_000) + desk.parser.close()
    assert sum(fact.begins_boot for fact in facts) == desk.emulated.device.boot > 1


def test_show_memory_stats_comes_back() -> None:
    desk = Desk("mt3620-stats", "memory-usage", period_s=1)
    printed = []
    for second in range(40):
        facts = _of_kind(desk.facts_until(second * 1000 + 500), "process")
        printed += [dict(fact.values) for fact in facts]
    printed += [dict(fact.values) for fact in _of_kind(desk.parser.close(), "process")]
    other = EmulatedConsole("mt3620-stats", "memory-usage")
    for second, values in enumerate(printed):
        other.advance(second * 1000)
        memory = other.device.memory
        assert isinstance(memory, Mt3620Memory)
        assert values == {"total": memory.total(), "user_mode": memory.user_mode(), "peak_user_mode": memory.peak}
    assert len(printed) == 40


@pytest.mark.parametrize(
    ("system", "workload"),
    [("mt3620", "memory-usage"), ("mt3620", "heap-tracker-malloc"),
     ("esp32", "heap-task-tracking"), ("esp32", "slow-leak-tracked"), ("esp32", "server"),
     ("zephyr", "tutorial-leak"), ("zephyr", "steady")],
)  # fmt: skip
def test_noise_changes_no_number(system: str, workload: str) -> None:
    quiet, noisy = Desk(system, workload), Desk(system, workload, noise=True)
    bytes_of = [desk.emulated.advance(0) + desk.emulated.advance(30_000) for desk in (quiet, noisy)]
    assert len(bytes_of[1]) > 1.02 * len(bytes_of[0])
    numbers = []
    for desk, data in zip((quiet, noisy), bytes_of, strict=True):
        facts = desk.parser.feed(data) + desk.parser.close()
        numbers.append([(f.kind, f.names, dict(f.values)) for f in facts if f.kind not in ("event", "log", "device")])
    assert numbers[0] == numbers[1]
    assert len(numbers[0]) > 10


def test_tracked_heaps_stand_in_the_table_of_a_development_device() -> None:
    desk = Desk("mt3620-stats", "server-tracked", period_s=1)
    facts = desk.facts_until(30_500) + desk.parser.close()
    heaps = {fact.names[0] for fact in _of_kind(facts, "heap")}
    assert heaps == {OWN_HEAP, *(name for name, _ in LIBRARIES)}
    newest = [dict(fact.values) for fact in _of_kind(facts, "heap") if fact.names[0] == OWN_HEAP][-1]
    memory = desk.emulated.device.memory
    assert isinstance(memory, Mt3620Memory)
    assert newest == {"used": dict(memory.tracked_heaps())[OWN_HEAP]}
