"""A board under Zephyr: the system heap behind k_malloc, a k_heap for network buffers, the C library's heap, a pool of
sockets, and threads with stacks of their own. Never one heap under the name of another."""

from __future__ import annotations

from collections.abc import Iterator

from emulators.boards import LIBC, NET_BUF, Board
from emulators.devices.measure import Measure
from emulators.devices.region import LiveRegion
from emulators.devices.stacks import Stacks
from emulators.firmware import Allocation, Plan, Task
from emulators.heap import Block
from emulators.native import core

SOCKETS = 8
"""CONFIG_NET_MAX_CONTEXTS and its kin: sockets come from a fixed pool, not from the heap."""

SOCKET_BYTES = 128
"""A net_context in its pool (struct net_context, rounded up): a choice."""

BUFFERS = (256, 128)
"""What an open socket holds of the k_heap for network data, bytes: a choice."""

THREAD_BYTES = 96
"""What the C library keeps for a thread, bytes: a choice."""


class ZephyrMemory:
    """The memory of one boot."""

    def __init__(self, board: Board, plan: Plan) -> None:
        self.region = LiveRegion(board.regions[0], board.allocator)
        self.buffers = LiveRegion(NET_BUF, "zephyr_sys")
        self.libc = LiveRegion(LIBC, "zephyr_libc")
        self.route = core.Route((self.region,), 1, 0, 0)
        self.stacks = Stacks()
        self._of_threads: dict[str, Block | None] = {}
        self._sockets = self._most_sockets = 0

    def traffic(self, task: str) -> core.Route:
        """The route."""
        return self.route

    def malloc(self, task: str, size: int, *, written: bool) -> Allocation | None:
        """k_malloc."""
        return self.route.malloc(size, written) or None

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
        self.route.free(held)

    def open_socket(self, task: str) -> object | None:
        """A socket of the pool, with buffers from the k_heap; None when either has no more."""
        blocks = [self.buffers.heap.malloc(size) for size in BUFFERS]
        if self._sockets == SOCKETS or None in blocks:
            self._free_buffers(blocks)
            return None
        self._sockets += 1
        self._most_sockets = max(self._most_sockets, self._sockets)
        return blocks

    def close_socket(self, socket: object) -> None:
        """Back to the pool, its buffers to their heap."""
        if isinstance(socket, list):
            self._free_buffers(socket)
            self._sockets -= 1

    def _free_buffers(self, blocks: list[Block | None]) -> None:
        for block in blocks:
            self.buffers.heap.free(block)

    def begin(self, task: Task, by: str) -> None:
        """A thread starts on a stack that was laid out at build time."""
        self.stacks.begin(task.name, task.stack, task.depth)
        self._of_threads[task.name] = self.libc.heap.malloc(THREAD_BYTES)

    def end(self, task: str) -> None:
        """A thread ends."""
        self.libc.heap.free(self._of_threads.pop(task, None))
        self.stacks.end(task)

    def use_stack(self, task: str, depth: int) -> bool:
        """How deep a thread's stack is."""
        return self.stacks.use(task, depth)

    def free_bytes(self) -> int:
        """free_bytes of sys_heap_runtime_stats_get."""
        return self.route.free_bytes()

    def measures(self) -> Iterator[Measure]:
        """sys_heap_runtime_stats_get of each heap, k_mem_slab_runtime_stats_get, k_thread_stack_space_get."""
        for region in (self.region, self.buffers, self.libc):
            stats = region.heap.stats()
            numbers = {"size": region.spec.size, "free": stats.free, "used": stats.used, "max_used": stats.max_used}
            yield Measure("heap", (region.spec.name,), numbers)
        yield Measure("pool", ("net_context",), self._pool())
        yield from self.stacks.measures()

    def _pool(self) -> dict[str, int]:
        return {
            "size": SOCKETS * SOCKET_BYTES, "used": self._sockets * SOCKET_BYTES,
            "max_used": self._most_sockets * SOCKET_BYTES, "block_size": SOCKET_BYTES,
            "blocks_free": SOCKETS - self._sockets,
        }  # fmt: skip
