"""What emulated firmware does: a catalogue by name. Adding a workload is adding a function and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from emulators.boards import Board
from emulators.chance import Chance
from emulators.firmware import Plan
from emulators.workloads import faulty, healthy, heap_task_tracking, heap_tracker, memory_usage, zephyr_tutorial

ANY = ("mt3620", "esp32", "zephyr")


@dataclass(frozen=True, slots=True)
class Workload:
    """One entry: `build` draws a plan for a board; `prints`, `tracking`, `debugger` and `heap_tracking` are those of
    its plan."""

    build: Callable[[Board, Chance], Plan]
    platforms: tuple[str, ...] = ANY
    prints: bool = False
    tracking: bool = False
    debugger: bool = False
    heap_tracking: bool = False

    def plan(self, board: Board, chance: Chance) -> Plan:
        """What one device does."""
        plan = self.build(board, chance)
        return replace(
            plan, tracking=self.tracking, debugger=self.debugger, prints=self.prints, heap_tracking=self.heap_tracking
        )


WORKLOADS: Mapping[str, Workload] = {
    "steady": Workload(healthy.steady),
    "steady-tracked": Workload(healthy.steady, ("esp32",), tracking=True),
    "saw-tooth": Workload(healthy.saw_tooth),
    "daily": Workload(healthy.daily),
    "warm-up": Workload(healthy.warm_up),
    "frees-caches": Workload(healthy.frees_caches),
    "server": Workload(healthy.server),
    "ratchet": Workload(healthy.ratchet, ("mt3620",)),
    "server-tracked": Workload(healthy.server, ("mt3620",), heap_tracking=True),
    "slow-leak": Workload(faulty.slow_leak),
    "slow-leak-tracked": Workload(faulty.slow_leak, ("esp32",), tracking=True),
    "fast-leak": Workload(faulty.fast_leak),
    "leak-after-event": Workload(faulty.leak_after_event),
    "self-healing": Workload(faulty.self_healing),
    "panics": Workload(faulty.panics, ("esp32", "zephyr")),
    "fragmentation": Workload(faulty.fragmentation, ("esp32",)),
    "stack-creep": Workload(faulty.stack_creep, ("esp32", "zephyr")),
    "overuse-restart": Workload(faulty.overuse_restart, ("mt3620",)),
    "memory-usage": Workload(memory_usage.plan, ("mt3620",), prints=True),
    "heap-tracker-malloc": Workload(heap_tracker.malloc_plan, ("mt3620",), prints=True, debugger=True),
    "heap-tracker-realloc": Workload(heap_tracker.realloc_plan, ("mt3620",), prints=True, debugger=True),
    "heap-tracker-quiet": Workload(heap_tracker.quiet_plan, ("mt3620",), prints=True, debugger=True),
    "heap-task-tracking": Workload(heap_task_tracking.plan, ("esp32",), prints=True, tracking=True),
    "tutorial-leak": Workload(zephyr_tutorial.leaking_plan, ("zephyr",), prints=True),
    "tutorial-mended": Workload(zephyr_tutorial.mended_plan, ("zephyr",), prints=True),
}
