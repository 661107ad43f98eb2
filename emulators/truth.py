"""What is really wrong with an emulated device: known to those who score detectors, never told to a collector."""

from __future__ import annotations

from dataclasses import dataclass

from emulators.boards import Board
from emulators.firmware import Plan
from emulators.heap import Allocator, Heap

FAULTS = ("healthy", "leak", "fragmentation", "stack_creep")
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Truth:
    """The fault of a device.

    `fault` is one of FAULTS; `leak_bytes_per_hour` is what its memory grows by, with what the allocator adds to each
    block; 0 when nothing leaks at a steady rate. `from_ms` is when the fault sets in, after power-on; `note` says it in
    words.
    """

    fault: str = "healthy"
    leak_bytes_per_hour: int = 0
    from_ms: int = 0
    note: str = ""


def truth_of(board: Board, plan: Plan) -> Truth:
    """The truth about a device of that board that runs that plan."""
    rate = 0
    if plan.leak:
        block, every_ms = plan.leak
        rate = cost_of(board.allocator, block) * HOUR_MS // every_ms
    return Truth(plan.fault, rate, plan.from_ms, plan.note)


def cost_of(allocator: Allocator, size: int) -> int:
    """Bytes by which free memory falls when a block of `size` bytes is allocated: rounding and header included."""
    heap = Heap(allocator, size=4 * size + 65536)
    first, second = heap.malloc(size), heap.malloc(size)
    if first is None or second is None:
        return 0
    return abs(second.offset - first.offset)
