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
    """What one task has in one heap: bytes now and at most, and how many blocks. `owned` are all blocks of the heap."""

    __slots__ = ("count", "current", "owned", "peak", "region", "use")

    def __init__(self, use: TaskUse, region: LiveRegion, owned: dict[int, Owned]) -> None:
        self.use = use
        self.region = region
        self.current = self.peak = self.count = 0
        self.owned = owned

    @property
    def blocks(self) -> dict[int, int]:
        """Sizes by address, oldest first; looks through the blocks of all tasks."""
        address = self.region.address
        return {address(block.offset): size for heap, size, block, _ in self.owned.values() if heap is self}

    def change(self, size: int) -> None:
        """What the task has here, and in all, grows by `size` bytes, or falls."""
        use = self.use
        self.current += size
        use.current += size
        if self.current > self.peak:
            self.peak = self.current
        if use.current > use.peak:
            use.peak = use.current


class TaskUse:
    """What one task has in all heaps; `heaps` in the order in which it first used them."""

    __slots__ = ("alive", "current", "heaps", "name", "peak")

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.current = self.peak = 0
        self.heaps: dict[str, HeapUse] = {}


Owned = tuple[HeapUse, int, Block, Block | None]
"""Whose a block is, how large, the block itself and its record. A plain tuple: nothing happens more often to a device
with tracked tasks than that one of these comes or goes."""


class TaskTracking:
    """The book-keeping; its records stand in `home`. `keep_deleted`: remember tasks that are gone."""

    def __init__(self, home: LiveRegion, *, keep_deleted: bool = True) -> None:
        self.home = home
        self.keep_deleted = keep_deleted
        self.tasks: dict[str, TaskUse] = {}
        self._owned: dict[str, dict[int, Owned]] = {}  # by heap and handle
        self._take_record, self._free_record = home.heap.malloc, home.heap.free

    def taken(self, task: str, region: LiveRegion, block: Block) -> Owned:
        """A task got a block."""
        try:
            heap = self.tasks[task].heaps[region.label]
        except KeyError:
            heap = self._first_of(task, region)
        size = block.usable
        heap.count += 1
        heap.change(size)
        owned = heap, size, block, self._take_record(BLOCK_RECORD)
        heap.owned[block.handle] = owned
        return owned

    def owned(self, held: Allocation) -> Owned:
        """What is known of a block."""
        return self._owned[held.region.label][held.block.handle]

    def free(self, owned: Owned) -> None:
        """Free a block and the record of it."""
        heap, size, block, record = owned
        del heap.owned[block.handle]
        heap.count -= 1
        heap.current -= size
        heap.use.current -= size
        self._free_record(record)
        heap.region.heap.free(block)

    def resized(self, owned: Owned, block: Block) -> None:
        """A block was resized within its heap, and moved perhaps: it keeps its owner and its record."""
        heap, size, old, record = owned
        del heap.owned[old.handle]
        heap.change(block.usable - size)
        heap.owned[block.handle] = heap, block.usable, block, record

    def _first_of(self, task: str, region: LiveRegion) -> HeapUse:
        """Records for a task that has nothing yet, or nothing in that heap."""
        use = self.tasks.get(task)
        if use is None:
            use = self.tasks[task] = TaskUse(task)
            self.home.heap.malloc(TASK_RECORD)
        heap = use.heaps[region.label] = HeapUse(use, region, self._owned.setdefault(region.label, {}))
        self.home.heap.malloc(PAIR_RECORD)
        return heap

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
                    "current": heap.current, "peak": heap.peak, "blocks": heap.count, "alive": int(use.alive),
                    "heap_size": heap.region.spec.size, "caps": heap.region.spec.caps,
                }  # fmt: skip
                yield Measure("task", (use.name, label), numbers)
