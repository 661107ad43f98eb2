"""The built-in page: a module a view, live, with nothing loaded from elsewhere."""

from __future__ import annotations

from fastapi import FastAPI
from nicegui import ui

from collector.web.page import agents, alerts, device, firmware, fleet, incident, incidents, logs, missing
from collector.web.page.frame import add_head
from collector.web.services import Services

_RECONNECT_S = 30.0
"""For so long a view waits for its browser to come back before it is forgotten, and then loaded anew: what was typed,
sorted and selected is lost with it. A browser that does not answer for two fifths of that counts as gone."""


def install(app: FastAPI, services: Services) -> None:
    """Put the page under the application's other routes; once a process, since the page's framework is one."""
    add_head()
    for view in (fleet, device, alerts, incidents, incident, firmware, logs, agents, missing):
        view.register(services)
    ui.run_with(
        app,
        title="memfleet",
        favicon=_FAVICON,
        dark=None,
        language="en-US",
        tailwind=False,
        binding_refresh_interval=None,
        reconnect_timeout=_RECONNECT_S,
        show_welcome_message=False,
    )


_FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#1f5fa8"/>'
    '<path d="M6 23l6-8 5 4 9-11" fill="none" stroke="#fff" stroke-width="3.2" stroke-linecap="round" '
    'stroke-linejoin="round"/></svg>'
)
