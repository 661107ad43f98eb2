"""The alerts view, and the list of alerts that the device view shows too."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from html import escape

from fastapi import Request
from nicegui import ui

from collector.series import reader
from collector.series.rows import AlertRow
from collector.web.fleet import Fleet
from collector.web.page import text
from collector.web.page.acting import Acting, Case
from collector.web.page.cards import Card, Cards
from collector.web.page.frame import PATIENCE_S, frame
from collector.web.page.parts import is_on, markup, switch, turn_switch
from collector.web.page.silences import SilenceList
from collector.web.services import Services
from telemetry.errors import EnvironmentFault

_MOST_SHOWN = 200


def register(services: Services) -> None:
    """Serve the view at /alerts."""

    @ui.page("/alerts", title="Alerts · memfleet", response_timeout=PATIENCE_S)
    async def alerts_page(request: Request) -> None:
        fleet = Fleet()
        with contextlib.suppress(EnvironmentFault):
            fleet = await services.fleet.look()
        with frame(services, request, "/alerts", fleet):
            markup("Alerts", "h1")
            past = _past_button()
            with ui.element("section").classes("card").props('aria-label="Alerts"'):
                listing = AlertList(services, request)
            silences = SilenceList(services, request)

        async def refresh() -> None:
            with contextlib.suppress(EnvironmentFault):
                listing.show(await services.series.ask(reader.alerts, active_only=not is_on(past), limit=_MOST_SHOWN))
                await silences.refresh()

        past.on("click", refresh)
        await refresh()
        ui.timer(1.0, refresh)


def _past_button() -> ui.html:
    with ui.element("div").classes("tools"):
        button = switch("Show resolved ones too", on=False)
    return button.on("click", lambda: turn_switch(button, on=not is_on(button)))


class AlertList:
    """Alerts in the order given."""

    def __init__(self, services: Services, request: Request, *, name_device: bool = True) -> None:
        self._now_ms = services.now_ms
        self._name_device = name_device
        self._cards = Cards(Acting(services, request), "No open alert.")

    def show(self, alerts: Sequence[AlertRow]) -> None:
        """Bring the list to this state."""
        now_ms = self._now_ms()
        self._cards.show([card_of(alert, now_ms, name_device=self._name_device) for alert in alerts])


def card_of(alert: AlertRow, now_ms: int, *, name_device: bool) -> Card:
    """An alert as people read it."""
    firing, silenced = alert.status == "firing", alert.silenced_until_ms > now_ms
    link = f'<a href="{text.device_address(alert.device)}">{escape(alert.device)}</a> · '
    what = " · ".join(escape(part) for part in (alert.rule, alert.kind, *alert.names) if part)
    quiet = f"{link if name_device else ''}{what} · since {text.local_time_html(alert.since_ms)}"
    quiet += text.silenced_html(alert.silenced_until_ms) if silenced else ""
    case = Case((("", alert.key),), alert.reason, bool(alert.acknowledged_ms), silenced)
    return Card(
        alert.episode,
        text.state_html(alert.severity if firing else "resolved"),
        f'<p>{escape(alert.reason)}</p><p class="quiet">{quiet}</p>',
        case if firing else None,
    )
