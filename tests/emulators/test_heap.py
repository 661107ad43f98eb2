"""The Python face of the emulated heaps: numbers that documents fix, misuse, columns, threads."""

from __future__ import annotations

import doctest
import threading
from dataclasses import replace

import numpy as np
import pytest

import emulators.heap
from emulators import _core
from emulators.heap import (
    ALLOCATORS,
    NULL,
    UNSEEN,
    Allocator,
    Block,
    Heap,
    HeapError,
    HeapStats,
    Operations,
    run_all,
    run_fault_text,
)
from emulators.traces.text import read
from telemetry.errors import UsageError


def test_the_examples_hold() -> None:
    assert doctest.testmod(emulators.heap).failed == 0


def test_python_and_the_core_use_the_same_names() -> None:
    assert ALLOCATORS == _core.ALLOCATORS
    assert HeapStats._fields == _core.STATS_NAMES


@pytest.mark.parametrize(
    ("allocator", "size", "request_bytes", "offset", "taken"),
    [
        ("tlsf", 65536, 300, 808, 308),
        ("tlsf", 65536, 1100, 808, 1156),
        ("tlsf_idf53", 65536, 1100, 808, 1104),
        ("zephyr_sys", 22308, 100, 84, 104),
        ("zephyr_k", 22308, 100, 88, 112),
        ("zephyr_libc", 22308, 100, 88, 112),
    ],
)
def test_a_request_takes_what_it_takes_on_the_device(
    allocator: Allocator, size: int, request_bytes: int, offset: int, taken: int
) -> None:
    """Bytes by which the platform's own free count falls, headers and rounding included."""
    heap = Heap(allocator, size=size, base=0x30000000)
    before = heap.stats().free
    block = heap.malloc(request_bytes)
    assert block is not None
    assert (block.offset, before - heap.stats().free) == (offset, taken)


def test_k_malloc_of_100_bytes_fits_198_times() -> None:
    heap = Heap("zephyr_k", size=22308)
    count = 0
    while heap.malloc(100):
        count += 1
    assert count == 198


def test_a_full_heap_gives_none_and_keeps_what_it_has() -> None:
    heap = Heap("tlsf", size=8192)
    block = heap.malloc(4000)
    before = heap.layout()
    assert heap.malloc(8000) is None
    assert heap.realloc(block, 8000) is None
    assert heap.layout() == before


@pytest.mark.parametrize("allocator", ALLOCATORS)
def test_misuse_is_an_error_not_a_crash(allocator: Allocator) -> None:
    heap = Heap(allocator, size=65536)
    block, held = heap.malloc(100), heap.malloc(300)
    assert block is not None
    assert held is not None
    heap.free(None)
    heap.free(block)
    within = Block((held.handle + 1, 0, 0))  # where a byte of the size stands for the flags
    for wrong in (block, within, Block((123456, 0, 0))):
        with pytest.raises(HeapError, match="names no block in use"):
            heap.free(wrong)
        with pytest.raises(HeapError, match="names no block in use"):
            heap.realloc(wrong, 10)
    with pytest.raises(HeapError, match="not a power of two"):
        heap.aligned_alloc(24, 10)
    heap.check()


def test_a_heap_that_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match="no tlsf heap of 100 bytes at 0x0: the region is too small"):
        Heap("tlsf", size=100)
    with pytest.raises(UsageError, match="cannot have this configuration"):
        Heap("tlsf", size=65536, base=2)
    with pytest.raises(UsageError, match="size must be 0"):
        Heap("tlsf", size=1 << 32)
    with pytest.raises(UsageError, match="unknown allocator 'jemalloc'"):
        Heap("jemalloc")  # type: ignore[arg-type]


def test_slots_carry_blocks_from_run_to_run() -> None:
    """One run of all operations, or one of each half: the same offsets and the same heap."""
    operations = read("t", ["m a 300", "m b 40", "c c 3 50", "f b", "a d 64 100", "r a 900", "f c"]).operations
    whole, parted = Heap("tlsf"), Heap("tlsf")
    expected = whole.run(operations).offsets
    slots = parted.new_slots(operations.ids)
    offsets = []
    for part in (slice(0, 3), slice(3, 7)):
        columns = {name: getattr(operations, name)[part] for name in ("kind", "id", "a", "b")}
        offsets += parted.run(replace(operations, **columns), slots=slots).offsets.tolist()
    assert offsets == expected.tolist()
    assert [offset == NULL for offset in offsets] == [False, False, False, True, False, False, True]
    assert parted.layout() == whole.layout()


