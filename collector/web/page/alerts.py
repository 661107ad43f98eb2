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
from collector.web.page.frame import caller, frame, may_act
from collector.web.page.parts import is_on, markup, switch, turn_switch
from collector.web.services import Services
from telemetry.errors import EnvironmentFault

_MOST_SHOWN = 200


def register(services: Services) -> None:
    """Serve the view at /alerts."""

    @ui.page("/alerts", title="Alerts · memfleet")
    async def alerts_page(request: Request) -> None:
        fleet = Fleet()
        with contextlib.suppress(EnvironmentFault):
            fleet = await services.fleet.look()
        with frame(services, request, "/alerts", fleet):
            markup("Alerts", "h1")
            past = _past_button()
            with ui.element("section").classes("card").props('aria-label="Alerts"'):
                listing = AlertList(services, request)

        async def refresh() -> None:
            with contextlib.suppress(EnvironmentFault):
                listing.show(await services.series.ask(reader.alerts, active_only=not is_on(past), limit=_MOST_SHOWN))

        past.on("click", refresh)
        await refresh()
        ui.timer(1.0, refresh)


def _past_button() -> ui.html:
    with ui.element("div").classes("tools"):
        button = switch("Show resolved ones too", on=False)
    return button.on("click", lambda: turn_switch(button, on=not is_on(button)))


class AlertList:
    """Alerts in the order given; built anew only when one of them has changed."""

    def __init__(self, services: Services, request: Request, *, name_device: bool = True) -> None:
        self._services = services
        self._may_act = may_act(request)
        self._caller = caller(request)
        self._name_device = name_device
        self._shown: Sequence[AlertRow] | None = None
        self._place = ui.element("div").props("aria-live=polite")

    def show(self, alerts: Sequence[AlertRow]) -> None:
        """Bring the list to this state."""
        if alerts == self._shown:
            return
        self._shown = alerts
        self._place.clear()
        with self._place:
            if not alerts:
                markup("No open alert.", "p").classes("quiet")
            for alert in alerts:
                with ui.element("div").classes("alert"):
                    self._build(alert)

    def _build(self, alert: AlertRow) -> None:
        firing = alert.status == "firing"
        markup(text.state_html(alert.severity if firing else "resolved"))
        markup(self._words(alert))
        if not firing:
            return
        if alert.acknowledged_ms:
            markup("acknowledged", "span").classes("quiet")
            return
        button = markup("Acknowledge", "button").classes("plain")
        button.props["aria-label"] = f"Acknowledge: {alert.reason}"
        if self._may_act:
            button.on("click", lambda: self._acknowledge(alert, button))
        else:
            button.props["disabled"] = True
            button.props["title"] = "This wants the operator token"

    def _words(self, alert: AlertRow) -> str:
        link = f'<a href="{text.device_address(alert.device)}">{escape(alert.device)}</a> · '
        device = link if self._name_device else ""
        what = " · ".join(escape(part) for part in (alert.rule, alert.kind, *alert.names) if part)
        silenced = " · silenced" if alert.silenced_until_ms > self._services.now_ms() else ""
        return (
            f"<p>{escape(alert.reason)}</p>"
            f'<p class="quiet">{device}{what} · since {text.local_time_html(alert.since_ms)}{silenced}</p>'
        )

    def _acknowledge(self, alert: AlertRow, button: ui.html) -> None:
        try:
            self._services.desk.acknowledge(alert.key, self._caller)
        except EnvironmentFault as error:
            ui.notify(f"Not acknowledged: {error}", type="negative")
            return
        button.props["disabled"] = True
        button.content = "Noted …"
