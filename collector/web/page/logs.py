"""The log viewer: what devices said and what happened to them, searched; or everything around one moment."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import Any

from fastapi import Request
from nicegui import ui

from collector.series.lines import LEVELS, Asked, lines
from collector.web.fleet import Fleet
from collector.web.page.frame import PATIENCE_S, fill, frame
from collector.web.page.parts import FIND_MOST, choice, field, keep_address, markup, moment, number_in
from collector.web.page.said import lines_html
from collector.web.services import Services
from telemetry.clock import monotonic_ms
from telemetry.errors import EnvironmentFault

_MINUTE_MS = 60_000
_WITHIN = {"5": "5 minutes", "60": "1 hour", "1440": "24 hours", "10080": "7 days"}
_AROUND, _BACK = "5", "1440"
_LEVELS = {"": "all levels", "error": "errors", "warning": "warnings and worse", "info": "all but debug"}
_MOST_LINES = 500
_SHARE = 10  # a search that goes on by itself may cost a tenth of the time


@dataclass(frozen=True, slots=True)
class Search:
    """What somebody looks for. `at_ms` 0: now; `within` is minutes: back from now, or to either side of a moment."""

    text: str
    device: str
    level: str
    at_ms: int
    within: str

    def asked(self, now_ms: int) -> Asked:
        """The question to the series."""
        reach_ms = int(self.within) * _MINUTE_MS
        start, end = (self.at_ms - reach_ms, self.at_ms + reach_ms) if self.at_ms else (now_ms - reach_ms, now_ms)
        return Asked(start, end, self.device or None, self.level, self.text, _MOST_LINES)


def register(services: Services) -> None:
    """Serve the view at /logs."""

    @ui.page("/logs", title="Logs · memfleet", response_timeout=PATIENCE_S)
    async def logs_page(
        request: Request, find: str = "", device: str = "", level: str = "", at: str = "", within: str = ""
    ) -> None:
        fleet = Fleet()
        with contextlib.suppress(EnvironmentFault):
            fleet = await services.fleet.look()
        at_ms = min(number_in(at), services.now_ms())
        known = within if within in _WITHIN else _AROUND if at_ms else _BACK
        search = Search(find[:FIND_MOST], device[:FIND_MOST], level if level in LEVELS else "", at_ms, known)
        with frame(services, request, "/logs", fleet):
            view = LogView(services, search)
            await fill(view.refresh)
        ui.timer(2.0, view.follow)


class LogView:
    """The viewer as one browser sees it."""

    def __init__(self, services: Services, search: Search) -> None:
        self._services = services
        self._search = search
        self._next_ms: int | None = None
        markup("Logs", "h1")
        with ui.element("div").classes("tools"):
            field("Find lines", "Find words …", search.text, lambda text: self._change(text=text))
            field("Device", "Device (its whole name)", search.device, lambda name: self._change(device=name.strip()))
            choice("Level", _LEVELS.items(), search.level, lambda level: self._change(level=level))
            markup("within", "span").classes("quiet")
            choice("Within", _WITHIN.items(), search.within, lambda within: self._change(within=within))
            markup("of", "span").classes("quiet")
            moment("Moment, empty: now", search.at_ms, lambda at_ms: self._change(at_ms=at_ms))
        with ui.element("section").classes("card").props('aria-label="Lines"'):
            self._count = markup("", "p").classes("quiet").props("role=status")
            self._lines = markup("").classes("log whole").props("role=log tabindex=0")

    async def _change(self, **changes: Any) -> None:
        now = self._search = replace(self._search, **changes)
        keep_address(find=now.text, device=now.device, level=now.level, at=now.at_ms, within=now.within)
        await self.refresh()

    async def follow(self) -> None:
        """Look for the first time; and again where what is shown ends now, if the last look was not a long one."""
        if self._next_ms is None or (not self._search.at_ms and monotonic_ms() >= self._next_ms):
            await self.refresh()

    async def refresh(self) -> None:
        """Show what is found: around a moment in the order of time, up to now the newest first."""
        search, begun_ms = self._search, monotonic_ms()
        with contextlib.suppress(EnvironmentFault):
            found = await self._services.slow_series.ask(lines, search.asked(self._services.now_ms()))
            self._next_ms = monotonic_ms() + _SHARE * (monotonic_ms() - begun_ms)
            if search is not self._search:
                return  # somebody typed on while we looked
            ordered = found if search.at_ms else found[::-1]
            self._count.content = count_words(len(found))
            self._lines.content = lines_html(ordered, name_device=not search.device, marked_ms=search.at_ms)


def count_words(found: int) -> str:
    """How many lines there are."""
    if found >= _MOST_LINES:
        return f"The newest {_MOST_LINES} lines; there are more: narrow the search."
    return f"{found:,} line{'' if found == 1 else 's'}"
