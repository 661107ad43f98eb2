"""Bytes to lines, whatever the split of the stream.

A line ends at a line feed and at nothing else: `str.splitlines` would also split at form feeds, at U+0085 and others
that noise and foreign text contain. Carriage returns before it are the business of the transport layer. One in the
middle ends a part of the line, which something has overwritten; a capture without line feeds has such parts only.
"""

from __future__ import annotations

import re

from agent.consoles.encoding import Recoder

LINE_CAP = 64 * 1024
"""Longest line that is looked at, bytes. Longer ones are noise (a wrong baud rate prints no line feeds)."""
_NULS = re.compile(rb"\0+")
_NO_TEXT = frozenset(b"0123456789\r\n")
DROPPED = b"\0"
"""What is given in the place of what is too long: as little as nothing, but it is there."""


class Framer:
    """Collects bytes and gives complete lines as text; keeps at most `LINE_CAP` bytes.

    A line (or part of one) longer than the cap is given as `DROPPED`, so that line numbers stay true; `oversized`
    counts them. `parts` are the new ones of a line whose line feed has not come yet. Before the first line feed every
    part counts as a line.
    """

    def __init__(self) -> None:
        self.oversized = 0
        self.parts: list[str] = []
        self._recoder = Recoder()
        self._pending = b""
        self._skipping = False
        self._fed = False

    def feed(self, data: bytes) -> list[str]:
        """Take the next bytes; give the lines that are now complete, without their line feeds."""
        head, feed, tail = self._recoder.feed(data).rpartition(b"\n")
        lines: list[str] = []
        if feed:
            lines = self._lines(self._pending + head)
            self._pending, self._skipping = b"", False
            if not self._fed:
                self._fed = True
                lines[:1] = parts_of(lines[0])
        self.parts = self._hold(self._pending + tail)
        if not self._fed:
            lines, self.parts = self.parts, lines
        return lines

    def rest(self) -> str:
        """The unfinished last line of the stream; with a return at its end only the line feed is missing."""
        rest, self._pending = self._pending + self._recoder.rest(), b""
        return rest.decode("utf-8", "replace")

    def _hold(self, pending: bytes) -> list[str]:
        """Keep what is unfinished, give the parts that are not."""
        if b"\r" not in pending and len(pending) <= LINE_CAP and not self._skipping:
            self._pending = pending
            return []
        line = pending.rstrip(b"\r")  # what these end is not known before the next byte
        cut = line.rfind(b"\r") + 1
        parts = [part for text in self._lines(pending[: cut - 1]) for part in parts_of(text) if part] if cut else []
        self._skipping = self._skipping and not cut
        if len(line) - cut > LINE_CAP or self._skipping:
            self._skipping, pending, cut = True, b"\r" * (len(pending) > len(line)), 0
        self._pending = pending[cut:]
        return parts

    def _lines(self, block: bytes) -> list[str]:
        if len(block) > LINE_CAP or self._skipping:
            block = self._without_oversized(block)
        if b"\0" in block:
            block = _NULS.sub(_nothing_in_text, block)
        # Invalid bytes never swallow a line feed, so decoding the whole block equals decoding each line, and is faster.
        return block.decode("utf-8", "replace").split("\n")

    def _without_oversized(self, block: bytes) -> bytes:
        lines = block.split(b"\n")
        for index, line in enumerate(lines):
            skipped = index == 0 and self._skipping
            if len(line) > LINE_CAP or skipped:
                parts = line.split(b"\r")
                bad = {at for at, part in enumerate(parts) if len(part) > LINE_CAP or (at == 0 and skipped)}
                lines[index] = b"\r".join(DROPPED if at in bad else part for at, part in enumerate(parts))
                self.oversized += len(bad)
        return b"\n".join(lines)


def _nothing_in_text(nuls: re.Match[bytes]) -> bytes:
    """What a port gives beside text when it opens is nothing. Within a number it stands for lost digits, and stays."""
    around = nuls.string[max(nuls.start() - 1, 0) : nuls.start()] + nuls.string[nuls.end() : nuls.end() + 1]
    return b"" if any(byte not in _NO_TEXT for byte in around) else nuls[0]


def parts_of(line: str) -> list[str]:
    """What carriage returns leave of a line: at least one part, and none is empty beside others."""
    parts = [part for part in line.split("\r") if part]
    return parts or [""]
