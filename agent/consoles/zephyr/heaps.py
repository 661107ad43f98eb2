"""Zephyr heaps: the monitoring tutorial's line and its descendants, `sys_heap` statistics and dumps, `kernel heap`.

Heap  | Free: 896 bytes, Allocated: 104 bytes[ Max: 880 bytes]
Heap | Free: 10212 B | Allocated: 1980 B | Total: 12192 B | Max Used: 4404 B
allocated 104, free 896, max allocated 208, heap size 1024
free:           58312       allocated:      7120        max. allocated: 12884
1904 free bytes, 124 allocated bytes, overhead = 20 bytes (1.0%)        after the buckets of sys_heap_print_info
"""

from __future__ import annotations

import re

from agent.consoles.fact import Fact
from agent.consoles.form import Form, Numbers, Session
from agent.consoles.line import Line

SYSTEM_HEAP = ("system",)
_SAMPLE_HEAP = ("sys_heap",)

_LINE = re.compile(r"heap +\| free: +?(\d+) (?:bytes|B)\b(.*)$", re.IGNORECASE)
_LINE_PART = re.compile(r" *[,|]? *(allocated|total|max used|max allocated|max): +(\d+) (?:bytes|B)\b", re.IGNORECASE)
_FIELD_OF_PART = {
    "allocated": "used",
    "total": "size",
    "max": "max_used",
    "max used": "max_used",
    "max allocated": "max_used",
}
_TORN = re.compile(r"heap +\| ", re.IGNORECASE)
_TORN_STATISTICS = re.compile(r"allocated \d+(?:,|$)")
_STATISTICS = re.compile(r"allocated (\d+), free (\d+), max allocated (\d+), heap size (\d+)$")

_KERNEL = re.compile(r"(free|allocated|max\. allocated): {1,12}(\d+)$")
_TORN_KERNEL = re.compile(r"(?:free|allocated): {6,12}\d+$")
_KERNEL_WIDTH = 16  # all three labels are padded to one column
_FIELD_OF_KERNEL = {"free": "free", "allocated": "used", "max. allocated": "max_used"}

_DUMP_BEGIN = re.compile(r"Heap at (0x[0-9a-fA-F]+|[0-9a-fA-F]{8,16}) contains (\d+) units in (\d+) buckets$")
_BUCKET = re.compile(r" *(\d+) +(\d+) +(\d+) +(\d+) +(\d+)$")
_TORN_BUCKET = re.compile(r"[\s\d-]*\d[\s\d]*(?:Chunk dump:)?$")
_CHUNK = re.compile(r"chunk +(\d+): \[([*.-])\] size=(\d+) +left=(\d+) +right=(\d+)$")
_DUMP_END = re.compile(r"(\d+) free bytes, (\d+) allocated bytes, overhead = (\d+) bytes \(")

_LISTENER = re.compile(r"\[heaptrace-summary\] thread=(.*?) tid=(\S+) blocks=(\d+) bytes=(\d+)$")


class HeapLineForm(Form):
    """One line that says all of a heap."""

    system = "zephyr"
    needles = ("| Free:", "| free:", "allocated ", "[heaptrace-summary]")

    def take(self, line: Line) -> list[Fact] | None:
        body = line.body.lstrip()
        if "|" in body and (match := _LINE.match(body) or _LINE.match(body, max(body.lower().find("heap"), 0))):
            values: Numbers = {"free": int(match[1]), **_parts(match[2])}
            return [self.fact("heap", SYSTEM_HEAP, values, line)]
        if match := _STATISTICS.match(body):
            used, free, max_used, size = map(int, match.groups())
            if used + free > size or not used <= max_used <= size:
                return []  # torn
            values = {"size": size, "free": free, "used": used, "max_used": max_used}
            return [self.fact("heap", _SAMPLE_HEAP, values, line)]
        if match := _LISTENER.match(body):
            if self.session.cuts.is_cut(("heaptrace", match[2]), int(match[4])):
                return []
            values = {"current": int(match[4]), "blocks": int(match[3])}
            return [self.fact("task", (match[1] or match[2], "system"), values, line, raw={"thread": match[2]})]
        return [] if _TORN.match(body) or _TORN_STATISTICS.match(body) else None


