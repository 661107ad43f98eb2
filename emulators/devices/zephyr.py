"""A board under Zephyr: the system heap behind k_malloc, and threads with stacks of their own."""

from __future__ import annotations

from collections.abc import Iterator

from emulators.boards import Board
from emulators.devices.measure import Measure
from emulators.devices.region import LiveRegion
from emulators.devices.stacks import Stacks
from emulators.firmware import Allocation, Plan, Task

SOCKETS = 8
"""CONFIG_NET_MAX_CONTEXTS and its kin: sockets come from a fixed pool, not from the heap."""


class ZephyrMemory:
    """The memory of one boot."""

    def __init__(self, board: Board, plan: Plan) -> None:
        self.region = LiveRegion(board.regions[0], board.allocator)
        self.stacks = Stacks()
        self._sockets = 0

    def malloc(self, task: str, size: int, *, written: bool) -> Allocation | None:
        """k_malloc."""
        block = self.region.heap.malloc(size)
        return Allocation(self.region, block) if block else None

    def calloc(self, task: str, count: int, size: int) -> Allocation | None:
        """k_calloc."""
        block = self.region.heap.calloc(count, size)
        return Allocation(self.region, block) if block else None

    def realloc(self, task: str, held: Allocation | None, size: int) -> Allocation | None:
        """k_realloc."""
        block = self.region.heap.realloc(held.block if held else None, size)
        return Allocation(self.region, block) if block else None

    def free(self, held: Allocation | None) -> None:
        """k_free."""
        self.region.heap.free(held.block if held else None)

    def open_socket(self, task: str) -> object | None:
        """A socket of the pool."""
        if self._sockets == SOCKETS:
            return None
        self._sockets += 1
        return self._sockets

    def close_socket(self, socket: object) -> None:
        """Back to the pool."""
        self._sockets -= 1

    def begin(self, task: Task, by: str) -> None:
        """A thread starts on a stack that was laid out at build time."""
        self.stacks.begin(task.name, task.stack, task.depth)

    def end(self, task: str) -> None:
        """A thread ends."""
        self.stacks.end(task)

    def use_stack(self, task: str, depth: int) -> bool:
        """How deep a thread's stack is."""
        return self.stacks.use(task, depth)

    def free_bytes(self) -> int:
        """free_bytes of sys_heap_runtime_stats_get."""
        return self.region.heap.stats().free

    def measures(self) -> Iterator[Measure]:
        """sys_heap_runtime_stats_get and k_thread_stack_space_get."""
        stats = self.region.heap.stats()
        numbers = {
            "size": self.region.spec.size, "free": stats.free, "used": stats.used, "max_used": stats.max_used,
        }  # fmt: skip
        yield Measure("heap", (self.region.spec.name,), numbers)
        yield from self.stacks.measures()
