"""The lines around an incident: the last ones are remembered, and become log readings when something happens."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from agent.consoles.transport import peel

KEPT_BYTES = 64 * 1024
MOST_LINES = 200
"""Lines published before an incident, and after it."""
_DRIFT_MS = 1_000


@dataclass(frozen=True, slots=True)
class _Block:
    first: int
    time_ms: int
    lines: bytes
    count: int


class Window:
    """One console's last lines. Each line has a time of its own, so that none replaces another in a store.

    `span_ms` is how far a window reaches to either side of its incident.
    """

    def __init__(self, span_ms: int) -> None:
        self._span_ms = span_ms
        self._blocks: deque[_Block] = deque()
        self._bytes = 0
        self._next_ms = 0
        self._told: set[int] = set()
        self._from_ms = self._until_ms = 0
        self._room = 0

    def add(self, lines: bytes, first: int, time_ms: int) -> None:
        """Remember whole lines; `first` is the number of the first one."""
        count = lines.count(b"\n")
        # A millisecond each, as long as that does not run away from the clock.
        start_ms = max(time_ms, self._next_ms) if self._next_ms - time_ms < _DRIFT_MS else time_ms
        self._next_ms = start_ms + count
        self._blocks.append(_Block(first, start_ms, lines, count))
        self._bytes += len(lines)
        while self._bytes > KEPT_BYTES and len(self._blocks) > 1:
            gone = self._blocks.popleft()
            self._bytes -= len(gone.lines)
            self._told.difference_update(range(gone.first, gone.first + gone.count))

    def tell(self, number: int, time_ms: int) -> int:
        """A line is published by itself: its own time, `time_ms` when it is remembered no more."""
        for block in reversed(self._blocks):
            if block.first <= number < block.first + block.count:
                self._told.add(number)
                return block.time_ms + number - block.first
        return time_ms

    def open(self, time_ms: int) -> None:
        """An incident: from now on `take` gives the lines around it. Incidents close together share a window."""
        if time_ms >= self._until_ms:
            self._from_ms, self._room = time_ms - self._span_ms, 2 * MOST_LINES
        self._until_ms = max(self._until_ms, time_ms + self._span_ms)

    def open_until(self, until_ms: int, time_ms: int) -> None:
        """Somebody asks for the lines up to a time."""
        self.open(time_ms)
        self._until_ms, self._room = max(self._until_ms, until_ms), MOST_LINES * 50

    def take(self) -> list[tuple[int, str]]:
        """Lines that are to be published now, with their times: each once, no more than there is room for."""
        if self._room <= 0:
            return []
        taken: list[tuple[int, str]] = []
        before = 0
        for block in reversed(self._blocks):
            if block.time_ms + block.count < self._from_ms or before >= MOST_LINES:
                break
            if block.time_ms <= self._until_ms:
                found = self._untold(block)
                before += len(found)
                taken[:0] = found
        taken = taken[-self._room :]
        self._room -= len(taken)
        return taken

    def _untold(self, block: _Block) -> list[tuple[int, str]]:
        found = []
        for offset, line in enumerate(block.lines.split(b"\n")[: block.count]):
            if block.first + offset not in self._told:
                self._told.add(block.first + offset)
                if text := peel(line.decode("utf-8", "replace")).strip():
                    found.append((block.time_ms + offset, text))
        return found
