"""Writing a capture: few, large writes, each complete in itself."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent.capture.segment import SUFFIX, segments, stamp

BATCH_BYTES = 256 * 1024
"""Text that waits in memory at most."""
SEGMENT_BYTES = 1 << 20
"""A segment ends at this size; the oldest is deleted as a whole."""
SEGMENT_MS = 86_400_000
URGENT_MS = 1_000
"""After an incident its last words may still come for so long before they are written."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a device's log is kept: bytes on disk and milliseconds; `write_ms` is from write to write."""

    max_bytes: int
    max_ms: int
    write_ms: int


class CaptureWriter:
    """One device's capture. `pack` makes a zstd frame; sharing one keeps a hundred ports small.

    OSErrors of the disk come out of `write`, `tick` and `close`; what could not be written is dropped and counted.
    """

    def __init__(self, directory: Path, limits: Limits, pack: Callable[[bytes], bytes]) -> None:
        self.dropped_bytes = 0
        self._directory = directory
        self._limits = limits
        self._pack = pack
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._first_ms = 0
        self._due_ms: int | None = None
        self._segment: Path | None = None
        self._segment_ms = 0

    def write(self, lines: bytes, time_ms: int) -> None:
        """Take whole lines that came at that time; text without a line feed is taken as a line that nothing ended."""
        if not lines:
            return
        mark = stamp(time_ms)
        if lines.endswith(b"\n"):
            head = mark + b" "
            text = head + lines[:-1].replace(b"\n", b"\n" + head) + b"\n"
        else:
            text = mark + b"~" + lines.replace(b"\n", b" ") + b"\n"
        if not self._pending:
            self._first_ms = time_ms
            self._due_ms = time_ms + self._limits.write_ms
        self._pending.append(text)
        self._pending_bytes += len(text)
        if self._pending_bytes >= BATCH_BYTES:
            self._flush(time_ms)

    def hurry(self, time_ms: int) -> None:
        """Something happened that must not be lost: write soon."""
        if self._due_ms is not None:
            self._due_ms = min(self._due_ms, time_ms + URGENT_MS)

    def tick(self, time_ms: int) -> None:
        """Write when it is time. A clock that was set back writes at once."""
        if self._due_ms is not None and (time_ms >= self._due_ms or time_ms < self._first_ms - self._limits.write_ms):
            self._flush(time_ms)

    def close(self) -> None:
        """Write what is left, to the disk itself."""
        self._flush(self._first_ms)
        self._end_segment()

    def _flush(self, time_ms: int) -> None:
        if not self._pending:
            return
        text, self._pending, self._pending_bytes, self._due_ms = b"".join(self._pending), [], 0, None
        try:
            self._append(self._pack(text), time_ms)
        except OSError:
            self.dropped_bytes += len(text)
            self._segment = None
            raise

    def _append(self, frame: bytes, time_ms: int) -> None:
        if self._segment is not None and time_ms - self._segment_ms >= SEGMENT_MS:
            self._end_segment()
        if self._segment is None:
            self._begin_segment()
        assert self._segment is not None  # noqa: S101 - begun just now
        with self._segment.open("ab", buffering=0) as file:
            file.write(frame)
            size = file.tell()
        if size >= min(SEGMENT_BYTES, self._limits.max_bytes // 4):
            self._end_segment()

    def _begin_segment(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._segment_ms = self._first_ms
        while (path := self._directory / f"{self._segment_ms:015d}{SUFFIX}").exists():
            self._segment_ms += 1
        self._segment = path
        self._prune(self._first_ms)

    def _end_segment(self) -> None:
        segment, self._segment = self._segment, None
        if segment is not None:
            with contextlib.suppress(FileNotFoundError), segment.open("rb") as file:
                os.fsync(file.fileno())

    def _prune(self, now_ms: int) -> None:
        """Delete what is too old or too much; a segment is as young as the beginning of the next."""
        kept = segments(self._directory)
        sizes = [path.stat().st_size for _, path in kept]
        room = self._limits.max_bytes - SEGMENT_BYTES
        for place, (_, path) in enumerate(kept):
            ended_ms = kept[place + 1][0] if place + 1 < len(kept) else now_ms
            if sum(sizes[place:]) > max(room, 0) or ended_ms < now_ms - self._limits.max_ms:
                path.unlink()
