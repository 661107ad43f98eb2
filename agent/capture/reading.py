"""Reading captures back: by device and time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agent.capture.segment import Entry, entries_of, segments

__all__ = ["Entry", "captured_devices", "read_capture"]


def captured_devices(directory: Path) -> list[str]:
    """The devices of which `directory` holds a capture."""
    return sorted(path.name for path in directory.iterdir() if path.is_dir()) if directory.is_dir() else []


def read_capture(directory: Path, start_ms: int = 0, end_ms: int | None = None) -> Iterator[Entry]:
    """A device's entries from start to end, in the order in which they came. Segments outside are not opened."""
    found = segments(directory)
    for place, (_, path) in enumerate(found):
        ended = place + 1 < len(found) and found[place + 1][0] < start_ms
        if ended or (end_ms is not None and found[place][0] > end_ms):
            continue
        try:
            for entry in entries_of(path):
                if entry.time_ms >= start_ms and (end_ms is None or entry.time_ms <= end_ms):
                    yield entry
        except FileNotFoundError:  # it became too old while we read
            continue
