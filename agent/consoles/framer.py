"""Bytes to lines, whatever the split of the stream.

A line ends at a line feed and at nothing else: `str.splitlines` would also split at form feeds, at U+0085 and others
that noise and foreign text contain. Carriage returns before it are the business of the transport layer.
"""

from __future__ import annotations

LINE_CAP = 64 * 1024
"""Longest line that is looked at, bytes. Longer ones are noise (a wrong baud rate prints no line feeds)."""


class Framer:
    """Collects bytes and gives complete lines as text; keeps at most `LINE_CAP` bytes.

    A line longer than the cap is given as an empty line, so that line numbers stay true; `oversized` counts them.
    """

    def __init__(self) -> None:
        self.oversized = 0
        self._pending = b""
        self._skipping = False

    def feed(self, data: bytes) -> list[str]:
        """Take the next bytes; give the lines that are now complete, without their line feeds."""
        head, feed, tail = data.rpartition(b"\n")
        if not feed:
            self._hold(data)
            return []
        lines = self._lines(head)
        self._pending, self._skipping = b"", False
        self._hold(tail)
        return lines

    def rest(self) -> str:
        """The unfinished last line of the stream."""
        rest, self._pending = self._pending, b""
        return rest.decode("utf-8", "replace")

    def _hold(self, data: bytes) -> None:
        if self._skipping:
            return
        self._pending += data
        if len(self._pending) > LINE_CAP:
            self._pending, self._skipping = b"", True

    def _lines(self, head: bytes) -> list[str]:
        block = self._pending + head
        # Invalid bytes never swallow a line feed, so decoding the whole block equals decoding each line, and is faster.
        lines = block.decode("utf-8", "replace").split("\n")
        if len(block) > LINE_CAP or self._skipping:
            self._blank_oversized(block, lines)
        return lines

    def _blank_oversized(self, block: bytes, lines: list[str]) -> None:
        for index, line in enumerate(block.split(b"\n")):
            if len(line) > LINE_CAP or (index == 0 and self._skipping):
                lines[index] = ""
                self.oversized += 1
