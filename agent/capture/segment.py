"""The files of a capture.

capture/<device>/<first ms, 15 digits>.log.zst     a segment: zstd frames one after the other, each with a checksum
frame                                              some whole entries
entry    2026-11-20T22:14:18.123Z TEXT\\n           a line of the console, its carriage returns as received
entry    2026-11-20T22:14:18.123Z~TEXT\\n           text that no line feed of the console ended

`zstdcat` shows a segment, and `memfleet parse` reads one like any other log. A frame is appended by one write, so a
killed agent leaves at most a torn last frame; the next start begins a new segment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import zstandard

SUFFIX = ".log.zst"
MAGIC = b"\x28\xb5\x2f\xfd"
_ENTRY = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{3})Z([ ~])")


@dataclass(frozen=True, slots=True)
class Entry:
    """A line as received, without its line feed. `complete` is False when the console never ended it."""

    time_ms: int
    data: bytes
    complete: bool = True


def stamp(time_ms: int) -> bytes:
    """The time as it stands before an entry."""
    whole = datetime.fromtimestamp(time_ms // 1000, UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}Z".encode()


def segments(directory: Path) -> list[tuple[int, Path]]:
    """The segments of a device with the time of each one's first entry, the oldest first."""
    found = directory.glob("*" + SUFFIX)
    return sorted(
        (int(path.name.removesuffix(SUFFIX)), path) for path in found if path.name.removesuffix(SUFFIX).isdecimal()
    )


def entries_of(path: Path) -> Iterator[Entry]:
    """All entries of a segment that can be read, also while it is being written; a damaged frame is passed over."""
    data = path.read_bytes()
    place = data.find(MAGIC)
    while place >= 0:
        frame = zstandard.ZstdDecompressor().decompressobj()
        following = data.find(MAGIC, place + len(MAGIC))
        try:
            text = frame.decompress(data[place:])
        except zstandard.ZstdError:
            text = b""
        if frame.eof:
            following = data.find(MAGIC, len(data) - len(frame.unused_data))
        elif following >= 0:
            text = b""  # not torn, as others stand behind it: damaged, so none of it is believed
        yield from _entries(text)
        place = following


def _entries(text: bytes) -> Iterator[Entry]:
    """The entries of a frame; what a torn frame ends with is none."""
    second, base_ms = b"", 0
    for line in text.split(b"\n")[:-1]:
        head = _ENTRY.match(line)
        if head is None:
            continue  # only damage makes such lines
        if head[1] != second:
            second = head[1]
            base_ms = int(datetime.fromisoformat(second.decode() + "+00:00").timestamp()) * 1000
        yield Entry(base_ms + int(head[2]), line[head.end() :], head[3] == b" ")
