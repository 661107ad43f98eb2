"""What a chart draws. Pure: columns of points in, data and options for the chart element out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from collector.series.rows import Points
from collector.web.page.panels import GREY, ORANGE, RED, Line, Panel

Pair = list[float | int | None]  # [time ms, value]

_PAUSE = 5  # usual intervals without a reading that are drawn as a gap


def scaled(value: Any, unit: str) -> float | None:
    """A field's value in the chart's unit."""
    if not isinstance(value, int):
        return None
    return round(value / 1024, 2) if unit == "KiB" else value


def longest_pause(times: Sequence[int], total: int, fields: int) -> float:
    """How far apart two neighbours may be before nothing is drawn between them; 0: as far as they like.

    Points that were thinned out of `total` are the extremes of each stretch of time, two a field: they lie unevenly,
    yet never further apart than two stretches.
    """
    if len(times) < 3:
        return 0
    if total > len(times):
        return 4 * max(1, fields) * (times[-1] - times[0]) / len(times)
    return _PAUSE * median(after - before for before, after in pairwise(times))


def pairs(times: Sequence[int], boots: Sequence[int], values: Sequence[Any], unit: str, pause: float) -> list[Pair]:
    """Points of a line; a reboot and a longer pause break it, so that nothing is drawn where nothing was read."""
    drawn: list[Pair] = []
    for index, (time, value) in enumerate(zip(times, values, strict=True)):
        if index and (boots[index] != boots[index - 1] or 0 < pause < time - times[index - 1]):
            drawn.append([times[index - 1] + 1, None])
        drawn.append([time, scaled(value, unit)])
    return drawn


def summed(columns: Sequence[Points], field: str) -> Points:
    """The sum of a field over several series, at each time at which one of them was read: the others as they were last
    read in that boot, 0 before."""
    readings = sorted(
        (time, boot, index, value)
        for index, points in enumerate(columns)
        for time, boot, value in zip(points.t, points.boot, points.values.get(field) or [], strict=False)
        if isinstance(value, int)
    )
    drawn: dict[int, tuple[int, int]] = {}
    last: dict[int, int] = {}
    current = None
    for time, boot, index, value in readings:
        if boot != current:
            last, current = {}, boot
        last[index] = value
        drawn[time] = boot, sum(last.values())
    boots = [boot for boot, _ in drawn.values()]
    total = max((points.total for points in columns), default=0)
    nothing = [0] * len(drawn)
    return Points("", (), list(drawn), boots, [*nothing], nothing, {field: [size for _, size in drawn.values()]}, total)


def new_peaks(times: Sequence[int], boots: Sequence[int], values: Sequence[Any], known: int | None = None) -> list[int]:
    """Indices at which the peak rises above what it was in the same boot. `known` is the peak before the first."""
    found = []
    highest = known
    for index, value in enumerate(values):
        if index and boots[index] != boots[index - 1]:
            highest = None
        if not isinstance(value, int):
            continue
        if highest is not None and value > highest:
            found.append(index)
        highest = value if highest is None else max(highest, value)
    return found


def boot_marks(times: Sequence[int], boots: Sequence[int]) -> list[tuple[int, int]]:
    """(time, boot) of each boot that begins inside the range."""
    return [(time, boot) for time, boot, before in zip(times[1:], boots[1:], boots[:-1], strict=True) if boot != before]


def chart_options(
    panel: Panel, data: Sequence[list[Pair]], boots: Iterable[tuple[int, int]], between: tuple[int, int]
) -> dict[str, Any]:
    """Options of the chart element: one data list a line, and one more for the triangles of a panel with peaks."""
    series = [
        _line_series(line, points) | {"z": 10 - index}  # where lines meet, the first named stays in sight
        for index, (line, points) in enumerate(zip(panel.lines, data, strict=False))
    ]
    if panel.peak_field:
        series.append(_peak_series(data[len(panel.lines)]))
    if series:
        series[0]["markLine"] = _marks(panel, boots)
    room = _room_above(scaled(panel.limit, panel.unit) or 0)
    return {
        "animation": False,
        "grid": {"left": 52, "right": 14, "top": 18, "bottom": 24},
        "tooltip": {
            "trigger": "axis",
            "confine": True,
            "backgroundColor": "var(--card)",
            "borderColor": "var(--line)",
            "textStyle": {"color": "var(--text)", "fontSize": 13},
            ":valueFormatter": f"value => value == null ? '–' : value.toLocaleString() + ' {panel.unit}'",
        },
        "xAxis": {
            "type": "time",
            "min": between[0],
            "max": between[1],
            "axisLabel": {"color": GREY, "hideOverlap": True},
            "axisLine": {"lineStyle": {"color": GREY}},
        },
        "yAxis": {
            "type": "value",
            "min": 0,
            ":max": f"range => range.max > {room} ? null : {room}" if room else "() => null",
            "axisLabel": {"color": GREY},
            "splitLine": {"lineStyle": {"color": "rgba(125,137,152,.2)"}},
        },
        "series": series,
    }


def _room_above(limit: float) -> float:
    """A round number above a limit, so that its line is in the picture whatever the readings are."""
    if limit <= 0:
        return 0
    magnitude = math.pow(10, math.floor(math.log10(limit)))
    step = next(part for part in (0.1, 0.2, 0.25, 0.5, 1) if limit / (part * magnitude) <= 10) * magnitude
    return math.ceil(limit * 1.05 / step) * step


def _line_series(line: Line, points: list[Pair]) -> dict[str, Any]:
    return {
        "name": line.label,
        "type": "line",
        "data": points,
        "showSymbol": False,
        "color": line.colour,
        "lineStyle": {"width": 2},
        "emphasis": {"disabled": True},
    }


def _peak_series(points: list[Pair]) -> dict[str, Any]:
    return {
        "name": "new peak",
        "type": "scatter",
        "data": points,
        "symbol": "triangle",
        "symbolSize": 9,
        "color": ORANGE,
        "z": 12,
    }


def _marks(panel: Panel, boots: Iterable[tuple[int, int]]) -> dict[str, Any]:
    boot_lines = [
        {
            "xAxis": time,
            "lineStyle": {"color": GREY, "type": "dotted"},
            "label": {"formatter": f"boot {boot}", "color": GREY, "position": "end"},
        }
        for time, boot in boots
    ]
    limit_line = {
        "yAxis": scaled(panel.limit, panel.unit),
        "lineStyle": {"color": RED, "type": "dashed", "width": 1.5},
        "label": {"formatter": panel.limit_label, "color": RED, "position": "insideEndTop"},
    }
    marks = [*boot_lines, limit_line] if panel.limit else boot_lines
    return {"symbol": "none", "silent": True, "animation": False, "data": marks}
