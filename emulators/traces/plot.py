"""Draw what a heap did over a trace, as PNG or SVG: used, free and largest free block in bytes against operations."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from emulators.traces import font
from emulators.traces.history import History, thinned

_WIDTH, _HEIGHT = 1000, 480
_LEFT, _RIGHT, _TOP, _BOTTOM = 100, 970, 50, 430
_INK, _GRID, _PAPER = (60, 60, 60), (225, 225, 225), (255, 255, 255)
_COLOURS = ((204, 78, 40), (46, 125, 80), (52, 98, 178))
_FAILED = (200, 0, 90)
_STEPS = 5
_ZOOM = 2

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Chart:
    """What to draw: operations `at` which the `curves` (name -> bytes) were taken, and which operations failed."""

    title: str
    operations: int
    at: NDArray[np.int64]
    curves: dict[str, NDArray[np.uint32]]
    failed: NDArray[np.int64]

    @property
    def top(self) -> int:
        """Bytes at the upper edge: the highest value, rounded up to a step that reads well."""
        highest = max((int(column.max(initial=0)) for column in self.curves.values()), default=0)
        step = 1
        while step * _STEPS < highest:
            step *= 2
        return -(-max(highest, 1) // step) * step

    def x(self, operations: NDArray[np.int64]) -> NDArray[np.int64]:
        """Pixel columns of operations."""
        return _LEFT + operations * (_RIGHT - _LEFT) // max(self.operations - 1, 1)

    def y(self, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Pixel rows of sizes in bytes."""
        return _BOTTOM - sizes * (_BOTTOM - _TOP) // self.top

    def lines(self) -> list[tuple[Colour, NDArray[np.int64], NDArray[np.int64]]]:
        """Each curve as colour, columns and rows."""
        columns = self.x(self.at)
        curves = zip(_COLOURS, self.curves.values(), strict=False)
        return [(colour, columns, self.y(sizes.astype(np.int64))) for colour, sizes in curves]

    def labels(self) -> list[tuple[Colour, int, int, str]]:
        """Each text as colour, column and middle row: title, legend, sizes at the left, operations below."""
        step = max(self.top // _STEPS, 1)
        labels = [(_INK, _LEFT, 16, self.title)]
        for index, name in enumerate(self.curves):
            labels.append((_COLOURS[index], _LEFT + 180 * index, 36, name))
        labels.append((_FAILED, _LEFT + 180 * len(self.curves), 36, f"{len(self.failed)} failed"))
        for size in range(0, self.top + 1, step):
            labels.append((_INK, 10, int(self.y(np.array([size]))[0]), size_text(size)))
        for part in range(_STEPS + 1):
            operation = (self.operations - 1) * part // _STEPS if self.operations else 0
            labels.append((_INK, int(self.x(np.array([operation]))[0]) - 30, 446, str(operation)))
        labels.append((_INK, (_LEFT + _RIGHT) // 2 - 60, 466, "operations"))
        return labels


def chart_of(title: str, seen: History) -> Chart:
    """The chart of a replay. Long traces keep the lowest and the highest value of each stretch."""
    curves = {"used": seen.used, "free": seen.free, "largest free": seen.largest}
    at, _ = thinned(seen.used, _RIGHT - _LEFT)
    thin = {name: thinned(column, _RIGHT - _LEFT)[1] for name, column in curves.items()}
    return Chart(title, len(seen.used), at, thin, seen.failed)


def size_text(size: int) -> str:
    """Bytes as people say them: 1.5 KiB."""
    for unit, bytes_ in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= bytes_:
            return f"{size / bytes_:.4g} {unit}"
    return f"{size} B"


def svg(chart: Chart) -> bytes:
    """The chart as an SVG document."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="13">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="{_hex(_PAPER)}"/>',
        f'<rect x="{_LEFT}" y="{_TOP}" width="{_RIGHT - _LEFT}" height="{_BOTTOM - _TOP}" fill="none" '
        f'stroke="{_hex(_GRID)}"/>',
    ]
    parts += [
        f'<path d="M{x} {_BOTTOM}v-8" stroke="{_hex(_FAILED)}"/>' for x in np.unique(chart.x(chart.failed)).tolist()
    ]
    for colour, columns, rows in chart.lines():
        points = " ".join(f"{x},{y}" for x, y in zip(columns.tolist(), rows.tolist(), strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{_hex(colour)}" stroke-width="1.5"/>')
    parts += [f'<text x="{x}" y="{y + 4}" fill="{_hex(c)}">{escape(text)}</text>' for c, x, y, text in chart.labels()]
    return "\n".join([*parts, "</svg>", ""]).encode()


def png(chart: Chart) -> bytes:
    """The chart as a PNG picture."""
    canvas = np.full((_HEIGHT, _WIDTH, 3), _PAPER, dtype=np.uint8)
    canvas[[_TOP, _BOTTOM], _LEFT : _RIGHT + 1] = _GRID
    canvas[_TOP : _BOTTOM + 1, [_LEFT, _RIGHT]] = _GRID
    canvas[_BOTTOM - 8 : _BOTTOM, np.unique(chart.x(chart.failed))] = _FAILED
    for colour, columns, rows in chart.lines():
        _draw_line(canvas, colour, columns, rows)
    for colour, column, row, text in chart.labels():
        dots = font.dots(text).repeat(_ZOOM, axis=0).repeat(_ZOOM, axis=1)[:, : _WIDTH - column]
        top = row - len(dots) // 2
        canvas[top : top + len(dots), column : column + dots.shape[1]][dots] = colour
    return _png_file(canvas)


def _draw_line(canvas: NDArray[np.uint8], colour: Colour, columns: NDArray[np.int64], rows: NDArray[np.int64]) -> None:
    """From point to point, each pixel column filled from the highest to the lowest row that the line has there."""
    ends = list(zip(columns.tolist(), rows.tolist(), strict=True))
    for (x0, y0), (x1, y1) in zip(ends, ends[1:] or ends, strict=False):
        span = max(x1 - x0, 1)
        for x in range(x0, x1 + 1):
            here, there = y0 + (y1 - y0) * (x - x0) // span, y0 + (y1 - y0) * min(x + 1 - x0, span) // span
            canvas[min(here, there) : max(here, there) + 2, x] = colour


def _png_file(canvas: NDArray[np.uint8]) -> bytes:
    height, width, _ = canvas.shape
    rows = np.zeros((height, width * 3 + 1), dtype=np.uint8)  # each row begins with its filter, none
    rows[:, 1:] = canvas.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _hex(colour: Sequence[int]) -> str:
    return "#" + bytes(colour).hex()
