"""An application on the MT3620: what Azure Sphere counts for it, and when it kills it.

User mode is anonymous memory: the process' own pages, libraries' data and stacks (`user_base`), and those pages of
musl's heap that were ever written and not given back. Total adds what the kernel holds for it, such as the buffers of
sockets. Freed heap memory stays with the process (facts in Azure Sphere's 'Memory use in high-level applications').
"""

from __future__ import annotations

from collections.abc import Iterator

from emulators.boards import Board
from emulators.devices.measure import Measure
from emulators.devices.region import ProcessRegion
from emulators.firmware import Allocation, Plan, Reset, Task
from emulators.heap import PAGE_BYTES, Block
from emulators.native import core
from telemetry.readings import MT3620_LIMIT

SOCKET_BYTES = 4096
"""Kernel memory of an idle TCP socket, bytes: a page. Not documented, a choice."""

CHANNEL_BYTES = 1024
"""What a shared buffer channel to a real-time application may take of the application's memory, bytes."""

DEBUGGER_BYTES = 20480
"""What the debugging server adds to all three numbers, but not to what counts against the limit, bytes: a choice."""

FIRST_BREAK, MMAP_TOP = 0xBEEE9000, 0xBEE0E000
"""Where the heap begins, so that malloc's first answers are those in the HeapTracker's README."""

OWN_HEAP = "App + Static Libraries"
"""What heap tracking calls the application's own allocations, kernel memory on its behalf included."""

LIBRARIES = (("libapplibs.so.0", 1536), ("libcurl.so.4", 10240))
"""Dynamic libraries of the system and what each has allocated, bytes: a choice."""

KILLED = "Child terminated with signal = 0x9 (SIGKILL)"

KIB = 1024


class Mt3620Memory:
    """The memory of one run of an application."""

    def __init__(self, board: Board, plan: Plan) -> None:
        self.region = ProcessRegion(board.allocator, FIRST_BREAK, MMAP_TOP)
        self.debugger = DEBUGGER_BYTES if plan.debugger else 0
        self.base = board.user_base + self.debugger + plan.channels * CHANNEL_BYTES
        self.kernel = board.kernel_base
        self.idle_kernel = board.kernel_base
        self.heap_tracking = plan.heap_tracking and not plan.debugger
        most_pages = (MT3620_LIMIT + self.debugger - self.base) // PAGE_BYTES
        self.route = core.Route((self.region,), 1, 0, most_pages)

    def user_mode(self) -> int:
        """User memory now, bytes."""
        return self.base + self.region.heap.resident_pages() * PAGE_BYTES

    @property
    def peak(self) -> int:
        """The most user memory yet, bytes."""
        return self.base + self.route.peak_pages * PAGE_BYTES

    def total(self) -> int:
        """User and kernel memory now, bytes."""
        return self.user_mode() + self.kernel

    def free_bytes(self) -> int:
        """Bytes to the limit."""
        return max(0, MT3620_LIMIT - (self.user_mode() - self.debugger))

    def traffic(self, task: str) -> core.Route:
        """The route."""
        return self.route

    def malloc(self, task: str, size: int, *, written: bool) -> Allocation | None:
        """Allocate; the system overcommits, so NULL is rare and SIGKILL is not."""
        held = self.route.malloc(size, written)
        if held is False:
            raise Reset("oom_kill", KILLED)
        return held

    def calloc(self, task: str, count: int, size: int) -> Allocation | None:
        """Allocate zeroed memory; pages that are zero already are not touched."""
        return self._given(self.region.heap.calloc(count, size))

    def realloc(self, task: str, held: Allocation | None, size: int) -> Allocation | None:
        """Resize."""
        return self._given(self.region.heap.realloc(held.block if held else None, size))

    def free(self, held: Allocation | None) -> None:
        """Give back to musl; the system hardly ever gets it."""
        self.route.free(held)

    def open_socket(self, task: str) -> object | None:
        """A socket takes kernel memory: total grows, user mode does not."""
        self.kernel += SOCKET_BYTES
        return SOCKET_BYTES

    def close_socket(self, socket: object) -> None:
        """Its kernel memory is given back at once."""
        self.kernel -= SOCKET_BYTES

    def begin(self, task: Task, by: str) -> None:
        """Threads' stacks are part of the base."""

    def end(self, task: str) -> None:
        """Nothing to give back."""

    def use_stack(self, task: str, depth: int) -> bool:
        """Azure Sphere does not tell how deep stacks are."""
        return True

    def measures(self) -> Iterator[Measure]:
        """What the Applications_Get...MemoryUsageInKB functions tell: whole KiB."""
        user = self.user_mode()
        numbers = {
            "total": (user + self.kernel) // KIB * KIB,
            "user_mode": user // KIB * KIB,
            "peak_user_mode": self.peak // KIB * KIB,
            "quota": MT3620_LIMIT,
        }
        yield Measure("process", (), numbers, KIB)
        for name, used in self.tracked_heaps():
            yield Measure("heap", (name,), {"used": used})

    def tracked_heaps(self) -> list[tuple[str, int]]:
        """With heap tracking, bytes allocated by the application and by each library; else nothing."""
        if not self.heap_tracking:
            return []
        own = self.region.heap.stats().used + self.kernel - self.idle_kernel
        return [(OWN_HEAP, own), *LIBRARIES]

    def _given(self, block: Block | None) -> Allocation | None:
        if block is None:
            return None
        pages = self.region.heap.resident_pages()
        if pages > self.route.peak_pages:
            self.route.peak_pages = pages
            if pages > self.route.most_pages:
                raise Reset("oom_kill", KILLED)
        return Allocation(self.region, block)
