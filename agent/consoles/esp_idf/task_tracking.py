"""ESP-IDF heap task tracking: which task holds how much of which heap. Five printed forms.

v5.5 and later (heap_task_info.c):
    │       leaking_task │ ALIVE   │                 6656 │              7232 │               1 │
    ├ leaking_task: ALIVE, CURRENT MEMORY USAGE 6656, PEAK MEMORY USAGE 7232, TOTAL HEAP USED 1:
    │    ├ HEAP: RAM, CAPS: 0x0010580e, SIZE: 342512, USAGE: CURRENT 6656 (1%), PEAK 7232 (2%), ALLOC COUNT: 1
    │    │    ├ ALLOC 0x3fceb878, SIZE 6656
the example before it (task and heap sizes printed through a 16-bit format, so modulo 65536; caps in decimal):
    leaking_task: ALIVE : Peak Usage 7232, Current Usage 6656
        RAM: Caps: 1071118. Size 22308, Current Usage 6656, Peak Usage 7232, alloc count 1
            0x3fceb878: Size: 6656
v4.2 to v5.4 example, and applications after it:
    Task: main -> CAP_8BIT: 1024 CAP_32BIT: 0
    Task: main 0x3fcb3788 -> MALLOC_CAP_INTERNAL: 9236 MALLOC_CAP_SPIRAM: 0 Highwater 1604
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from agent.consoles.fact import Fact
from agent.consoles.form import Form, Numbers, Session
from agent.consoles.line import Line

ALL_HEAPS = "total"
"""The `heap` of a task's own line, which is about all heaps together: of what it holds in each the line is the sum."""

_BLOCKS_KEPT = 4096
_MODULUS = 2**16
_TREE = r"[\s├└│|+`?\ufffd-]*"

_OVERVIEW = re.compile(r"\s*[│|] *([^│|\s][^│|]*?) [│|] (ALIVE|DELETED) *[│|] +(\d+) [│|] +(\d+) [│|] +(\d+) [│|]")
_TASK = re.compile(
    rf"(?=\W){_TREE}([^\s:│├└?\ufffd][^:│├└]{{0,31}}?): (ALIVE|DELETED) *, "  # no name stands at the line's beginning
    r"CURRENT MEMORY USAGE (\d+), PEAK MEMORY USAGE (\d+), TOTAL HEAP USED (\d+):$"
)
_REGION = re.compile(
    rf"{_TREE}HEAP: ([^:,]{{1,31}}), CAPS: 0x([0-9a-fA-F]+), SIZE: (\d+), "
    r"USAGE: CURRENT (\d+) \(\d+%\), PEAK (\d+) \(\d+%\), ALLOC COUNT: (\d+)$"
)
_BLOCK = re.compile(rf"{_TREE}ALLOC (0x[0-9a-fA-F]+), SIZE (\d+)$")

_OLD_TASK = re.compile(r"\s*([^\s:│├└][^:│├└]{0,31}?): (ALIVE|DELETED) *: Peak Usage (\d+), Current Usage (\d+)$")
_OLD_REGION = re.compile(
    r"\s*([^\s:]+(?: [^\s:]+){0,4}): "
    r"Caps: (\d+)\. Size (\d+), Current Usage (\d+), Peak Usage (\d+), alloc count (\d+)$"
)
_OLD_BLOCK = re.compile(r"\s*(0x[0-9a-fA-F]+): Size: (\d+)$")

_TORN_TASK = re.compile(r"(?:ALIVE|DELETED) *[,:] (?:Peak Us|CURRENT)|: Peak Usage \d|, CURRENT MEMORY USAGE")

_CAPS = re.compile(
    r"\s*Task: (\S[^:>]{0,31}?)(?: (0x[0-9a-fA-F]+))? -> ((?:[A-Z0-9_]+: \d+ ?){2,})(?:Highwater (\d+))?$"
)
_CAPS_PAIR = re.compile(r"([A-Z0-9_]+): (\d+)")


@dataclass(slots=True)
class _Region:
    """One heap of one task, until all blocks that it announced were printed."""

    names: tuple[str, str]
    values: Numbers
    flags: tuple[str, ...]
    line: Line
    end_line: int
    blocks: list[list[int | str]] = field(default_factory=list)


