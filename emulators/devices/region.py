"""A heap of a device while it runs: the emulated allocator at its address."""

from __future__ import annotations

from emulators.boards import Region
from emulators.heap import Allocator, Heap


class LiveRegion:
    """One region of a board with the heap in it. `owner_bytes` stand in front of each block (ESP-IDF keeps the owner
    there while it tracks tasks), so that a program's address is that much higher."""

    __slots__ = ("heap", "label", "owner_bytes", "spec")

    def __init__(self, spec: Region, allocator: Allocator, owner_bytes: int = 0) -> None:
        self.spec = spec
        self.heap = Heap(allocator, size=spec.size, base=spec.start)
        self.owner_bytes = owner_bytes
        self.label = f"{spec.name}#{spec.size}"
        """Name and size: two heaps of a chip may have the same name."""

    def address(self, offset: int) -> int:
        """The address on the device of what stands at that offset."""
        return self.spec.start + offset + self.owner_bytes


class ProcessRegion(LiveRegion):
    """The heap of a process: it grows at the break, and by mappings below `mmap_top` (their offsets are negative)."""

    __slots__ = ("mmap_top",)

    def __init__(self, allocator: Allocator, start: int, mmap_top: int) -> None:
        super().__init__(Region("process", start, 0), allocator)
        self.mmap_top = mmap_top

    def address(self, offset: int) -> int:
        """The address in the process."""
        return self.spec.start + offset if offset >= 0 else self.mmap_top + offset
