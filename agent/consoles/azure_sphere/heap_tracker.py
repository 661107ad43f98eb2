"""Azure Sphere Gallery's HeapTracker library: a counter of allocated bytes, printed at each operation.

    Heap-Tracker lib: malloc(1024)=0xbeee9010...                                           operation, no line feed
    SUCCESS: heap_allocated (1024 bytes) - delta with heap_threshold(254976 bytes)         status, on the same line

Between the two another thread's text may land; the status is then paired with the latest operation that has none.
What the library counts wrongly (see `Counter`) is printed as it is; the corrected number is added beside it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from agent.consoles.fact import Fact
from agent.consoles.form import Form, Numbers, Session
from agent.consoles.line import Line

HEAP = ("heap_tracker",)
_PAIRING_PATIENCE = 8
_NULL = frozenset(("(nil)", "0", "00000000", "0x0", "(null)"))

_OPERATION = re.compile(
    r"Heap-Tracker(?: lib)?: (_?(?:malloc|calloc|aligned_alloc|alloc_aligned|realloc|free))"
    r"\(([^()]*(?:\(nil\)[^()]*)?)\)"
    r"(?:=(\(nil\)|\w+))?\.\.\. ?"
)
_STATUS = re.compile(
    r"(SUCCESS|WARNING): heap_allocated \((-?\d+)(?: bytes)?\) "
    r"(?:- delta with heap_threshold ?\((-?\d+) bytes\)|is above heap_threshold \((\d+) bytes\)|is (NEGATIVE))"
)
_NATIVE = re.compile(r"Heap-Tracker(?: lib)?: WARNING! Native (\w+)\(([^()]*(?:\(nil\)[^()]*)?)\) was called")
_UNTRACKED = re.compile(r"Heap-Tracker(?: lib)?: WARNING: free\((\(nil\)|\w+)\) was called for a non-tracked pointer")
_TRACKING_FAILED = re.compile(r"Heap-Tracker(?: lib)?: heap_track_pointer\((\(nil\)|\w+),(\d+)\) FAILED")
_BEGIN = re.compile(r"(consumeHeap_\w+) --> Heap status: max available\((\d+) bytes\), allocated \((-?\d+) bytes\)")
_END = re.compile(r"(consumeHeap_\w+) --> Currently available heap up to given heap_threshold: (\d+)Kb \((\d+) bytes\)")


@dataclass(slots=True)
class Operation:
    """One call of the library, waiting for its status."""

    name: str
    arguments: tuple[int | str, ...]
    result: str
    line: Line

    @property
    def failed(self) -> bool:
        """True when memory was asked for and none was given; only the pointer shows it, the status says SUCCESS."""
        return bool(self.result) and self.result in _NULL and self.size > 0

    @property
    def size(self) -> int:
        """Bytes asked for, 0 for the freeing calls."""
        numbers = [value for value in self.arguments if isinstance(value, int)]
        if not numbers or self.name.endswith("free"):
            return 0
        return numbers[0] * numbers[1] if self.name == "calloc" and len(numbers) == 2 else numbers[-1]

    def change(self) -> int | None:
        """By how much the bytes in use really changed; None when the call does not tell."""
        numbers = [value for value in self.arguments if isinstance(value, int)]
        if self.failed:
            return 0
        if self.name in ("malloc", "calloc", "aligned_alloc"):
            return self.size
        if self.name == "_free" and numbers:
            return 0 if self.arguments[0] in _NULL else -numbers[-1]
        if self.name == "_realloc" and len(numbers) >= 2:
            return numbers[-1] - numbers[-2]
        return None

    @property
    def miscount(self) -> int:
        """Bytes that the library may add too many for this call."""
        if self.failed:
            return self.size
        return 1 if self.name == "_realloc" else 0

    def raw(self) -> dict[str, object]:
        """Everything printed of the call."""
        raw: dict[str, object] = {"call": self.name, "arguments": list(self.arguments)}
        if self.result:
            raw["result"] = self.result
        if self.failed:
            raw["failed"] = 1
        return raw


@dataclass(slots=True)
class Counter:
    """What the library's counter would read without its own mistakes.

    `_realloc` adds one byte too many at each call, a failed call may be counted in full. Both follow from the printed
    numbers: what the counter moved by, less what the call asked for. `used` is None until the counter was seen to
    start from nothing, and from the first native `realloc` or `free` on, when it cannot be known any more.
    """

    printed: int | None = None
    drift: int | None = None
    reliable: bool = True
    above: bool = False

    def follow(self, operation: Operation | None, printed: int) -> None:
        """Take the counter as printed after an operation; a gap in the log makes the drift unknown."""
        before, self.printed = self.printed, printed
        change = operation.change() if operation else None
        if operation is None or change is None:
            self.drift = None
        elif printed - change in (0, operation.miscount):
            self.drift = printed - change  # it stood at 0 before, and it never reads less than what is in use
        elif self.drift is not None and before is not None and printed - before - change in (0, operation.miscount):
            self.drift += printed - before - change
        else:
            self.drift = None

    def start(self, printed: int) -> None:
        """Take the counter as printed before any operation."""
        if self.printed is None and printed == 0:
            self.drift = 0
        self.printed = printed

    @property
    def used(self) -> int | None:
        """Bytes really allocated, when they differ from the printed ones and are known."""
        if not self.reliable or not self.drift or self.printed is None:
            return None
        return self.printed - self.drift


@dataclass(slots=True)
class _State:
    counter: Counter = field(default_factory=Counter)
    operation: Operation | None = None


class HeapTrackerForm(Form):
    """HeapTracker's operations, statuses and warnings."""

    system = "mt3620"
    needles = ("Heap-Tracker", "heap_allocated (", "consumeHeap_")

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._state = _State()

    def take(self, line: Line) -> list[Fact] | None:
        text = line.body
        facts: list[Fact] = []
        operation = _OPERATION.search(text) if "..." in text else None
        if operation:
            facts += self._begin(operation, line)
        native = _NATIVE.search(text) if "Native" in text else None
        if native:
            facts += self._native(native, line)
        status = _STATUS.search(text) if "heap_allocated (" in text else None
        if status:
            facts += self._status(status, line)
        other = self._other(line)
        return facts + (other or []) if operation or native or status or other is not None else None

    def flush(self) -> list[Fact]:
        """An operation without status: it was called, and what came of it is unknown."""
        operation, self._state.operation = self._state.operation, None
        self.open_until = 0
        if operation is None:
            return []
        values: Numbers = {"caller": operation.name, "reason": "status unknown"}
        if operation.size:
            values["size"] = operation.size
        return [self.event("heap_call", values, operation.line, raw=operation.raw())]

    def new_boot(self) -> None:
        self._state = _State()

    def _begin(self, match: re.Match[str], line: Line) -> list[Fact]:
        facts = self.flush()
        self._state.operation = Operation(match[1], _arguments(match[1], match[2]), match[3] or "", line)
        self.wait(line, _PAIRING_PATIENCE)
        return facts

    def _native(self, match: re.Match[str], line: Line) -> list[Fact]:
        self._state.counter.reliable = False
        raw = {"arguments": list(_arguments(match[1], match[2]))}
        return [self.event(f"native_{match[1]}", {"caller": match[1]}, line, raw=raw)]

    def _status(self, match: re.Match[str], line: Line) -> list[Fact]:
        operation, self._state.operation = self._state.operation, None
        self.open_until = 0
        counter = self._state.counter
        used = int(match[2])
        counter.follow(operation, used)
        counter.reliable = counter.reliable and used >= 0
        values: Numbers = {"used": used}
        raw = operation.raw() if operation else {}
        raw["status"] = match[1]
        if match[3]:
            raw["delta"] = int(match[3])
            values["threshold"] = used + int(match[3])
        elif match[4]:
            values["threshold"] = int(match[4])
        if counter.used is not None:
            raw["used_corrected"] = counter.used
        first = operation.line if operation else line
        if first is not line:
            raw["call_line"] = first.number
        flags = () if counter.reliable else ("unreliable",)
        facts = [self.fact("heap", HEAP, values, first, end_line=line.end_number, flags=flags, raw=raw)]
        return facts + self._consequences(operation, values, match, line)

    def _consequences(
        self, operation: Operation | None, values: Numbers, match: re.Match[str], line: Line
    ) -> list[Fact]:
        facts = []
        if operation and operation.failed:
            failed: Numbers = {"size": operation.size, "caller": operation.name}
            facts.append(self.event("alloc_failed", failed, operation.line))
        above = match[4] is not None
        if above and not self._state.counter.above:
            facts.append(self.event("above_threshold", values, line))
        self._state.counter.above = above
        if match[5]:
            facts.append(self.event("counter_negative", {"used": values["used"]}, line))
        return facts

    def _other(self, line: Line) -> list[Fact] | None:
        if match := _BEGIN.search(line.body):
            self._state.counter.start(int(match[3]))
            values: Numbers = {"used": int(match[3]), "threshold": int(match[2])}
            return [self.fact("heap", HEAP, values, line, raw={"call": match[1]})]
        if match := _END.search(line.body):
            return [self.event("heap_available", {"size": int(match[3]), "caller": match[1]}, line)]
        if match := _UNTRACKED.search(line.body):
            return [self.event("untracked_free", {"text": match[1]}, line)]
        if match := _TRACKING_FAILED.search(line.body):
            failed: Numbers = {"size": int(match[2]), "caller": "heap_track_pointer"}
            return [self.event("alloc_failed", failed, line)]
        return None


def _arguments(call: str, printed: str) -> tuple[int | str, ...]:
    """Sizes as numbers; a pointer, first argument of the calls that take one, as it is printed."""
    words = [word.strip() for word in printed.split(",")] if printed else []
    pointers = 1 if call.endswith(("free", "realloc")) else 0
    return tuple(int(word) if at >= pointers and word.isdecimal() else word for at, word in enumerate(words))
