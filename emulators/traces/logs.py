"""Make a trace from what a device logs about its allocations, whatever else the log holds.

* HeapTracker of Azure Sphere: every call in order.
* ESP-IDF heap tracing (`heap_trace_dump`): allocations in order, each with the word whether it was freed. When it was
  is not told; a freed block is taken as freed when its address comes up again, or else at the end.
* ESP-IDF's SystemView report: every call in order.
* Zephyr's heaptrace shell: the blocks outstanding, which are all that can be told.

Blocks are followed by their address. Frees of addresses that the log never gave out are left out and counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from emulators.heap import Allocator
from emulators.traces.trace import Row, Trace, columns_of
from telemetry.errors import ConfigError

_POINTER = r"\(nil\)|(?:0x)?[0-9a-fA-F]+"
_TRACKER = r"Heap-Tracker(?: lib)?: "


class _Recorder:
    """Turns calls by address into operations by id."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.lines: list[int] = []
        self.ids: list[str] = []
        self.line = 0
        self.unknown = self.impossible = 0
        self.allocator: Allocator = "tlsf"
        self._live: dict[int, int] = {}
        self._freed_by_dump: dict[int, int] = {}

    def allocate(self, kind: str, address: int, a: int, b: int = 0) -> None:
        """A block at `address`, or NULL: the call counts all the same, on another heap it may succeed."""
        if max(a, b) >= 1 << 32:  # no call of a 32-bit device: the line is damaged
            self.impossible += 1
            return
        if address:
            self._free_if_live(address)
        dense = len(self.ids)
        self.ids.append(f"{address:x}.{dense}")
        self._add((kind, dense, a, b))
        if address:
            self._live[address] = dense

    def resize(self, old: int, new: int, size: int) -> None:
        dense = self._live.get(old)
        if dense is None:
            self.allocate("m", new, size)
            return
        if size >= 1 << 32:
            self.impossible += 1
            return
        self._add(("r", dense, size, 0))
        if new or size == 0:
            del self._live[old]
        if new:
            self._free_if_live(new)
            self._live[new] = dense

    def free(self, address: int) -> None:
        if address == 0:
            return
        dense = self._live.pop(address, None)
        if dense is None:
            self.unknown += 1
            return
        self._add(("f", dense, 0, 0))

    def free_some_day(self) -> None:
        """The block allocated last was freed later, nobody knows when."""
        if self._live:
            address, dense = next(reversed(self._live.items()))
            self._freed_by_dump[address] = dense

    def finish(self) -> None:
        for address in list(self._freed_by_dump):
            if self._live.get(address) == self._freed_by_dump[address]:
                self.free(address)

    def _free_if_live(self, address: int) -> None:
        """An address that comes up again was freed unseen."""
        if address in self._live:
            self.free(address)

    def _add(self, row: Row) -> None:
        self.rows.append(row)
        self.lines.append(self.line)


def _address(text: str) -> int:
    return 0 if text == "(nil)" else int(text, 16)


_Action = Callable[[_Recorder, re.Match[str]], None]


def _dumped(recorder: _Recorder, match: re.Match[str]) -> None:
    recorder.allocate("m", _address(match[2]), int(match[1]))
    if match[3]:
        recorder.free_some_day()


def _allocated(recorder: _Recorder, match: re.Match[str]) -> None:
    recorder.allocate("m", _address(match["at"]), int(match["size"]))


def _allocated_by_two(kind: str) -> _Action:
    return lambda recorder, match: recorder.allocate(kind, _address(match[3]), int(match[1]), int(match[2]))


def _resized(recorder: _Recorder, match: re.Match[str]) -> None:
    recorder.resize(_address(match[1]), _address(match[3]), int(match[2]))


def _freed(recorder: _Recorder, match: re.Match[str]) -> None:
    recorder.free(_address(match[1]))


_ROWS: tuple[tuple[Allocator, str, _Action], ...] = (
    ("musl_oldmalloc", rf"{_TRACKER}malloc\((?P<size>\d+)\)=(?P<at>{_POINTER})", _allocated),
    ("musl_oldmalloc", rf"{_TRACKER}calloc\((\d+), ?(\d+)\)=({_POINTER})", _allocated_by_two("c")),
    ("musl_oldmalloc", rf"{_TRACKER}aligned_alloc\((\d+), ?(\d+)\)=({_POINTER})", _allocated_by_two("a")),
    ("musl_oldmalloc", rf"{_TRACKER}_?realloc\(({_POINTER})(?:, ?\d+)?, ?(\d+)\)=({_POINTER})", _resized),
    ("musl_oldmalloc", rf"{_TRACKER}_?free\(({_POINTER})(?:, ?\d+)?\)", _freed),
    ("tlsf", rf"(\d+) bytes \(@ ({_POINTER})(?:, *\w+)?\) allocated CPU .*?( freed)?$", _dumped),
    ("tlsf", r"^freed by (?:0x)?[0-9a-fA-F]+", lambda recorder, _: recorder.free_some_day()),
    ("tlsf", rf"HEAP: Allocated (?P<size>\d+) bytes @ (?P<at>{_POINTER})", _allocated),
    ("tlsf", rf"HEAP: Freed bytes @ ({_POINTER})", _freed),
    ("zephyr_k", rf"\[heaptrace\] ptr=(?P<at>{_POINTER}) size=(?P<size>\d+)", _allocated),
)
_PATTERNS = tuple((allocator, re.compile(pattern), action) for allocator, pattern, action in _ROWS)


def read(source: str, lines: Sequence[str]) -> Trace:
    """The calls that the log tells of; raises ConfigError when it tells of none."""
    recorder = _Recorder()
    for number, line in enumerate(lines, 1):
        recorder.line = number
        for allocator, pattern, action in _PATTERNS:
            match = pattern.search(line)
            if match:
                recorder.allocator = allocator
                action(recorder, match)
                break
    recorder.finish()
    if not recorder.rows:
        expected = "operations (m, c, a, r, f) or lines of HeapTracker, ESP-IDF heap tracing or Zephyr's heaptrace"
        raise ConfigError(source, [f"line 1: expected a recorded trace (JSON), {expected}"])
    left_out = {
        "frees of blocks allocated before the log begins": recorder.unknown,
        "calls with 4 GiB or more": recorder.impossible,
    }
    operations = columns_of(recorder.rows, len(recorder.ids))
    return Trace(
        source,
        operations,
        tuple(recorder.ids),
        tuple(recorder.lines),
        notes=tuple(f"left out: {what}, {count} times" for what, count in left_out.items() if count),
        allocator=recorder.allocator,
    )
