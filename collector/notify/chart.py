"""A small chart as a PNG (ISO/IEC 15948): one line over time, from 0 to a little above the most. Pure."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT = 480, 160
_PALETTE = bytes((255, 255, 255, 210, 214, 220, 31, 97, 180))
_PAPER, _GRID, _INK = range(3)
_HEADROOM = 1.1
_GRID_LINES = 4


def draw(times: Sequence[int], values: Sequence[int | None]) -> bytes:
    """The chart of values (None: a gap) at increasing times."""
    picture = np.full((HEIGHT, WIDTH), _PAPER, dtype=np.uint8)
    picture[:: HEIGHT // _GRID_LINES] = _GRID
    picture[-1] = _GRID
    most = max((value for value in values if value is not None), default=1) * _HEADROOM or 1
    span = max(1, times[-1] - times[0])
    before: tuple[float, float] | None = None
    for time, value in zip(times, values, strict=True):
        point = None if value is None else ((time - times[0]) / span * (WIDTH - 1), (1 - value / most) * (HEIGHT - 1))
        if point is not None:
            _line(picture, before or point, point)
        before = point
    return _png(picture)


def _line(picture: npt.NDArray[np.uint8], start: tuple[float, float], end: tuple[float, float]) -> None:
    steps = int(max(abs(end[0] - start[0]), abs(end[1] - start[1]))) + 2
    columns = np.linspace(start[0], end[0], steps).round().astype(int)
    rows = np.linspace(start[1], end[1], steps).round().astype(int)
    picture[rows, columns] = _INK
    picture[np.minimum(rows + 1, HEIGHT - 1), columns] = _INK


def _png(picture: npt.NDArray[np.uint8]) -> bytes:
    rows = np.hstack([np.zeros((HEIGHT, 1), dtype=np.uint8), picture])  # each row begins with its filter: none
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 3, 0, 0, 0)
    body = zlib.compress(rows.tobytes(), 9)
    chunks = (b"IHDR", header), (b"PLTE", _PALETTE), (b"IDAT", body), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
