"""The silences in force, each with a button to end it."""

from __future__ import annotations

from html import escape

from fastapi import Request
from nicegui import ui

from collector.series import reader
from collector.web.page import text
from collector.web.page.frame import caller, may_act
from collector.web.page.parts import markup
from collector.web.services import Services
from telemetry.errors import EnvironmentFault

Silence = tuple[str, int, str]


class SilenceList:
    """The list as one browser sees it; not there while nothing is silenced."""

    def __init__(self, services: Services, request: Request) -> None:
        self._services = services
        self._may_act = may_act(request)
        self._caller = caller(request)
        self._shown: list[Silence] = []
        with ui.element("section").classes("card").props('aria-label="Silences"') as self._place:
            markup("Silenced", "h2")
            self._rows = ui.element("div")
        self._place.visible = False

    async def refresh(self) -> None:
        """Look again; EnvironmentFault while there are no series."""
        found = await self._services.series.ask(reader.silences, self._services.now_ms())
        if found != self._shown:
            self._shown = found
            self._place.visible = bool(found)
            self._rows.clear()
            with self._rows:
                for silence in found:
                    self._row(silence)

    def _row(self, silence: Silence) -> None:
        pattern, until_ms, by = silence
        with ui.element("div").classes("alert"):
            markup(f"until {text.local_time_html(until_ms)}").classes("quiet")
            markup(f"<code>{escape(pattern)}</code>" + (f' <span class="quiet">by {escape(by)}</span>' if by else ""))
            if self._may_act:
                button = markup("End", "button").classes("plain").props('aria-label="End silence"')
                button.on("click", lambda: self._end(pattern, button))

    def _end(self, pattern: str, button: ui.html) -> None:
        try:
            self._services.desk.unsilence(pattern, self._caller)
        except EnvironmentFault as error:
            ui.notify(f"Not done: {error}", type="negative")
            return
        button.props["disabled"] = True
