"""Azure Sphere's HeapTracker library and the two variants of its sample: malloc and realloc up to a threshold.

The library keeps one counter beside the allocator and prints each call; `_realloc` adds one byte too many each time,
as the original does. A failed call is printed as a success with a null pointer, as the original does.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

from emulators.boards import Board
from emulators.chance import Chance
from emulators.firmware import Allocation, Plan, Run, Runtime, Task

THRESHOLD = 250 * 1024
STEP = 1024
LINE_MS = 20
"""From one call to the next, milliseconds: what a line takes to reach the debugger, roughly."""
PAUSE_MS = 2000


class HeapTracker:
    """The library: malloc, _realloc and _free that count. `verbose`: print also what goes well."""

    def __init__(self, device: Runtime, *, verbose: bool = True) -> None:
        self._device = device
        self._verbose = verbose
        self.allocated = 0

    def malloc(self, size: int) -> Allocation | None:
        """malloc, counted and not written to."""
        held = self._device.malloc(size, written=False)
        self.allocated += size if held else 0
        self._tell(f"malloc({size})={_pointer(held)}")
        return held

    def realloc(self, held: Allocation | None, old_size: int, size: int) -> Allocation | None:
        """_realloc, counted with one byte too many."""
        moved = self._device.realloc(held, size)
        self.allocated += size - old_size + 1 if moved else 0
        self._tell(f"_realloc({_pointer(held)},{old_size},{size})={_pointer(moved)}")
        return moved or held

    def free(self, held: Allocation | None, size: int) -> None:
        """_free, counted as what the caller says."""
        self._device.free(held)
        self.allocated -= size if held else 0
        self._tell(f"_free({_pointer(held)},{size})")

    def _tell(self, call: str) -> None:
        if self.allocated > THRESHOLD:
            status = f"WARNING: heap_allocated ({self.allocated} bytes) is above heap_threshold ({THRESHOLD} bytes)"
        elif self.allocated < 0:
            status = (
                f"WARNING: heap_allocated ({self.allocated}) is NEGATIVE --> "
                "'heap_allocated' will not be reliable from now on!"
            )
        else:
            left = THRESHOLD - self.allocated
            status = f"SUCCESS: heap_allocated ({self.allocated} bytes) - delta with heap_threshold({left} bytes)"
        if self._verbose:
            self._device.print(f"Heap-Tracker lib: {call}... {status}\n")
        elif not status.startswith("SUCCESS"):
            self._device.print(f"{status}\n")


Grow = Callable[[HeapTracker], Generator[int, None, int]]
"""Grows until the threshold is passed; returns how much was available, bytes."""


def _pointer(held: Allocation | None) -> str:
    return f"0x{held.address:x}" if held else "0"


def malloc_plan(board: Board, chance: Chance) -> Plan:
    """Each block one step larger than the one before, freed at once: fits, since nothing is written."""
    return _plan("malloc", _grow_by_malloc)


def realloc_plan(board: Board, chance: Chance) -> Plan:
    """One block that grows: what it leaves behind when it moves stays resident, so the system may kill it."""
    return _plan("realloc", _grow_by_realloc)


def quiet_plan(board: Board, chance: Chance) -> Plan:
    """The malloc variant with DEBUG_LOGS_ON 0: only warnings are printed."""
    return _plan("malloc", _grow_by_malloc, verbose=False)


def _plan(variant: str, grow: Grow, *, verbose: bool = True) -> Plan:
    return Plan((Task("main", _main(f"consumeHeap_{variant}", grow, verbose=verbose)),))


def _main(name: str, grow: Grow, *, verbose: bool) -> Run:
    def run(device: Runtime) -> Iterator[int]:
        tracker = HeapTracker(device, verbose=verbose)
        device.print("Starting Heap Tracker test application...\n")
        while True:
            status = f"max available({THRESHOLD} bytes), allocated ({tracker.allocated} bytes)"
            device.print(f"{name} --> Heap status: {status}\n")
            available = yield from grow(tracker)
            text = f"Currently available heap up to given heap_threshold: {available // 1024}Kb ({available} bytes)"
            device.print(f"{name} --> {text}\n")
            yield PAUSE_MS

    return run


def _grow_by_malloc(tracker: HeapTracker) -> Generator[int, None, int]:
    size = 0
    while True:
        size += STEP
        held = tracker.malloc(size)
        above = held is None or tracker.allocated > THRESHOLD
        yield LINE_MS
        tracker.free(held, size)
        if above:
            return size
        yield LINE_MS


def _grow_by_realloc(tracker: HeapTracker) -> Generator[int, None, int]:
    held, size = None, 0
    while True:
        held = tracker.realloc(held, size, size + STEP)
        size += STEP
        yield LINE_MS
        if tracker.allocated > THRESHOLD:
            tracker.free(held, size)
            return size - STEP
