"""Which charts a device gets, by what is read of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from telemetry.readings import MT3620_LIMIT

# Legible on a light and on a dark ground.
BLUE, GREEN, ORANGE, RED, GREY = "#4a8fd6", "#2c9f78", "#db7f2a", "#d5483f", "#7b8796"
_COLOURS = (BLUE, ORANGE, GREEN, "#9a6dd7", "#c25b93", "#5aa7b0", "#a98a3a", GREY)
_MOST_HEAPS = 6
_MOST_LINES = len(_COLOURS)

OWN_HEAP = "App + Static Libraries"
"""What an Azure Sphere device calls the heap that is not a shared library's."""

Source = tuple[str, tuple[str, ...]]
"""A series of a device: kind and names."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line: a field of a series, or of several the sum."""

    label: str
    sources: tuple[Source, ...]
    field: str
    colour: str


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

    @property
    def sources(self) -> list[Source]:
        """The series drawn, each once."""
        return list(dict.fromkeys(source for line in self.lines for source in line.sources))

    @property
    def adds_up(self) -> bool:
        """Whether a line is a sum: its newest point takes all of its series."""
        return any(len(line.sources) > 1 for line in self.lines)


@dataclass(frozen=True, slots=True)
class Seen:
    """A series with its last values, as far as charts care."""

    kind: str
    names: tuple[str, ...]
    last: Mapping[str, Any]

    @property
    def source(self) -> Source:
        """Which it is."""
        return self.kind, self.names


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
        panels += _tracked_panels(libraries)
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
        Line("total", (one.source,), "total", BLUE),
        Line("user", (one.source,), "user_mode", GREEN),
        Line("peak", (one.source,), "peak_user_mode", ORANGE),
    )
    label = f"limit {limit / 1024:.0f} KiB"
    return Panel("Application memory", lines, "KiB", limit, label, "peak_user_mode", wide=True)


def _tracked_panels(libraries: Sequence[Seen]) -> list[Panel]:
    """Of an application with heap tracking: all heap and the shared libraries' part of it, then each by its name."""
    if not libraries:
        return []
    every = tuple(sorted(one.source for one in libraries))
    shared = tuple(source for source in every if source[1] != (OWN_HEAP,))
    lines = [Line("total heap", every, "used", BLUE)]
    lines += [Line("shared library heap", shared, "used", ORANGE)] if shared else []
    each = _one_line_each("Heap taken by the application and its libraries", libraries, "used", "KiB")
    return [Panel("Heap memory", tuple(lines), wide=True), *each]


def _heap_panel(one: Seen, *, alone: bool) -> Panel:
    colours = {"used": BLUE, "free": GREEN, "largest_free": ORANGE, "min_free": GREY}
    labels = {"used": "used", "free": "free", "largest_free": "largest free block", "min_free": "least free ever"}
    lines = [Line(labels[f], (one.source,), f, colours[f]) for f in colours if f in one.last]
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
        Line(" · ".join(name for name in one.names if name), (one.source,), field, colour)
        for one, colour in zip(shown, _COLOURS, strict=False)
    ]
    return [Panel(title + (f" (and {rest} more)" if rest > 0 else ""), tuple(lines), unit)]


def _stack_room(one: Seen) -> float:
    size = _number(one.last.get("size"))
    return _number(one.last.get("min_free")) / size if size else 1.0


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0
