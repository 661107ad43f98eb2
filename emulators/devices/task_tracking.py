"""ESP-IDF's heap task tracking (5.5 and later): whose each block is, and what the book-keeping itself costs.

Each tracked block has its owner's word in front and a record of its own in the heap; the first block of a task adds a
record of the task, the first in a heap one of the pair. Sizes of the records follow from the addresses that the
example's README prints: a block of `n` bytes is followed by the next one after n + 24 bytes, and by 104 more where a
task begins (how those divide into two records is not visible there).
"""

from __future__ import annotations

from collections.abc import Iterator

from emulators.devices.measure import Measure
from emulators.devices.region import LiveRegion
from emulators.firmware import Allocation
from emulators.heap import Block

OWNER_BYTES = 4
BLOCK_RECORD, TASK_RECORD, PAIR_RECORD = 16, 60, 36


class HeapUse:
    """What one task has in one heap: bytes now and at most, and its blocks by address, oldest first."""

    __slots__ = ("blocks", "current", "peak", "region")

    def __init__(self, region: LiveRegion) -> None:
        self.region = region
        self.current = self.peak = 0
        self.blocks: dict[int, int] = {}


class TaskUse:
    """What one task has in all heaps; `heaps` in the order in which it first used them."""

    __slots__ = ("alive", "current", "heaps", "name", "peak")

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.current = self.peak = 0
        self.heaps: dict[str, HeapUse] = {}


class TaskTracking:
    """The book-keeping; its records stand in `home`. `keep_deleted`: remember tasks that are gone."""

    def __init__(self, home: LiveRegion, *, keep_deleted: bool = True) -> None:
        self.home = home
        self.keep_deleted = keep_deleted
        self.tasks: dict[str, TaskUse] = {}
        self._owners: dict[int, tuple[TaskUse, HeapUse, Block | None]] = {}

    def taken(self, task: str, held: Allocation) -> None:
        """A task got a block."""
        use = self.tasks.get(task)
        if use is None:
            use = self.tasks[task] = TaskUse(task)
            self.home.heap.malloc(TASK_RECORD)
        heap = use.heaps.get(held.region.label)
        if heap is None:
            heap = use.heaps[held.region.label] = HeapUse(held.region)
            self.home.heap.malloc(PAIR_RECORD)
        size, address = held.block.usable, held.address
        heap.blocks[address] = size
        _grow(use, heap, size)
        self._owners[address] = (use, heap, self.home.heap.malloc(BLOCK_RECORD))

    def given_back(self, held: Allocation) -> None:
        """A block is about to be freed."""
        address = held.address
        use, heap, record = self._owners.pop(address)
        _grow(use, heap, -heap.blocks.pop(address))
        self.home.heap.free(record)

    def resized(self, held: Allocation, now: Allocation) -> None:
        """A block was resized within its heap, and moved perhaps: it keeps its owner and its record."""
        use, heap, record = self._owners.pop(held.address)
        size = now.block.usable
        _grow(use, heap, size - heap.blocks.pop(held.address))
        heap.blocks[now.address] = size
        self._owners[now.address] = (use, heap, record)

    def ended(self, task: str) -> None:
        """A task was deleted."""
        use = self.tasks.get(task)
        if use and self.keep_deleted:
            use.alive = False
        elif use:
            del self.tasks[task]

    def newest_first(self) -> list[TaskUse]:
        """All tasks as ESP-IDF lists them."""
        return list(reversed(self.tasks.values()))

    def measures(self) -> Iterator[Measure]:
        """One reading for each task and heap."""
        for use in self.newest_first():
            for label, heap in use.heaps.items():
                numbers = {
                    "current": heap.current, "peak": heap.peak, "blocks": len(heap.blocks), "alive": int(use.alive),
                    "heap_size": heap.region.spec.size, "caps": heap.region.spec.caps,
                }  # fmt: skip
                yield Measure("task", (use.name, label), numbers)


def _grow(use: TaskUse, heap: HeapUse, size: int) -> None:
    """What a task has in a heap, and in all, grows by `size` bytes, or falls."""
    heap.current += size
    use.current += size
    if heap.current > heap.peak:
        heap.peak = heap.current
    if use.current > use.peak:
        use.peak = use.current
