"""Draw what a heap did over a trace, as PNG or SVG: used, free and largest free block in bytes against operations."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal, NamedTuple

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
"""Lines across, at most; the operations below get twice as many marks."""
_ZOOM = 2

Colour = tuple[int, int, int]


class Label(NamedTuple):
    """A text; it begins, has its middle or ends at column `x`, its middle is at row `y`."""

    colour: Colour
    x: int
    y: int
    text: str
    anchor: Literal["start", "middle", "end"] = "start"


@dataclass(frozen=True, slots=True)
class Chart:
    """What to draw: operations `at` which the `curves` (name -> bytes) were taken, and which operations failed."""

    title: str
    operations: int
    at: NDArray[np.int64]
    curves: dict[str, NDArray[np.uint32]]
    failed: NDArray[np.int64]

    @property
    def step(self) -> int:
        """Bytes from one line across to the next: a power of two."""
        step = 1
        while step * _STEPS < self._highest:
            step *= 2
        return step

    @property
    def top(self) -> int:
        """Bytes at the upper edge: the highest value, rounded up to a whole step."""
        return -(-max(self._highest, 1) // self.step) * self.step

    @property
    def _highest(self) -> int:
        return max((int(column.max(initial=0)) for column in self.curves.values()), default=0)

    def levels(self) -> dict[int, int]:
        """The sizes at the left, with their pixel rows."""
        sizes = np.arange(0, self.top + 1, self.step)
        return dict(zip(sizes.tolist(), self.y(sizes).tolist(), strict=True))

    def marks(self) -> dict[int, int]:
        """The operations below, 1, 2 or 5 times a power of ten apart, with their pixel columns."""
        steps = (lead * 10**power for power in range(10) for lead in (1, 2, 5))
        step = next(step for step in steps if step * 2 * _STEPS >= self.operations)
        operations = np.arange(0, max(self.operations, 1), step)
        return dict(zip(operations.tolist(), self.x(operations).tolist(), strict=True))

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

    def labels(self) -> list[Label]:
        """Title, legend, sizes at the left, operations below."""
        labels = [Label(_INK, _LEFT, 16, self.title)]
        for index, name in enumerate(self.curves):
            labels.append(Label(_COLOURS[index], _LEFT + 180 * index, 36, name))
        labels.append(Label(_FAILED, _LEFT + 180 * len(self.curves), 36, f"{len(self.failed)} failed"))
        labels += [Label(_INK, _LEFT - 8, row, size_text(size), "end") for size, row in self.levels().items()]
        labels += [Label(_INK, column, 446, str(at), "middle") for at, column in self.marks().items()]
        return [*labels, Label(_INK, (_LEFT + _RIGHT) // 2, 466, "operations", "middle")]


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
    parts += [f'<path d="M{_LEFT} {y}H{_RIGHT}" stroke="{_hex(_GRID)}"/>' for y in chart.levels().values()]
    parts += [
        f'<path d="M{x} {_BOTTOM}v-8" stroke="{_hex(_FAILED)}"/>' for x in np.unique(chart.x(chart.failed)).tolist()
    ]
    for colour, columns, rows in chart.lines():
        points = " ".join(f"{x},{y}" for x, y in zip(columns.tolist(), rows.tolist(), strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{_hex(colour)}" stroke-width="1.5"/>')
    for colour, x, y, text, anchor in chart.labels():
        place = f'x="{x}" y="{y + 4}" text-anchor="{anchor}"'
        parts.append(f'<text {place} fill="{_hex(colour)}">{escape(text)}</text>')
    return "\n".join([*parts, "</svg>", ""]).encode()


def png(chart: Chart) -> bytes:
    """The chart as a PNG picture."""
    canvas = np.full((_HEIGHT, _WIDTH, 3), _PAPER, dtype=np.uint8)
    canvas[[_TOP, *chart.levels().values()], _LEFT : _RIGHT + 1] = _GRID
    canvas[_TOP : _BOTTOM + 1, [_LEFT, _RIGHT]] = _GRID
    canvas[_BOTTOM - 8 : _BOTTOM, np.unique(chart.x(chart.failed))] = _FAILED
    for colour, columns, rows in chart.lines():
        _draw_line(canvas, colour, columns, rows)
    for label in chart.labels():
        _write(canvas, label)
    return _png_file(canvas)


def _write(canvas: NDArray[np.uint8], label: Label) -> None:
    dots = font.dots(label.text).repeat(_ZOOM, axis=0).repeat(_ZOOM, axis=1)
    left = label.x - {"start": 0, "middle": dots.shape[1] // 2, "end": dots.shape[1]}[label.anchor]
    dots = dots[:, : _WIDTH - left]
    top = label.y - len(dots) // 2
    canvas[top : top + len(dots), left : left + dots.shape[1]][dots] = label.colour


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
