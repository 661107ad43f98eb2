"""A chart on the screen that goes on by itself: built once, then only new points are sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape

from nicegui import ui

from collector.series.rows import Points
from collector.web.page import charts, text
from collector.web.page.charts import Pair
from collector.web.page.panels import ORANGE, Line, Panel, Source
from collector.web.page.parts import markup

MOST_ADDED = 600
"""A page that stays open for days on a fast device must not collect points for ever."""


class LiveChart:
    """One panel as one browser sees it."""

    def __init__(self, panel: Panel, columns: Mapping[Source, Points], between: tuple[int, int]) -> None:
        self.panel = panel
        self._ends: dict[Source, tuple[int, int]] = {}  # (time, boot) of the last point drawn
        self._peak: int | None = None
        self._added = 0
        with ui.element("section").classes("card" + (" wide" if panel.wide else "")):
            markup(escape(panel.title), "h2")
            self._legend = markup("", "ul").classes("legend").props("role=list")
            self._chart = ui.echart(self._options(columns, between)).classes("chart").props("role=img")
            self._chart.props["aria-label"] = f"{panel.title} over time; the newest values stand above"

    @property
    def sources(self) -> list[Source]:
        """The series drawn, each once."""
        return self.panel.sources

    def end_of(self, source: Source, default: int) -> int:
        """Time of the last point drawn of a series."""
        return self._ends.get(source, (default, 0))[0]

    def redraw(self, columns: Mapping[Source, Points], between: tuple[int, int]) -> None:
        """Draw a range anew."""
        self._chart.options.clear()
        self._chart.options.update(self._options(columns, between))
        self._chart.update()

    def name_values(self, last: Mapping[Source, Mapping[str, object]]) -> None:
        """Write the newest values beside the lines' names: legend, and text for those who cannot see the chart."""
        items = []
        for line in self.panel.lines:
            known = [last.get(source, {}).get(line.field) for source in line.sources]
            sizes = [value for value in known if isinstance(value, int)]
            number = text.size(sum(sizes), self.panel.unit) if sizes else "–"
            items.append(f'<li><i style="background:{line.colour}"></i>{escape(line.label)}<b>{number}</b></li>')
        if self.panel.peak_field:
            items.append(f'<li><i class="peak" style="border-bottom-color:{ORANGE}"></i>new peak</li>')
        self._legend.content = "".join(items)

    def append(self, columns: Mapping[Source, Points], between: tuple[int, int]) -> bool:
        """Send what is new and let the range slide.

        False when the panel has to be drawn anew: after a reboot, when so much was added that it wants thinning, when a
        line is a sum.
        """
        fresh = {source: points for source, points in columns.items() if points.t}
        if not fresh:
            return True
        if self.panel.adds_up:
            return False
        if any(self._ends.get(source, (0, points.boot[0]))[1] != points.boot[-1] for source, points in fresh.items()):
            return False
        self._added += max(len(points.t) for points in fresh.values())
        if self._added > MOST_ADDED:
            return False
        additions = self._data(fresh)
        call = f"memfleetAppend({self._chart.id}, {json.dumps(additions)}, {between[0]}, {between[1]})"
        self._chart.client.run_javascript(call)
        return True

    def _options(self, columns: Mapping[Source, Points], between: tuple[int, int]) -> dict[str, object]:
        self._ends.clear()
        self._added = 0
        self._peak = None
        first = columns.get(self.sources[0])
        boots = charts.boot_marks(first.t, first.boot) if first else []
        return charts.chart_options(self.panel, self._data(columns), boots, between)

    def _data(self, columns: Mapping[Source, Points]) -> list[list[Pair]]:
        """Points by line, with those of the triangles last; remembers where they end."""
        drawn = [self._line(columns, line) for line in self.panel.lines]
        if self.panel.peak_field:
            drawn.append(self._triangles(columns))
        self._ends |= {source: (points.t[-1], points.boot[-1]) for source, points in columns.items() if points.t}
        return drawn

    def _line(self, columns: Mapping[Source, Points], line: Line) -> list[Pair]:
        known = [columns[source] for source in line.sources if source in columns]
        points = known[0] if len(line.sources) == 1 and known else charts.summed(known, line.field)
        values = points.values.get(line.field)
        if not values:
            return []
        pause = charts.longest_pause(points.t, points.total, len(points.values))
        return charts.pairs(points.t, points.boot, values, self.panel.unit, pause)

    def _triangles(self, columns: Mapping[Source, Points]) -> list[Pair]:
        points = columns.get(self.sources[0])
        if not points or not points.t:
            return []
        peaks = points.values.get(self.panel.peak_field) or [None] * len(points.t)
        found = charts.new_peaks(points.t, points.boot, peaks, self._peak)
        self._peak = next((peak for peak in reversed(peaks) if isinstance(peak, int)), self._peak)
        return [[points.t[index], charts.scaled(peaks[index], self.panel.unit)] for index in found]
