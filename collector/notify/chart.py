"""The chart of a message as a PNG: one line over time, from 0 bytes to a little above the most. Pure."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from PIL import Image, ImageDraw, ImageFont

from collector.judge.reasons import size

WIDTH, HEIGHT = 640, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 626, 28, 214
PAPER, GRID, TEXT, INK, LIMIT = "#ffffff", "#d2d6dc", "#55606e", "#1f61b4", "#b3261e"
_LETTERS = 12
_HEADROOM = 1.1
_LEVELS, _MOMENTS = 4, 5
_NEAR = 2
"""A limit above so many times the most is not drawn: it would press the line to the ground."""


def draw(title: str, times_ms: Sequence[int], values: Sequence[int | None], limit: int | None = None) -> bytes:
    """The chart of bytes (None: a gap) at increasing times, wall ms; `limit` in bytes is a line across."""
    most = max((value for value in values if value is not None), default=0) or 1
    if limit is not None and limit > _NEAR * most:
        limit = None
    top = _HEADROOM * max(most, limit or 0)
    span_ms = max(1, times_ms[-1] - times_ms[0])

    def x(time_ms: float) -> float:
        return _LEFT + (time_ms - times_ms[0]) / span_ms * (_RIGHT - _LEFT)

    def y(value: float) -> float:
        return _BOTTOM - value / top * (_BOTTOM - _TOP)

    picture = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(_LETTERS)
    pen.text((_LEFT, _TOP / 2), title, fill=TEXT, font=font, anchor="lm")
    for level in _levels(top):
        pen.line([(_LEFT, y(level)), (_RIGHT, y(level))], fill=GRID)
        pen.text((_LEFT - 6, y(level)), size(level), fill=TEXT, font=font, anchor="rm")
    for part in range(_MOMENTS):
        time_ms = times_ms[0] + part * span_ms / (_MOMENTS - 1)
        anchor = "lt" if part == 0 else "rt" if part == _MOMENTS - 1 else "mt"
        pen.text((x(time_ms), _BOTTOM + 6), _clock(time_ms, span_ms), fill=TEXT, font=font, anchor=anchor)
    if limit is not None:
        pen.line([(_LEFT, y(limit)), (_RIGHT, y(limit))], fill=LIMIT)
        pen.text((_LEFT + 4, y(limit) - 2), f"limit {size(limit)}", fill=LIMIT, font=font, anchor="lb")
    for first, *others in _stretches(times_ms, values):
        points = [(x(time_ms), y(value)) for time_ms, value in (first, *others)]
        pen.line([*points, (points[-1][0] + 1, points[-1][1])], fill=INK, width=2)
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def _levels(top: float) -> range:
    """Bytes of the lines across, so many at most: a power of two apart."""
    step = 1
    while step * _LEVELS < top:
        step *= 2
    return range(0, int(top) + 1, step)


def _stretches(times_ms: Sequence[int], values: Sequence[int | None]) -> Iterator[list[tuple[int, int]]]:
    """Times and values between the gaps."""
    stretch: list[tuple[int, int]] = []
    for time_ms, value in zip(times_ms, values, strict=True):
        if value is not None:
            stretch.append((time_ms, value))
        elif stretch:
            yield stretch
            stretch = []
    if stretch:
        yield stretch


def _clock(time_ms: float, span_ms: int) -> str:
    """A moment of a chart of so long, to the second where minutes would be told twice."""
    minutes_are_enough = span_ms >= (_MOMENTS - 1) * 60_000
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%H:%MZ" if minutes_are_enough else "%H:%M:%SZ")
