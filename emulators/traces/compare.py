"""Compare the answers of the emulated heaps with recorded ones, value by value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from emulators.traces.initial import InitialTable, Region, replay_table
from emulators.traces.recorded import Recorded, replay_recorded, trace_of
from emulators.traces.trace import Trace, TraceFault
from telemetry.errors import UsageError


@dataclass(frozen=True, slots=True)
class Comparison:
    """How one file did: operations replayed, values that differ, and the first of those in words."""

    source: str
    operations: int
    differences: int
    first: str


def compare(source: str, document: Recorded | InitialTable) -> Comparison:
    """Replay a recorded document and hold the answers against what it recorded; a fault counts as one difference."""
    if isinstance(document, InitialTable):
        operations, found = len(document.rows), _table_differences(document)
        return _sum_up(source, operations, found)
    trace = trace_of(source, document)
    try:
        replayed = replay_recorded(trace, document)
    except (TraceFault, UsageError) as error:
        return Comparison(source, len(trace.operations), 1, str(error))
    return _sum_up(source, len(trace.operations), _trace_differences(trace, document, replayed))


def _sum_up(source: str, operations: int, found: Iterator[str]) -> Comparison:
    first = next(found, "")
    return Comparison(source, operations, bool(first) + sum(1 for _ in found), first)


def _trace_differences(trace: Trace, recorded: Recorded, replayed: Recorded) -> Iterator[str]:
    """Each difference in words: offsets first, since a wrong offset is what makes the rest go wrong."""

    def operation(index: int) -> str:
        inside = 0 <= index < len(trace.operations)
        return f"operation {index} ({trace.describe(index)})" if inside else f"operation {index} (there is none)"

    if recorded.res is not None:
        for index, expected, got in _unequal(recorded.res, replayed.res):
            yield f"{operation(index)}: offset {_shown(got)}, expected {_shown(expected)}"
    at = (recorded.stats or {}).get("at", [])
    for name, column in (recorded.stats or {}).items():
        for row, expected, got in _unequal(column, (replayed.stats or {}).get(name)):
            where = operation(at[row]) if row < len(at) else f"row {row}"
            yield f"{where}: {name} {_shown(got)}, expected {_shown(expected)}"
    for index, expected, got in _unequal(recorded.pages, replayed.pages):
        yield f"pages, entry {index}: {_shown(got)}, expected {_shown(expected)}"
    for index, expected, got in _unequal(recorded.layout, replayed.layout):
        yield f"layout, block {index}: {_shown(got)}, expected {_shown(expected)}"


def _table_differences(table: InitialTable) -> Iterator[str]:
    for row, got in zip(table.rows, replay_table(table).rows, strict=True):
        where = f"heap_size {row.heap_size}, base_off {row.base_off}"
        for name in Region.__struct_fields__:
            expected, found = getattr(row, name), getattr(got, name)
            if expected != found:
                yield f"{where}: {name} {_shown(found)}, expected {_shown(expected)}"


def _unequal(expected: list[Any] | None, got: list[Any] | None) -> Iterator[tuple[int, Any, Any]]:
    """Index and both values wherever they differ; nothing where none was recorded."""
    if expected is None or expected == got:
        return
    got = got or []
    for index in range(max(len(expected), len(got))):
        wanted = expected[index] if index < len(expected) else "nothing"
        found = got[index] if index < len(got) else "nothing"
        if wanted != found:
            yield index, wanted, found


def _shown(value: Any) -> str:
    return "NULL" if value is None else str(value)