def _parts(text: str) -> Numbers:
    """What a line says after its first number, up to where it is torn."""
    values: Numbers = {}
    part = _LINE_PART.match(text)
    while part:
        values[_FIELD_OF_PART[part[1].lower()]] = int(part[2])
        part = _LINE_PART.match(text, part.end())
    return values


class KernelHeapForm(Form):
    """The shell's `kernel heap`: three lines, one reading."""

    system = "zephyr"
    needles = ("free:  ", "allocated: ")

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._values: Numbers = {}
        self._first: Line | None = None
        self._last = 0

    def take(self, line: Line) -> list[Fact] | None:
        text = line.text.lstrip()
        match = _KERNEL.match(text)
        if match is None or len(text) - len(match[2]) != _KERNEL_WIDTH:
            return [] if _TORN_KERNEL.search(text) else None
        field = _FIELD_OF_KERNEL[match[1]]
        facts = self.flush() if field in self._values else []
        if field == "max_used" and int(match[2]) < int(self._values.get("used", 0)):
            self._values.clear()  # one of the two is torn
            return self.flush()
        if self.session.cuts.is_cut(("kernel heap", field), int(match[2])):
            return facts + self.flush()
        self._values[field] = int(match[2])
        self._first = self._first or line
        self._last = line.end_number
        self.wait(line)
        return facts + self.flush() if field == "max_used" else facts

    def flush(self) -> list[Fact]:
        values, first = self._values, self._first
        self._values, self._first, self.open_until = {}, None, 0
        if first is None or not values:
            return []
        return [self.fact("heap", SYSTEM_HEAP, values, first, end_line=self._last)]


class HeapDumpForm(Form):
    """`sys_heap_print_info`: buckets, perhaps chunks, and the totals that close it."""

    system = "zephyr"
    needles = ("Heap at ", " free bytes, ", "chunk ")
    reads_all = True
    _PATIENCE = 64

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._begun: tuple[Line, re.Match[str]] | None = None
        self._buckets: list[list[int]] = []
        self._chunks: list[list[int | str]] = []
        self._torn = False

    def take(self, line: Line) -> list[Fact] | None:
        if match := _DUMP_BEGIN.match(line.text.lstrip()):
            facts = self.flush()
            self._begun = line, match
            self.wait(line, self._PATIENCE)
            return facts
        if match := _DUMP_END.match(line.text.lstrip()):
            return self._end(match, line)
        if not self.open_until:
            return None
        if match := _BUCKET.match(line.text):
            self._buckets.append([int(number) for number in match.groups()])
        elif _TORN_BUCKET.match(line.text):
            self._torn = True
        elif match := _CHUNK.match(line.text.lstrip()):
            self._chunks.append([int(match[1]), match[2], int(match[3]), int(match[4]), int(match[5])])
        else:
            return None
        self.wait(line, self._PATIENCE)
        return []

    def flush(self) -> list[Fact]:
        """A dump without its totals says nothing of the heap (the first version of the function had none)."""
        self._begun, self._buckets, self._chunks, self._torn, self.open_until = None, [], [], False, 0
        return []

    def _end(self, match: re.Match[str], line: Line) -> list[Fact]:
        first, begun = self._begun or (line, None)
        values: Numbers = {"free": int(match[1]), "used": int(match[2])}
        raw: dict[str, object] = {"overhead": int(match[3])}
        if begun:
            raw["units"] = int(begun[2])
        if self._buckets and not self._torn:
            raw["buckets"] = self._buckets
            values["free_blocks"] = sum(bucket[2] for bucket in self._buckets)
            values["largest_free"] = max(bucket[4] for bucket in self._buckets)
        if self._chunks:
            raw["chunks"] = self._chunks
        self.flush()
        if begun is None:  # the capture begins in the middle of a dump: of which heap, nobody knows
            return [self.event("heap_totals", values, line, raw=raw)]
        return [self.fact("heap", (begun[1],), values, first, end_line=line.end_number, raw=raw)]
