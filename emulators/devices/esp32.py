"""A chip of the ESP32 family under ESP-IDF: several heaps, FreeRTOS tasks on stacks from them, task tracking."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from emulators.boards import Board, Region
from emulators.devices.measure import Measure
from emulators.devices.region import LiveRegion
from emulators.devices.stacks import Stacks
from emulators.devices.task_tracking import OWNER_BYTES, Owned, TaskTracking
from emulators.firmware import Allocation, Calls, Plan, Task
from emulators.heap import Block
from emulators.native import core

ALWAYS_INTERNAL = 16384
"""CONFIG_SPIRAM_MALLOC_ALWAYSINTERNAL: larger requests try external RAM first."""

NO_LIMIT = 2**32 - 1
"""Pages: none are counted here."""

TCB_BYTES = 340
HEAP_ARRAY = 164
"""The records of the heaps themselves: the first block, owned by nobody."""

PRE_SCHEDULER = (
    8, 8, 12, 20, 32, 36, 32, 36, 84, 84, 84, 428, 84, 84, 84, 128, 128, 84, 12, 1308, 340,
)  # fmt: skip
IPC0_EARLY, IPC0_FREED, IPC0_LATE = (1308, 340), 8, (4220, 340, 1564, 340, 1564, 340, 12)
IPC1 = (12, 12)
MAIN_EARLY, MAIN_LATE = (84, 84, 84), (16, 8, 12, 16, 16)
"""What ESP-IDF itself allocates on the way to app_main, from the README of its heap_task_tracking example: among it the
stacks of the idle and main tasks, and in ipc0 a block that is freed again."""

SOCKET_BLOCKS = (104, 172, 216)
"""lwIP's netconn, mailbox and control block of a TCP socket, bytes: a choice."""


HEAPS: Mapping[str, Callable[[Region], bool]] = {
    "internal": lambda spec: spec.internal,
    "psram": lambda spec: not spec.internal,
    "rtc": lambda spec: spec.rtc,
    "dma": lambda spec: spec.internal and spec.dma,
}
"""What heap_caps_get_info is asked for: MALLOC_CAP_INTERNAL, _SPIRAM, _RTCRAM and _DMA."""