class TaskTrackingForm(Form):
    """Task lines as they come; a task's heaps once their blocks are through."""

    needles = ("│ ", "MEMORY USAGE ", "ALIVE", "DELETED", "ALLOC", " Usage ", ": Size: ", "Task: ")

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._task: str | None = None
        self._alive = 1
        self._region: _Region | None = None
        self._seen: set[tuple[str, str]] = set()
        self._heaps: int | None = None
        """How many heaps of the task are still to come; None where its line does not say."""
        self._untold = 0
        """Bytes that it holds in heaps which are still to come, modulo 65536 as they are printed."""

    def take(self, line: Line) -> list[Fact] | None:
        text = line.body
        if match := _BLOCK.match(text) or _OLD_BLOCK.match(text):
            return self._block(match[1], int(match[2]), line)
        if match := _REGION.match(text):
            name, caps, size, current, peak, blocks = match.groups()
            values: Numbers = {
                "heap_size": int(size),
                "current": int(current),
                "peak": int(peak),
                "caps": int(caps, 16),
            }
            return self._begin(name, values, int(blocks), ("part",), line)
        if match := _OLD_REGION.match(text):
            name, caps, size, current, peak, blocks = match.groups()
            values = {"heap_size": int(size), "current": int(current), "peak": int(peak), "caps": int(caps)}
            return self._begin(name, values, int(blocks), ("modulus", "part"), line)
        if match := _TASK.match(text):
            return self._total(match[1], match[2], (int(match[3]), int(match[4]), int(match[5])), (), line)
        if match := _OLD_TASK.match(text):
            if self.session.cuts.is_cut(("task", match[1]), int(match[4])):
                return self.flush()
            return self._total(match[1], match[2], (int(match[4]), int(match[3]), None), ("modulus",), line)
        if _TORN_TASK.search(text):
            return self.flush()  # whose heaps follow, nobody knows
        return self._table(line)

    def flush(self) -> list[Fact]:
        self._task = None
        return self._end_region()

    def _total(
        self, task: str, status: str, numbers: tuple[int, int, int | None], flags: tuple[str, ...], line: Line
    ) -> list[Fact]:
        facts = self.flush()
        self._seen.clear()
        self._task, self._alive = task, int(status == "ALIVE")
        self.wait(line)
        current, peak, heaps = numbers
        self._heaps, self._untold = heaps, current % _MODULUS
        values: Numbers = {"current": current, "peak": peak, "alive": self._alive}
        return [*facts, self.fact("task", (task, ALL_HEAPS), values, line, flags=flags)]

    def _begin(self, heap: str, values: Numbers, blocks: int, flags: tuple[str, ...], line: Line) -> list[Fact]:
        """A heap of the task above. No task above, the same heap again, or more than it holds: its line was lost."""
        facts = self._end_region()
        names = (self._task or "", f"{heap}#{values['heap_size']}")
        current = int(values["current"])
        too_many = self._untold == 0 < current if self._heaps is None else self._heaps == 0
        if self._task is None or names in self._seen or too_many:
            self._task = None
            return facts
        self._seen.add(names)
        self._heaps = None if self._heaps is None else self._heaps - 1
        self._untold = (self._untold - current) % _MODULUS
        values = {**values, "blocks": blocks, "alive": self._alive}
        self._region = _Region(names, values, flags, line, line.end_number)
        self.wait(line)
        return facts if blocks else facts + self._end_region()

    def _block(self, address: str, size: int, line: Line) -> list[Fact] | None:
        region = self._region
        if region is None:
            return None
        if len(region.blocks) < _BLOCKS_KEPT:
            region.blocks.append([address, size])
        region.end_line = line.end_number
        self.wait(line)
        return self._end_region() if len(region.blocks) == region.values["blocks"] else []

    def _end_region(self) -> list[Fact]:
        region, self._region = self._region, None
        if self._task is None:
            self.open_until = 0
        if region is None:
            return []
        raw = {"blocks": region.blocks} if region.blocks else {}
        return [
            self.fact(
                "task", region.names, region.values, region.line, end_line=region.end_line, flags=region.flags, raw=raw
            )
        ]

    def _table(self, line: Line) -> list[Fact] | None:
        if match := _OVERVIEW.match(line.body):
            task, status, current, peak, heaps = match.groups()
            values: Numbers = {"current": int(current), "peak": int(peak), "alive": int(status == "ALIVE")}
            return [self.fact("task", (task, ALL_HEAPS), values, line, raw={"heaps": int(heaps)})]
        if match := _CAPS.match(line.body):
            raw = {"handle": match[2]} if match[2] else {}
            facts = [
                self.fact("task", (match[1], _heap_of_caps(caps)), {"current": int(size)}, line, raw=raw)
                for caps, size in _CAPS_PAIR.findall(match[3])
            ]
            if match[4]:
                facts.append(self.fact("stack", (match[1],), {"min_free": int(match[4])}, line))
            return facts
        return None


def _heap_of_caps(caps: str) -> str:
    """MALLOC_CAP_INTERNAL -> internal, CAP_8BIT -> 8bit."""
    return caps.removeprefix("MALLOC_").removeprefix("CAP_").lower()
