"""How fast the emulated heaps are, and how much of the host's memory they take; prints one JSON object.

`mops`: million operations a second for each allocator and heap size, on a mixed trace: half allocations (10 % of them
calloc, 3 % aligned), 5 % realloc, the rest frees; sizes of 4..1500 bytes as firmware asks for them; about 70 % of the
heap in use, at most 4096 blocks. Median of --repeat runs, each on a fresh heap, with the offset of every operation
written out. `mops_of_processor_time` counts only the time that a processor gave to the run: the figure to look at where
others use the machine. `bytes_per_live_block` counts all host memory behind a heap at the end of such
a trace, free blocks and records in reserve included and its control structure left out; `bytes_per_empty_heap` all
that is behind an empty one.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import statistics
import time

from emulators.heap import ALLOCATORS, Allocator, Heap, Operations
from emulators.traces.trace import Row, columns_of

SIZES = {"160KiB": 160 << 10, "240KiB": 240 << 10, "4MiB": 4 << 20}
FULL = 0.7
MOST_BLOCKS = 4096
FIGURES = ("mops", "mops_of_processor_time", "bytes_per_live_block", "bytes_per_empty_heap")


def size_asked(chance: random.Random) -> int:
    """Bytes: mostly small structures, some strings, few buffers."""
    draw = chance.random()
    if draw < 0.6:
        return chance.randint(4, 64)
    return chance.randint(64, 320) if draw < 0.9 else chance.randint(320, 1500)


def mixed(heap_bytes: int, count: int, seed: int) -> Operations:
    """A mixed trace that keeps a heap of `heap_bytes` about 70 % full."""
    chance = random.Random(seed)
    sizes: dict[int, int] = {}
    live: list[int] = []
    spare = list(range(MOST_BLOCKS))
    used = 0
    rows: list[Row] = []
    while len(rows) < count:
        if live and chance.random() < 0.05:
            name = chance.choice(live)
            used -= sizes[name]
            sizes[name] = size_asked(chance)
            rows.append(("r", name, sizes[name], 0))
            used += sizes[name]
        elif spare and used < FULL * heap_bytes and (used < 0.95 * FULL * heap_bytes or chance.random() < 0.75):
            name = spare.pop()
            sizes[name] = size_asked(chance)
            rows.append(allocation(chance, name, sizes[name]))
            live.append(name)
            used += sizes[name]
        else:
            index = chance.randrange(len(live))
            live[index], live[-1] = live[-1], live[index]
            name = live.pop()
            spare.append(name)
            used -= sizes[name]
            rows.append(("f", name, 0, 0))
    return columns_of(rows, MOST_BLOCKS)


def allocation(chance: random.Random, name: int, size: int) -> Row:
    """malloc, in 10 % of the cases calloc, in 3 % aligned."""
    draw = chance.random()
    if draw < 0.03:
        return ("a", name, 1 << chance.randint(3, 6), size)
    return ("c", name, 4, -(-size // 4)) if draw < 0.13 else ("m", name, size, 0)


def fresh(allocator: Allocator, size: int) -> Heap:
    """An empty heap; musl takes as many pages as it likes."""
    return Heap(allocator, size=0 if allocator.startswith("musl") else size, max_request=size)


def mops(allocator: Allocator, size: int, operations: Operations, repeat: int) -> tuple[float, float]:
    """Million operations a second, and of processor time; medians."""
    walls, cpus = [], []
    for _ in range(repeat):
        heap = fresh(allocator, size)
        wall, cpu = time.perf_counter(), time.thread_time()
        heap.run(operations)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.thread_time() - cpu)
    million = len(operations) / 1e6
    return round(million / statistics.median(walls), 1), round(million / statistics.median(cpus), 1)


def bytes_per_live_block(allocator: Allocator, size: int, operations: Operations) -> float:
    """Host bytes for each block in use at the end, free blocks and records in reserve included."""
    heap = fresh(allocator, size)
    empty = heap.metadata_bytes()
    heap.run(operations)
    return round((heap.metadata_bytes() - empty) / heap.stats().used_blocks, 1)


def figures(allocator: Allocator, size: int, operations: Operations, repeat: int) -> tuple[float, ...]:
    """One of each of FIGURES."""
    live, empty = bytes_per_live_block(allocator, size, operations), fresh(allocator, size).metadata_bytes()
    return (*mops(allocator, size, operations, repeat), live, empty)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=9, help="runs to take the median of")
    parser.add_argument("--operations", type=int, default=2_000_000, help="operations a run")
    arguments = parser.parse_args()
    traces = {name: mixed(size, arguments.operations, seed=7) for name, size in SIZES.items()}
    found: dict[str, dict[str, dict[str, float]]] = {name: {} for name in FIGURES}
    for allocator in ALLOCATORS:
        rows = [figures(allocator, size, traces[name], arguments.repeat) for name, size in SIZES.items()]
        for figure, column in zip(FIGURES, zip(*rows, strict=True), strict=True):
            found[figure][allocator] = dict(zip(SIZES, column, strict=True))
    print(json.dumps({"bench": "core", "machine": platform.machine(), "operations": arguments.operations, **found}))


if __name__ == "__main__":
    main()
