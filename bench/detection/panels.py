"""Charts of drawn devices as SVG: a line a boot, and a mark where the judge told. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from detection.drawing import DAY, HOUR, Array, Boot, Drawn

WIDTH, HEIGHT, EDGE = 360, 170, 34
_LEFT, _RIGHT, _TOP, _BOTTOM = EDGE, WIDTH - 14, 24, HEIGHT - 24
_MOST_POINTS, _MOST_LABELS = 400, 6
_LABEL_NEEDS = 40
"""Pixels to the left of a mark, for its word to stand there."""


@dataclass(frozen=True, slots=True)
class Scale:
    """What the two axes of a chart stand for: seconds and bytes at their ends. `columns` of a boot are drawn, and where
    these are several they are named by a legend."""

    lasts_s: float
    top: float
    columns: Mapping[str, str]

    def x(self, seconds: float) -> float:
        """Where that moment is drawn."""
        return _LEFT + seconds / self.lasts_s * (_RIGHT - _LEFT)

    def y(self, value: float) -> float:
        """Where so many bytes are drawn."""
        return _BOTTOM - value / self.top * (_BOTTOM - _TOP)


def page(panels: Sequence[str]) -> str:
    """Charts side by side, as an SVG file."""
    size = f'width="{len(panels) * WIDTH}" height="{HEIGHT}" viewBox="0 0 {len(panels) * WIDTH} {HEIGHT}"'
    placed = [f'<g transform="translate({place * WIDTH},0)">{text}</g>' for place, text in enumerate(panels)]
    ground = '<rect width="100%" height="100%" class="ground"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{_STYLE}{ground}{"".join(placed)}</svg>\n'


def panel(title: str, devices: Sequence[Drawn], scale: Scale, told_s: float | None) -> str:
    """One chart. Of several devices the last is meant; the others are drawn in grey behind it."""
    parts = [f'<text x="{_LEFT}" y="16" class="title">{title}</text>', *_frame(scale), _legend(scale.columns)]
    for device in devices[:-1]:
        parts += [_line(boot, column, scale, "other") for boot in device.boots for column in scale.columns]
    parts += [_line(boot, column, scale, column) for boot in devices[-1].boots for column in scale.columns]
    return "".join([*parts, "" if told_s is None else _mark(scale.x(told_s))])


def _frame(scale: Scale) -> list[str]:
    parts = [f'<rect x="{_LEFT}" y="{_TOP}" width="{_RIGHT - _LEFT}" height="{_BOTTOM - _TOP}" class="frame"/>']
    parts.append(f'<text x="{_LEFT - 4}" y="16" class="left">KiB</text>')
    for value in (0, scale.top / 2, scale.top):
        parts.append(f'<text x="{_LEFT - 4}" y="{scale.y(value) + 4:.0f}" class="left">{value / 1024:.0f}</text>')
    unit, unit_s = ("h", HOUR) if scale.lasts_s <= 2 * DAY else ("d", DAY)
    last = round(scale.lasts_s / unit_s)
    step = next(step for step in (1, 2, 4, 6, 12) if last <= step * _MOST_LABELS)
    for number in range(0, last + 1, step):
        parts.append(f'<text x="{scale.x(number * unit_s):.0f}" y="{HEIGHT - 10}" class="below">{number} {unit}</text>')
    return parts


def _legend(columns: Mapping[str, str]) -> str:
    if len(columns) < 2:
        return ""
    words = " &#160; ".join(f'<tspan class="{column}">{words}</tspan>' for column, words in columns.items())
    return f'<text x="{_RIGHT}" y="16" class="left">{words}</text>'


def _mark(x: float) -> str:
    place, side = (x - 4, "left") if x - _LEFT > _LABEL_NEEDS else (x + 4, "right")
    line = f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_BOTTOM}" class="told"/>'
    return f'{line}<text x="{place:.1f}" y="{_TOP + 12}" class="told {side}">told</text>'


def _line(boot: Boot, column: str, scale: Scale, name: str) -> str:
    """The least and the highest of the values that share a place, so that no peak is lost; one value is a dot."""
    values: Array | None = getattr(boot, column)
    if values is None or not len(values):
        return ""
    step = max(1, len(values) // _MOST_POINTS)
    firsts = np.arange(0, len(values), step)
    lasts = np.minimum(firsts + step, len(values)) - 1
    times = boot.times[np.stack([firsts, lasts], axis=1).ravel()]
    ends = np.stack([np.minimum.reduceat(values, firsts), np.maximum.reduceat(values, firsts)], axis=1).ravel()
    places = [
        f"{scale.x(time):.1f},{scale.y(value):.1f}" for time, value in zip(times.tolist(), ends.tolist(), strict=True)
    ]
    places = list(dict.fromkeys(places)) if len(places) > 2 else places
    return f'<polyline points="{" ".join(places)}" class="{name}"/>'


_STYLE = """<style>text{font:11px sans-serif;fill:#444}.title{font-weight:bold}.left{text-anchor:end}
.below{text-anchor:middle}.ground{fill:#fff}.frame{fill:#fff;stroke:#ccc}
polyline{fill:none;stroke:#2563a8;stroke-width:1;stroke-linecap:round}tspan{fill:#2563a8}
polyline.other{stroke:#b8bec6}polyline.largest{stroke:#c77700}tspan.largest{fill:#c77700}
line.told{stroke:#c01c28;stroke-width:1.5}text.told{fill:#c01c28}</style>"""
