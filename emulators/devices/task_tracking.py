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
        size = held.block.usable
        heap.blocks[held.address] = size
        heap.current += size
        heap.peak = max(heap.peak, heap.current)
        use.current += size
        use.peak = max(use.peak, use.current)
        self._owners[held.address] = (use, heap, self.home.heap.malloc(BLOCK_RECORD))

    def given_back(self, held: Allocation) -> None:
        """A block is about to be freed."""
        use, heap, record = self._owners.pop(held.address)
        size = heap.blocks.pop(held.address)
        heap.current -= size
        use.current -= size
        self.home.heap.free(record)

    def resized(self, held: Allocation, now: Allocation) -> None:
        """A block was resized within its heap, and moved perhaps: it keeps its owner and its record."""
        use, heap, record = self._owners.pop(held.address)
        grown = now.block.usable - heap.blocks.pop(held.address)
        heap.blocks[now.address] = now.block.usable
        heap.current += grown
        heap.peak = max(heap.peak, heap.current)
        use.current += grown
        use.peak = max(use.peak, use.current)
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