def test_statistics_come_after_every_nth_operation_and_after_the_last() -> None:
    run = Heap("tlsf").run(read("t", [f"m {n} 20" for n in range(7)]).operations, stats_every=3)
    assert run.stats_at.tolist() == [2, 5, 6]
    assert run.stats["used_blocks"].tolist() == [3, 6, 7]


def test_columns_of_another_type_are_refused() -> None:
    operations = read("t", ["m a 300"]).operations
    with pytest.raises(UsageError, match=r"operations\.a must be 1 contiguous numbers of type uint32, not 1 of int64"):
        Heap("tlsf").run(replace(operations, a=np.array([300])))  # type: ignore[arg-type]


def test_a_fault_ends_a_run_where_it_stands() -> None:
    heap = Heap("tlsf")
    run = heap.run(read("t", ["m a 5", "f a", "f a", "m b 5"]).operations)
    assert (run.done, heap.stats().used_blocks) == (2, 0)
    assert "double free" in run_fault_text(run.error)


def test_heaps_run_side_by_side_in_threads() -> None:
    """The same operations in four threads give four times the same; the interpreter's lock is not held meanwhile."""
    operations = read("t", [line for n in range(20000) for line in (f"m {n} {n % 500}", f"f {n - n % 3}")]).operations
    expected = Heap("tlsf").run(operations, strict=False)
    assert expected.error == 0
    results: list[bool] = []

    def work() -> None:
        for _ in range(5):
            results.append(np.array_equal(Heap("tlsf").run(operations, strict=False).offsets, expected.offsets))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 20


def columns(*operations: tuple[str, int]) -> tuple[np.ndarray, np.ndarray]:
    kind = np.array([ord(letter) for letter, _ in operations], dtype=np.uint8)
    return kind, np.array([name for _, name in operations], dtype=np.uint32)


def test_many_heaps_at_once_give_what_each_gives_alone() -> None:
    kind, ids = columns(("m", 0), ("m", 1), ("r", 0), ("f", 1))
    sizes = np.random.default_rng(3).integers(1, 900, size=(50, 4), dtype=np.uint32)
    heaps = [Heap("tlsf", size=65536) for _ in sizes]
    slots = np.full((50, 2), UNSEEN, dtype=np.uint32)
    together = run_all(heaps, kind, ids, sizes, slots)
    for index, row in enumerate(sizes):
        alone = Heap("tlsf", size=65536)
        alone.run(Operations(kind, ids, row.copy(), row.copy(), 2))
        assert {name: column[index] for name, column in together.items()} == alone.stats()._asdict()
    run_all(heaps, *columns(("f", 0)), sizes[:, :1].copy(), slots)
    assert {heap.stats().used_blocks for heap in heaps} == {0}


def test_a_fault_among_many_heaps_is_told_with_its_place() -> None:
    heaps = [Heap("zephyr_sys", size=8192) for _ in range(3)]
    slots = np.full((3, 1), UNSEEN, dtype=np.uint32)
    slots[2] = heaps[2].malloc(8).handle  # type: ignore[union-attr]
    sizes = np.full((3, 1), 40, dtype=np.uint32)
    with pytest.raises(HeapError, match=r"heap 2 of 3, operation 0: allocates an id that still holds a block"):
        run_all(heaps, *columns(("m", 0)), sizes, slots)
    assert [heap.stats().used_blocks for heap in heaps] == [1, 1, 1]


def test_columns_that_do_not_fit_are_refused() -> None:
    heaps = [Heap("tlsf", size=8192)]
    slots = np.full((1, 1), UNSEEN, dtype=np.uint32)
    with pytest.raises(ValueError, match="do not fit"):
        run_all(heaps, *columns(("m", 0), ("f", 0)), np.zeros((1, 1), dtype=np.uint32), slots)
    with pytest.raises(RuntimeError, match="in use"):
        run_all(heaps * 2, *columns(("m", 0)), np.ones((2, 1), dtype=np.uint32), np.repeat(slots, 2, axis=0))
    assert heaps[0].malloc(8) is not None
