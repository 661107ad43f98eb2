"""The device view: what it is, what is wrong, how its memory went, what it said."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from html import escape
from urllib.parse import urlencode

from fastapi import Request
from nicegui import ui

from collector.series import reader
from collector.series.lines import Asked, lines
from collector.series.rows import DeviceRow, Points, SeriesRow
from collector.series.runs import runs
from collector.web.files import ReadOnlyFile
from collector.web.fleet import Fleet
from collector.web.page import text
from collector.web.page.agents import holes_html, holes_of
from collector.web.page.alerts import AlertList
from collector.web.page.charts import summed
from collector.web.page.fleet import memory_html
from collector.web.page.frame import PATIENCE_S, frame
from collector.web.page.live_chart import LiveChart
from collector.web.page.panels import Line, Panel, Seen, Source, panels_of
from collector.web.page.parts import markup, number_in
from collector.web.page.said import lines_html
from collector.web.page.samples import MOST, Sample, SampleTable, samples_of
from collector.web.page.timeline import timeline_html
from collector.web.page.window import WindowTools, window_of
from collector.web.services import Services
from telemetry.errors import EnvironmentFault
from telemetry.readings import labels_of

_MINUTE = 60_000
_SHORTEST = 2 * _MINUTE
_POINTS = 600
_LONG = 24 * 60 * _MINUTE
_RUNS_STEPS = 500  # the time line slides by a few pixels at a time: of a long one, many readings are behind it
_PROFILED: Source = ("process", ())
_HOLES = 20
_LOG_LINES = 50
_LOG_SPAN = 7 * 86_400_000
_NOTHING_SAID = "Nothing in the last seven days. Agents forward events, warnings and worse."
_ZOOMED = "event => emit(event.detail)"


def register(services: Services) -> None:
    """Serve the view at /device/NAME."""

    @ui.page("/device/{name}", response_timeout=PATIENCE_S)
    async def device_page(request: Request, name: str, start: str = "", end: str = "") -> None:
        ui.page_title(f"{name} · memfleet")
        row, fleet = None, Fleet()
        with contextlib.suppress(EnvironmentFault):  # no series yet: no device either
            fleet = await services.fleet.look()
            row = await services.fleet.device(name)
        with frame(services, request, "", fleet):
            if row is None:
                _unknown(services, name)
                return
            now_ms = services.now_ms()
            view = DeviceView(services, request, row, (min(number_in(start), now_ms), min(number_in(end), now_ms)))
            await view.draw()
        ui.timer(1.0, view.refresh)


def _unknown(services: Services, name: str) -> None:
    async def look_again() -> None:
        with contextlib.suppress(EnvironmentFault):
            if await services.fleet.device(name):
                ui.navigate.reload()

    words = (
        f"<h1>{escape(name[:80])}</h1><p>No device of that name has reported yet.</p>"
        '<p><a href="/">All devices</a> · <a href="/agents">All agents</a></p>'
    )
    markup(words).classes("card empty")
    ui.timer(2.0, look_again)


class DeviceView:
    """One device as one browser sees it."""

    def __init__(self, services: Services, request: Request, row: DeviceRow, span_ms: tuple[int, int]) -> None:
        self._services = services
        self._device = row.device
        self._limits = row.limits or {}
        self._first_ms = self._runs_at_ms = 0
        self._panels: list[Panel] = []
        self._charts: list[LiveChart] = []
        self._samples: SampleTable | None = None
        self._head = markup("").classes("title")
        self._facts = markup("", "dl").classes("facts card")
        with ui.element("section").classes("card").props('aria-label="Open alerts"'):
            markup("Open alerts", "h2")
            self._alerts = AlertList(services, request, name_device=False)
        now_ms = services.now_ms()
        self._tools = WindowTools(window_of(*span_ms, now_ms), services.now_ms, self._redraw)
        self._charted = ui.element("div").classes("zoomable")
        self._charted.on("zoomed", lambda event: self._tools.zoom_to(*map(int, event.args)), js_handler=_ZOOMED)
        with self._charted:
            self._runs = markup("").classes("runs").props('role=group aria-label="Boots"')
            self._place = ui.element("div").classes("charts")
        self._below = ui.element("div")
        with ui.element("section").classes("card").props('aria-label="Events and log lines"'):
            markup(f'Events and log lines <a class="aside" href="{_logs_address(row.device)}">Search</a>', "h2")
            self._log = markup("").classes("log").props("role=log tabindex=0")
        with ui.element("section").classes("card").props('aria-label="Holes"'):
            markup("Holes in the last 24 hours", "h2")
            self._holes = markup("").classes("samples")

    async def draw(self) -> None:
        """Draw everything for the first time."""
        await self._update_texts()
        series = await self._services.series.ask(reader.series_of, self._device)
        await self._lay_out(series)

    async def refresh(self) -> None:
        """Bring the view up to date; what has not changed is not sent."""
        try:
            await self._update_texts()
            series = await self._services.series.ask(reader.series_of, self._device)
            if self._titles(series) != [panel.title for panel in self._panels]:
                await self._lay_out(series)  # the device has begun to tell something new
            elif self._tools.window.end_ms is None:
                await self._append(series)
        except EnvironmentFault:
            return  # the banner says what is missing

    async def _update_texts(self) -> None:
        now_ms = self._services.now_ms()
        row = await self._services.fleet.device(self._device)
        if row is None:
            return
        self._head.content = f"<h1>{escape(row.device)}</h1>{text.state_html(row.state, row.note)}"
        self._facts.content = facts_html(row, now_ms)
        ask = self._services.series.ask
        self._alerts.show(await ask(reader.alerts, active_only=True, device=self._device, limit=50))
        said = await ask(lines, Asked(now_ms - _LOG_SPAN, now_ms, self._device, limit=_LOG_LINES))
        self._log.content = lines_html(said[::-1], _NOTHING_SAID)
        if now_ms - self._runs_at_ms > self._tools.window.length_ms // _RUNS_STEPS:
            await self._draw_runs()
        holes = await holes_of(self._services, self._device, _HOLES)
        self._holes.content = holes_html(holes, now_ms, name_device=False)

    async def _draw_runs(self) -> None:
        self._runs_at_ms = self._services.now_ms()
        window, between = self._tools.window, self._between()
        ask = self._file().ask
        events = await ask(reader.events, self._device, *between, MOST)
        found = await ask(runs, self._device, between)
        if window is self._tools.window:
            self._runs.content = timeline_html(found, events, between)

    def _titles(self, series: Sequence[SeriesRow]) -> list[str]:
        return [panel.title for panel in self._panels_of(series)]

    def _panels_of(self, series: Sequence[SeriesRow]) -> list[Panel]:
        return panels_of([Seen(one.kind, one.names, one.values) for one in series], self._limits)

    async def _lay_out(self, series: Sequence[SeriesRow]) -> None:
        self._panels = self._panels_of(series)
        columns = await self._whole_range(self._sources(self._panels))
        between = self._between()
        self._place.clear()
        with self._place:
            self._charts = [LiveChart(panel, columns, between) for panel in self._panels]
            if not self._panels:
                words = "No memory reading yet: of the device nothing but log lines, events or labels is known."
                markup(words, "p").classes("quiet")
        self._name_values(series)
        await self._lay_out_samples()

    async def _lay_out_samples(self) -> None:
        """The table of samples belongs to the profiler's chart."""
        self._below.clear()
        self._samples = None
        if any(_PROFILED in chart.sources for chart in self._charts):
            rows = await self._sampled()
            with self._below:
                self._samples = SampleTable(rows, [line.label.capitalize() for line in self._heap_lines()])

    async def _sampled(self) -> list[Sample]:
        start, end = self._start(), self._end()
        ask = self._file().ask
        points = await ask(reader.points, self._device, *_PROFILED, start, end, MOST)
        heaps = []
        for line in self._heap_lines():
            read = [await ask(reader.points, self._device, *source, start, end, MOST) for source in line.sources]
            heaps.append(summed(read, line.field))
        return samples_of(points, await ask(reader.events, self._device, start, end, MOST), heaps)

    def _heap_lines(self) -> Sequence[Line]:
        """The sums of tracked heaps that the profiler's table shows besides."""
        return [line for panel in self._panels if panel.adds_up for line in panel.lines]

    async def _redraw(self) -> None:
        window = self._tools.window
        await self._draw_runs()
        columns = await self._whole_range(self._sources(self._panels))
        if window is not self._tools.window:
            return  # somebody chose another while we looked
        between = self._between()
        for chart in self._charts:
            chart.redraw(columns, between)
        if self._samples:
            self._samples.show(await self._sampled())

    async def _append(self, series: Sequence[SeriesRow]) -> None:
        newest = {(one.kind, one.names): one.time_ms for one in series}
        between = self._between()
        for chart in self._charts:
            since = {source: chart.end_of(source, between[0]) for source in chart.sources}
            late = {source: since[source] + 1 for source in since if newest.get(source, 0) > since[source]}
            if late and not chart.append(await self._columns(list(late), late), between):
                start = dict.fromkeys(chart.sources, self._start())
                chart.redraw(await self._columns(chart.sources, start), between)
        self._name_values(series)
        if self._samples and self._samples.wants(newest.get(_PROFILED, 0)):
            self._samples.show(await self._sampled())

    def _name_values(self, series: Sequence[SeriesRow]) -> None:
        last = {(one.kind, one.names): one.values for one in series}
        for chart in self._charts:
            chart.name_values(last)

    async def _whole_range(self, sources: Sequence[Source]) -> dict[Source, Points]:
        """Everything drawn; a device that is new to us gets an axis that begins with it, not an empty hour before."""
        columns = await self._columns(sources, dict.fromkeys(sources, self._start()))
        self._first_ms = min((points.t[0] for points in columns.values() if points.t), default=0)
        return columns

    async def _columns(self, sources: Sequence[Source], since: Mapping[Source, int]) -> dict[Source, Points]:
        end = self._end()
        ask = self._file().ask
        return {
            (kind, names): await ask(reader.points, self._device, kind, names, since[kind, names], end, _POINTS)
            for kind, names in sources
        }

    @staticmethod
    def _sources(panels: Sequence[Panel]) -> list[Source]:
        return list(dict.fromkeys(source for panel in panels for source in panel.sources))

    def _file(self) -> ReadOnlyFile:
        """Whom to ask for readings: a long stretch must not hold up what everybody else looks at."""
        is_long = self._tools.window.length_ms > _LONG
        return self._services.slow_series if is_long else self._services.series

    def _start(self) -> int:
        return self._tools.window.between(self._services.now_ms())[0]

    def _end(self) -> int:
        """Where readings are asked for to: of a window that slides a little beyond now, as a device's clock may be."""
        window = self._tools.window
        return self._services.now_ms() + _MINUTE if window.end_ms is None else window.end_ms

    def _between(self) -> tuple[int, int]:
        """What the axes show; of a device that is new they begin with it."""
        window, now_ms = self._tools.window, self._services.now_ms()
        start, end = window.between(now_ms)
        return (max(start, min(self._first_ms, now_ms - _SHORTEST)) if window.end_ms is None else start), end


def _logs_address(device: str) -> str:
    return f"/logs?{urlencode({'device': device})}"


def facts_html(row: DeviceRow, now_ms: int) -> str:
    """What is known of the device, and how full it is."""
    labels = labels_of(row.texts or {})
    memory = f"<div style='min-width:14rem'><dt>Memory, KiB</dt><dd>{memory_html(row)}</dd></div>"
    return memory + text.facts_html(
        (
            ("Platform", text.platform_name(row.platform)),
            ("Board", row.board),
            ("Firmware", row.firmware),
            ("Agent", row.agent),
            ("Boot", str(row.boot)),
            ("Uptime", text.span(row.uptime_ms)),
            ("Last seen", text.ago(row.last_seen_ms, now_ms)),
            ("Labels", ", ".join(f"{name}={said}" for name, said in labels.items())),
        )
    )
