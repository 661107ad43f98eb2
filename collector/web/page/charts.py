"""Which charts a device gets, and their data. Pure: columns of points in, options for the chart element out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

from telemetry.readings import MT3620_LIMIT

Pair = list[float | int | None]  # [time ms, value]

# Legible on a light and on a dark ground.
BLUE, GREEN, ORANGE, RED, GREY = "#4a8fd6", "#2c9f78", "#db7f2a", "#d5483f", "#7b8796"
_COLOURS = (BLUE, ORANGE, GREEN, "#9a6dd7", "#c25b93", "#5aa7b0", "#a98a3a", GREY)
_MOST_HEAPS = 6
_MOST_LINES = len(_COLOURS)
_PAUSE = 5  # usual intervals without a reading that are drawn as a gap


@dataclass(frozen=True, slots=True)
class Line:
    """One line: a field of a series."""

    label: str
    kind: str
    names: tuple[str, ...]
    field: str
    colour: str

    @property
    def source(self) -> tuple[str, tuple[str, ...]]:
        """The series that the line is drawn from."""
        return self.kind, self.names


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart. `limit` (bytes) is drawn across it; each new peak of `peak_field` gets a triangle."""

    title: str
    lines: tuple[Line, ...]
    unit: str = "KiB"
    limit: int | None = None
    limit_label: str = ""
    peak_field: str = ""
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """A series with its last values, as far as charts care."""

    kind: str
    names: tuple[str, ...]
    last: Mapping[str, Any]


def panels_of(series: Sequence[Seen], limits: Mapping[str, int]) -> list[Panel]:
    """The charts of a device, most telling first."""
    of_kind: dict[str, list[Seen]] = {}
    for one in series:
        of_kind.setdefault(one.kind, []).append(one)
    panels = [_process_panel(one, limits) for one in of_kind.get("process", [])]
    heaps = sorted(of_kind.get("heap", []), key=lambda one: -_number(one.last.get("size")))
    if panels:  # an Azure Sphere application tells of each library what it has taken, and nothing else
        libraries = [one for one in heaps if "size" not in one.last and "free" not in one.last]
        heaps = [one for one in heaps if one not in libraries]
        panels += _one_line_each("Heap taken by the application and its libraries", libraries, "used", "KiB")
    panels += [_heap_panel(one, alone=len(heaps) == 1 and not panels) for one in heaps[:_MOST_HEAPS]]
    tasks = sorted(of_kind.get("task", []), key=lambda one: -_number(one.last.get("current")))
    stacks = sorted(of_kind.get("stack", []), key=_stack_room)
    pools = sorted(of_kind.get("pool", []), key=lambda one: -_number(one.last.get("used")))
    panels += _one_line_each("Memory held by tasks", tasks, "current", "KiB")
    panels += _one_line_each("Stack never used yet", stacks, "min_free", "bytes")
    panels += _one_line_each("Pools", pools, "used", "KiB")
    return panels


def _process_panel(one: Seen, limits: Mapping[str, int]) -> Panel:
    limit = limits.get("user_mode") or _number(one.last.get("quota")) or MT3620_LIMIT
    lines = (
        Line("total", one.kind, one.names, "total", BLUE),
        Line("user", one.kind, one.names, "user_mode", GREEN),
        Line("peak", one.kind, one.names, "peak_user_mode", ORANGE),
    )
    label = f"limit {limit / 1024:.0f} KiB"
    return Panel("Application memory", lines, "KiB", limit, label, "peak_user_mode", wide=True)


def _heap_panel(one: Seen, *, alone: bool) -> Panel:
    colours = {"used": BLUE, "free": GREEN, "largest_free": ORANGE, "min_free": GREY}
    labels = {"used": "used", "free": "free", "largest_free": "largest free block", "min_free": "least free ever"}
    lines = [Line(labels[f], one.kind, one.names, f, colours[f]) for f in colours if f in one.last]
    threshold = one.last.get("threshold")
    limit = threshold if isinstance(threshold, int) else None
    size = one.last.get("size")
    title = f"Heap {' '.join(one.names)}" + (f", {size / 1024:,.0f} KiB" if isinstance(size, int) else "")
    label = f"threshold {limit / 1024:.0f} KiB" if limit else ""
    return Panel(title, tuple(lines), "KiB", limit, label, wide=alone)


def _one_line_each(title: str, series: Sequence[Seen], field: str, unit: str) -> list[Panel]:
    shown = [one for one in series if field in one.last][:_MOST_LINES]
    if not shown:
        return []
    rest = len(series) - len(shown)
    lines = [
        Line(" · ".join(name for name in one.names if name), one.kind, one.names, field, colour)
        for one, colour in zip(shown, _COLOURS, strict=False)
    ]
    return [Panel(title + (f" (and {rest} more)" if rest > 0 else ""), tuple(lines), unit)]


def _stack_room(one: Seen) -> float:
    size = _number(one.last.get("size"))
    return _number(one.last.get("min_free")) / size if size else 1.0


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


# -- data --------------------------------------------------------------------------------------------------------------


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
        "grid": {"left": 8, "right": 14, "top": 18, "bottom": 4, "containLabel": True},
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
        "dataZoom": [{"type": "inside", "zoomOnMouseWheel": "ctrl", "filterMode": "none"}],
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
