"""What a trace is, and what its replay gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from emulators.heap import NULL, Allocator, Extent, Heap, HeapStats, Operations, Run, run_fault_text
from telemetry.errors import MemfleetError

Row = tuple[str, int, int, int]
"""One operation: its letter, its dense id, and the two columns a and b (see `emulators.heap.Operations`)."""

_ARGUMENTS = {"m": 1, "c": 2, "a": 2, "r": 1, "f": 0}


class TraceFault(MemfleetError):  # noqa: N818 - a fault of the traced program
    """The trace does what no sound program does, such as a double free. `operation` counts from 0."""

    def __init__(self, source: str, operation: int, text: str) -> None:
        self.operation = operation
        super().__init__(f"{source}: operation {operation}: {text}")


@dataclass(frozen=True, slots=True)
class Settings:
    """The heap that a trace runs on: sizes in bytes, `base` its address on the device. With `touch` the program writes
    every byte it is given, which is what makes musl's pages resident."""

    allocator: Allocator
    size: int = 163840
    base: int = 0
    total_limit: int = 0
    brk_limit: int = 0
    touch: bool = True

    @property
    def paged(self) -> bool:
        """Whether the allocator takes pages from a kernel, instead of living in a region."""
        return self.allocator.startswith("musl")

    @property
    def title(self) -> str:
        """For people: allocator and bytes."""
        if not self.paged:
            return f"{self.allocator}, {self.size} bytes"
        limits = [(self.total_limit, "in all"), (self.brk_limit, "by brk")]
        told = [f"at most {limit} bytes {what}" for limit, what in limits if limit]
        return ", ".join([self.allocator, *(told or ["no limit"])])

    def heap(self) -> Heap:
        """An empty heap of this kind; raises UsageError when there can be none."""
        return Heap(
            self.allocator,
            size=self.size,
            base=self.base,
            total_limit=self.total_limit,
            brk_limit=self.brk_limit,
        )


@dataclass(frozen=True, slots=True)
class Trace:
    """Operations with their names for people. `ids` holds the id that the file gave each dense id, `lines` the line of
    each operation where the file has lines, `notes` what the reader left out, `allocator` where such
    a trace comes from. In a `strict` trace a second free of an id
    is a fault, otherwise free(NULL)."""

    source: str
    operations: Operations
    ids: Sequence[str | int]
    lines: Sequence[int] = ()
    strict: bool = True
    notes: tuple[str, ...] = ()
    allocator: Allocator = "tlsf"

    def describe(self, index: int) -> str:
        """The operation as the plain text form writes it."""
        operations = self.operations
        kind = chr(operations.kind[index])
        numbers = (int(operations.a[index]), int(operations.b[index]))[: _ARGUMENTS.get(kind, 2)]
        return " ".join([kind, str(self.ids[operations.id[index]]), *map(str, numbers)])


@dataclass(frozen=True, slots=True)
class Replay:
    """What a heap answered. `layout` is that after the last operation."""

    settings: Settings
    run: Run
    final: HeapStats
    layout: list[Extent]


def columns_of(rows: Sequence[Row], ids: int) -> Operations:
    """The operations of a list of rows, whose ids are all below `ids`."""
    numbers = np.array([row[1:] for row in rows], dtype=np.uint32).reshape(len(rows), 3)
    kinds = "".join(row[0] for row in rows).encode("ascii")
    return Operations(
        kind=np.frombuffer(kinds, dtype=np.uint8),
        id=np.ascontiguousarray(numbers[:, 0]),
        a=np.ascontiguousarray(numbers[:, 1]),
        b=np.ascontiguousarray(numbers[:, 2]),
        ids=ids,
    )


def replay(trace: Trace, settings: Settings, stats_every: int = 0) -> Replay:
    """Run a trace on an empty heap, statistics after every `stats_every` operations and after the last.

    Raises TraceFault at the first operation that no sound program does.
    """
    heap = settings.heap()
    run = heap.run(
        trace.operations,
        stats_every=stats_every,
        with_pages=settings.paged,
        touch=settings.paged and settings.touch,
        strict=trace.strict,
    )
    if run.error:
        raise_fault(trace, run.done, run.error)
    return Replay(settings, run, heap.stats(), heap.layout())


def raise_fault(trace: Trace, operation: int, code: int) -> NoReturn:
    """Raise the TraceFault for `Run.error` at an operation."""
    where = f", line {trace.lines[operation]}" if trace.lines else ""
    raise TraceFault(trace.source, operation, f"{trace.describe(operation)}{where}: {run_fault_text(code)}")


def failures(offsets: NDArray[np.int32], operations: Operations) -> NDArray[np.int64]:
    """Indexes of the allocations of at least one byte that gave NULL."""
    kind = operations.kind
    asked = np.where(kind == ord("a"), operations.b, operations.a)
    asked = np.where((kind == ord("c")) & (operations.b == 0), 0, asked)
    wanted = (kind != ord("f")) & (asked != 0)
    return np.flatnonzero(wanted & (offsets == NULL))
