"""ESP-IDF `heap_caps_dump`: every block of a heap, one event `heap_dump` a heap.

Showing data for heap: 0x3fc9a1f0
Block 0x3fc9a204 data, size: 128 bytes, Free: No                              v4.3 and later
Heap start 0x3ffb2c50 end 0x3ffe0000
Block 0x3ffb2c60 data size 0x00000080 bytes next block 0x3ffb2ce4[ FREE. Next free 0x...]     before; hexadecimal
"""

from __future__ import annotations

import re

from agent.consoles.fact import Fact
from agent.consoles.form import Form, Session
from agent.consoles.line import Line

_BLOCKS_KEPT = 4096

_HEAP = re.compile(r"\s*(?:Showing data for heap: |Heap start )(0x[0-9a-fA-F]+)")
_BLOCK = re.compile(r"\s*Block (0x[0-9a-fA-F]+) data, size: (\d+) bytes, Free: (Yes|No)$")
_OLD_BLOCK = re.compile(
    r"\s*Block (0x[0-9a-fA-F]+) data size 0x([0-9a-fA-F]+) bytes next block 0x[0-9a-fA-F]+( FREE\. Next free 0x)?"
)


class HeapDumpForm(Form):
    """Collects the blocks of one heap until the next heap, a reset or silence; sums would lie when a line is lost."""

    needles = ("Showing data for heap", "Heap start 0x", "Block 0x", "First free block")

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._first: Line | None = None
        self._last = 0
        self._heap = ""
        self._blocks: list[list[int | str]] = []

    def take(self, line: Line) -> list[Fact] | None:
        if match := _BLOCK.match(line.text):
            return self._block(match[1], int(match[2]), match[3] == "Yes", line)
        if match := _OLD_BLOCK.match(line.text):
            return self._block(match[1], int(match[2], 16), match[3] is not None, line)
        if match := _HEAP.match(line.text):
            facts = self.flush()
            self._heap = match[1]
            self._note(line)
            return facts
        if "Showing data for heap" in line.text:
            return []  # torn
        return [] if "First free block" in line.text and self.open_until else None

    def flush(self) -> list[Fact]:
        first, blocks, heap = self._first, self._blocks, self._heap
        self._first, self._blocks, self._heap, self.open_until = None, [], "", 0
        if first is None or not blocks:
            return []
        raw = {"heap": heap, "blocks": blocks}
        return [self.event("heap_dump", {"blocks": len(blocks)}, first, end_line=self._last, raw=raw)]

    def _block(self, address: str, size: int, free: bool, line: Line) -> list[Fact]:
        if len(self._blocks) < _BLOCKS_KEPT:
            self._blocks.append([address, size, "free" if free else "used"])
        self._note(line)
        return []

    def _note(self, line: Line) -> None:
        self._first = self._first or line
        self._last = line.end_number
        self.wait(line)
