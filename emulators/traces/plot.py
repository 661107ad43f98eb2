"""Draw what a heap did over a trace, as PNG or SVG: used, free and largest free block in bytes against operations."""

from __future__ import annotations

import io
from dataclasses import dataclass
from html import escape
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from emulators.traces.history import History, thinned

_WIDTH, _HEIGHT = 1000, 480
_LEFT, _RIGHT, _TOP, _BOTTOM = 100, 970, 50, 430
_INK, _GRID, _PAPER = "#3c3c3c", "#e1e1e1", "#ffffff"
_COLOURS = ("#cc4e28", "#2e7d50", "#3462b2")
_FAILED = "#c8005a"
_LETTERS = 13
_STEPS = 5
"""Lines across, at most; the operations below get twice as many marks."""
_ANCHORS = {"start": "lm", "middle": "mm", "end": "rm"}


class Label(NamedTuple):
    """A text; it begins, has its middle or ends at column `x`, its middle is at row `y`."""

    colour: str
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

    def lines(self) -> list[tuple[str, NDArray[np.int64], NDArray[np.int64]]]:
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
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="{_LETTERS}">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="{_PAPER}"/>',
        f'<rect x="{_LEFT}" y="{_TOP}" width="{_RIGHT - _LEFT}" height="{_BOTTOM - _TOP}" fill="none" '
        f'stroke="{_GRID}"/>',
    ]
    parts += [f'<path d="M{_LEFT} {y}H{_RIGHT}" stroke="{_GRID}"/>' for y in chart.levels().values()]
    parts += [f'<path d="M{x} {_BOTTOM}v-8" stroke="{_FAILED}"/>' for x in np.unique(chart.x(chart.failed)).tolist()]
    for colour, columns, rows in chart.lines():
        points = " ".join(f"{x},{y}" for x, y in zip(columns.tolist(), rows.tolist(), strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
    for colour, x, y, text, anchor in chart.labels():
        place = f'x="{x}" y="{y + 4}" text-anchor="{anchor}"'
        parts.append(f'<text {place} fill="{colour}">{escape(text)}</text>')
    return "\n".join([*parts, "</svg>", ""]).encode()


def png(chart: Chart) -> bytes:
    """The chart as a PNG picture."""
    picture = Image.new("RGB", (_WIDTH, _HEIGHT), _PAPER)
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(_LETTERS)
    pen.rectangle((_LEFT, _TOP, _RIGHT, _BOTTOM), outline=_GRID)
    for y in chart.levels().values():
        pen.line((_LEFT, y, _RIGHT, y), fill=_GRID)
    for x in np.unique(chart.x(chart.failed)).tolist():
        pen.line((x, _BOTTOM - 8, x, _BOTTOM), fill=_FAILED)
    for colour, columns, rows in chart.lines():
        pen.line(np.column_stack((columns, rows)).ravel().tolist(), fill=colour, width=2)
    for colour, x, y, text, anchor in chart.labels():
        pen.text((x, y), text, fill=colour, font=font, anchor=_ANCHORS[anchor])
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()
