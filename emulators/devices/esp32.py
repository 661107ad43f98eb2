"""A chip of the ESP32 family under ESP-IDF: several heaps, FreeRTOS tasks on stacks from them, task tracking."""

from __future__ import annotations

from collections.abc import Iterator

from emulators.boards import Board
from emulators.devices.measure import Measure
from emulators.devices.region import LiveRegion
from emulators.devices.stacks import Stacks
from emulators.devices.task_tracking import OWNER_BYTES, TaskTracking
from emulators.firmware import Allocation, Task
from emulators.heap import HeapStats

ALWAYS_INTERNAL = 16384
"""CONFIG_SPIRAM_MALLOC_ALWAYSINTERNAL: larger requests try external RAM first."""

TCB_BYTES = 340
HEAP_ARRAY = 164
"""The records of the heaps themselves: the first block, owned by nobody."""

PRE_SCHEDULER = (
    8, 8, 12, 20, 32, 36, 32, 36, 84, 84, 84, 428, 84, 84, 84, 128, 128, 84, 12, 1308, 340,
)  # fmt: skip
IPC0 = (1308, 340, 12, 4220, 340, 1564, 340, 1564, 340, 12)
IPC1 = (12, 12)
MAIN_EARLY, MAIN_LATE = (84, 84, 84), (16, 8, 12, 16, 16)
"""What ESP-IDF itself allocates on the way to app_main, from the README of its heap_task_tracking example."""

SOCKET_BLOCKS = (104, 172, 216)
"""lwIP's netconn, mailbox and control block of a TCP socket, bytes: a choice."""


class Esp32Memory:
    """The memory of one boot, from reset to app_main. `tracking`: heap task tracking is compiled in."""

    def __init__(self, board: Board, *, tracking: bool = False) -> None:
        owner = OWNER_BYTES if tracking else 0
        self.regions = [LiveRegion(spec, board.allocator, owner) for spec in board.regions]
        self._internal = [region for region in self.regions if region.spec.internal and not region.spec.late]
        self._external = [region for region in self.regions if not region.spec.internal]
        self.tracking = TaskTracking(self._internal[0]) if tracking else None
        self.stacks = Stacks()
        self._of_tasks: dict[str, tuple[Allocation | None, Allocation | None]] = {}
        self._boot()

    def _boot(self) -> None:
        start_up = self._internal[0]
        block = start_up.heap.malloc(HEAP_ARRAY)
        if self.tracking and block:
            start_up.owner_bytes = 0  # the heap array stands before there are owners
            self.tracking.taken("Pre-scheduler", Allocation(start_up, block))
            start_up.owner_bytes = OWNER_BYTES
        early = (("Pre-scheduler", PRE_SCHEDULER), ("ipc0", IPC0), ("ipc1", IPC1), ("main", MAIN_EARLY))
        for task, sizes in early:
            for size in sizes:
                self.malloc(task, size, written=False)
        self._internal = [region for region in self.regions if region.spec.internal]
        for size in MAIN_LATE:
            self.malloc("main", size, written=False)

    def malloc(self, task: str, size: int, *, written: bool) -> Allocation | None:
        """heap_caps_malloc with the default capabilities."""
        first, then = self._internal, self._external
        if size > ALWAYS_INTERNAL and then:
            first, then = then, first
        return self._malloc_in(first, task, size) or self._malloc_in(then, task, size)

    def _malloc_in(self, regions: list[LiveRegion], task: str, size: int) -> Allocation | None:
        for region in regions:
            block = region.heap.malloc(size + region.owner_bytes) if size else None
            if block:
                held = Allocation(region, block)
                if self.tracking:
                    self.tracking.taken(task, held)
                return held
        return None

    def calloc(self, task: str, count: int, size: int) -> Allocation | None:
        """heap_caps_calloc."""
        return self.malloc(task, count * size, written=True)

    def realloc(self, task: str, held: Allocation | None, size: int) -> Allocation | None:
        """heap_caps_realloc: in place, or to another heap when its own is full."""
        if held is None:
            return self.malloc(task, size, written=False)
        if not size:
            self.free(held)
            return None
        if self.tracking:
            moved = self.malloc(task, size, written=False)
            if moved:
                self.free(held)
            return moved
        block = held.region.heap.realloc(held.block, size)
        if block:
            return Allocation(held.region, block)
        moved = self.malloc(task, size, written=False)
        if moved:
            self.free(held)
        return moved

    def free(self, held: Allocation | None) -> None:
        """heap_caps_free."""
        if held is None:
            return
        if self.tracking:
            self.tracking.given_back(held)
        held.region.heap.free(held.block)

    def open_socket(self, task: str) -> object | None:
        """lwIP allocates what a socket needs from the heap."""
        blocks = [self.malloc(task, size, written=False) for size in SOCKET_BLOCKS]
        if None in blocks:
            self.close_socket(blocks)
            return None
        return blocks

    def close_socket(self, socket: object) -> None:
        """Give back what it took."""
        if isinstance(socket, list):
            for held in socket:
                self.free(held)

    def begin(self, task: Task, by: str) -> None:
        """xTaskCreate: stack and control block come from the heap, owned by the creator."""
        self._of_tasks[task.name] = (
            self.malloc(by, task.stack, written=False),
            self.malloc(by, TCB_BYTES, written=False),
        )
        self.stacks.begin(task.name, task.stack, task.depth)

    def end(self, task: str) -> None:
        """vTaskDelete: the idle task frees stack and control block."""
        for held in self._of_tasks.pop(task, ()):
            self.free(held)
        self.stacks.end(task)
        if self.tracking:
            self.tracking.ended(task)

    def use_stack(self, task: str, depth: int) -> bool:
        """How deep a task's stack is."""
        return self.stacks.use(task, depth)

    def free_bytes(self) -> int:
        """esp_get_free_heap_size: all heaps."""
        return sum(region.heap.stats().free for region in self.regions)

    def region_stats(self) -> list[tuple[LiveRegion, HeapStats]]:
        """Each heap with what it tells about itself."""
        return [(region, region.heap.stats()) for region in self.regions]

    def measures(self) -> Iterator[Measure]:
        """heap_caps_get_info of internal and external RAM, stacks, tasks when they are tracked."""
        stats = self.region_stats()
        for name, internal in (("internal", True), ("psram", False)):
            part = [(region, one) for region, one in stats if region.spec.internal is internal]
            if part:
                yield Measure("heap", (name,), _summed(part))
        yield from self.stacks.measures()
        if self.tracking:
            yield from self.tracking.measures()


def _summed(part: list[tuple[LiveRegion, HeapStats]]) -> dict[str, int]:
    """Several heaps as heap_caps_get_info sums them: the largest block is the largest of any, the minimum is the sum of
    minima that were not simultaneous."""
    return {
        "size": sum(region.spec.size for region, _ in part),
        "free": sum(stats.free for _, stats in part),
        "used": sum(stats.used for _, stats in part),
        "min_free": sum(stats.min_free for _, stats in part),
        "largest_free": max(stats.largest_free for _, stats in part),
        "alloc_blocks": sum(stats.used_blocks for _, stats in part),
        "free_blocks": sum(stats.free_blocks for _, stats in part),
    }