class Esp32Memory:
    """The memory of one boot, from reset to app_main."""

    def __init__(self, board: Board, plan: Plan) -> None:
        owner = OWNER_BYTES if plan.tracking else 0
        self.regions = [LiveRegion(spec, board.allocator, owner) for spec in board.regions]
        self._internal = [region for region in self.regions if region.spec.internal and not region.spec.late]
        self._external = [region for region in self.regions if not region.spec.internal]
        self._internal_first = self._internal + self._external
        self._external_first = self._external + self._internal
        self._heaps = _by_capability(self.regions)
        self.tracking = TaskTracking(self._internal[0]) if plan.tracking else None
        self.route: core.Route | None = None
        self.stacks = Stacks()
        self._of_tasks: dict[str, tuple[Allocation | None, Allocation | None]] = {}
        self._boot()
        regions = (*self._internal, *self._external)
        if not self.tracking:
            self.route = core.Route(regions, len(self._internal), ALWAYS_INTERNAL, NO_LIMIT)

    def _boot(self) -> None:
        start_up = self._internal[0]
        block = start_up.heap.malloc(HEAP_ARRAY)
        if self.tracking and block:
            at = block.offset - OWNER_BYTES  # it stands before there are owners
            self.tracking.taken("Pre-scheduler", start_up, Block((block.handle, at, block.usable)))
        self._take("Pre-scheduler", PRE_SCHEDULER)
        self._take("ipc0", IPC0_EARLY)
        freed = self.malloc("ipc0", IPC0_FREED, written=False)
        self._take("ipc0", (12,))
        self.free(freed)
        self._take("ipc0", IPC0_LATE)
        self._take("ipc1", IPC1)
        self._take("main", MAIN_EARLY)
        self._internal = [region for region in self.regions if region.spec.internal]
        self._internal_first = self._internal + self._external
        self._external_first = self._external + self._internal
        self._take("main", MAIN_LATE)

    def _take(self, task: str, sizes: tuple[int, ...]) -> None:
        for size in sizes:
            self.malloc(task, size, written=False)

    def malloc(self, task: str, size: int, *, written: bool) -> Allocation | None:
        """heap_caps_malloc with the default capabilities."""
        if self.route:
            return self.route.malloc(size, written) or None
        if not size:
            return None
        for region in self._external_first if size > ALWAYS_INTERNAL else self._internal_first:
            block = region.heap.malloc(size + region.owner_bytes)
            if block:
                if self.tracking:
                    self.tracking.taken(task, region, block)
                return Allocation(region, block)
        return None

    def traffic(self, task: str) -> core.Route | Calls:
        """The route, or two calls that keep book."""
        tracking = self.tracking
        if not tracking:
            return self.route or (partial(self.malloc, task, written=True), self.free)

        def take(size: int) -> Owned | None:
            for region in self._external_first if size > ALWAYS_INTERNAL else self._internal_first:
                block = region.heap.malloc(size + OWNER_BYTES)
                if block:
                    return tracking.taken(task, region, block)
            return None

        return take, tracking.free

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
        owned = self.tracking.owned(held) if self.tracking else None
        block = held.region.heap.realloc(held.block, size + held.region.owner_bytes)
        if block:
            if self.tracking and owned:
                self.tracking.resized(owned, block)
            return Allocation(held.region, block)
        moved = self.malloc(task, size, written=False)
        if moved:
            self.free(held)
        return moved

    def free(self, held: Allocation | None) -> None:
        """heap_caps_free."""
        if self.route:
            self.route.free(held)
        elif held and self.tracking:
            self.tracking.free(self.tracking.owned(held))
        elif held:
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
        """xTaskCreate: stack and control block come from the heap, owned by the creator; main has its since boot."""
        self.stacks.begin(task.name, task.stack, task.depth)
        if task.name == "main":
            return
        self._of_tasks[task.name] = (
            self.malloc(by, task.stack, written=False),
            self.malloc(by, TCB_BYTES, written=False),
        )

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
        if self.route:
            return self.route.free_bytes()
        return sum(region.heap.stats().free for region in self.regions)

    def info(self, *, internal: bool) -> dict[str, int]:
        """heap_caps_get_info of internal or external RAM; empty where the chip has none."""
        part = self._heaps.get("internal" if internal else "psram")
        return _summed(part) if part else {}

    def measures(self) -> Iterator[Measure]:
        """Heaps by their capabilities, stacks, and tasks when they are tracked."""
        for name, part in self._heaps.items():
            yield Measure("heap", (name,), _summed(part))
        yield from self.stacks.measures()
        if self.tracking:
            yield from self.tracking.measures()


def _by_capability(regions: list[LiveRegion]) -> dict[str, list[LiveRegion]]:
    """The regions behind each of HEAPS that the chip has; "dma" only where it is not all of the internal RAM."""
    parts = {name: [region for region in regions if capable(region.spec)] for name, capable in HEAPS.items()}
    if parts["dma"] == parts["internal"]:
        del parts["dma"]
    return {name: part for name, part in parts.items() if part}


def _summed(part: list[LiveRegion]) -> dict[str, int]:
    """Several heaps as heap_caps_get_info sums them: the largest block is the largest of any, the minimum is the sum of
    minima that were not simultaneous, and owners' words are taken off: of each used block, once of each heap's free
    bytes, and of the largest block again at each heap."""
    size = free = used = min_free = largest = used_blocks = free_blocks = 0
    for region in part:
        stats, owner = region.heap.stats(), region.owner_bytes
        size += region.spec.size
        free += stats.free - owner
        used += stats.used - stats.used_blocks * owner
        min_free += stats.min_free - owner
        largest = max(largest, stats.largest_free)
        largest -= owner if largest else 0
        used_blocks += stats.used_blocks
        free_blocks += stats.free_blocks
    return {
        "size": size, "free": free, "used": used, "min_free": min_free, "largest_free": largest,
        "alloc_blocks": used_blocks, "free_blocks": free_blocks,
    }  # fmt: skip
