"""Captures that a program on Windows has saved in UTF-16, told by how they begin."""

from __future__ import annotations

import codecs

_NEEDED = 8
"""Bytes that tell. A byte-order mark alone does not: a port at a wrong speed prints such bytes, too."""
_BOMS = (("utf-16-le", codecs.BOM_UTF16_LE), ("utf-16-be", codecs.BOM_UTF16_BE))


class Recoder:
    """Gives a stream as it came or, when it is UTF-16, as UTF-8. Holds a few bytes back until it is known which."""

    def __init__(self) -> None:
        self._head: bytes | None = b""
        self._decoder: codecs.IncrementalDecoder | None = None

    def feed(self, data: bytes) -> bytes:
        """The next bytes, in UTF-8 if they were in UTF-16."""
        if self._head is not None:
            data = self._head + data
            if _undecided(data):
                self._head = data
                return b""
            self._head = None
            if encoding := _encoding(data):
                self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        return self._decoder.decode(data).encode("utf-8", "replace") if self._decoder else data

    def rest(self) -> bytes:
        """What was held back when the stream ended."""
        head, self._head = self._head or b"", None
        return head


def _undecided(head: bytes) -> bool:
    """Too short to tell, as long as it may be UTF-16 at all."""
    return len(head) < _NEEDED and (len(head) < 2 or _is_bom(head) or 0 in head[:2])


def _encoding(head: bytes) -> str:
    """The UTF-16 that a stream begins with, empty for any other: every other byte of plain text is 0 in it."""
    start = 2 if _is_bom(head) else 0
    letters = head[start:_NEEDED]
    for (encoding, bom), odd in zip(_BOMS, (0, 1), strict=True):
        zeros, text = letters[1 - odd :: 2], letters[odd::2]
        if head[:start] in (b"", bom) and len(text) > 1 and not any(zeros) and all(_is_text(byte) for byte in text):
            return encoding
    return ""


def _is_bom(head: bytes) -> bool:
    return any(head.startswith(bom) for _, bom in _BOMS)


def _is_text(byte: int) -> bool:
    return 32 <= byte < 127 or byte in b"\t\r\n\x1b"
