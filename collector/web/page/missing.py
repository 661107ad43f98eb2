"""The view of an address that is none: the page's own frame, instead of its framework's face."""

from __future__ import annotations

import contextlib
from html import escape

from fastapi import Request, Response
from fastapi.exception_handlers import http_exception_handler
from nicegui import Client, app, ui
from starlette.exceptions import HTTPException

from collector.web.fleet import Fleet
from collector.web.page.frame import frame
from collector.web.page.parts import markup
from collector.web.services import Services
from telemetry.errors import EnvironmentFault

_MOST_SHOWN = 200


def register(services: Services) -> None:
    """Answer with it where nothing else does; status 404."""

    @app.exception_handler(404)
    async def missing(request: Request, error: Exception) -> Response:
        if request.scope.get("endpoint") not in (None, app) and isinstance(error, HTTPException):
            return await http_exception_handler(request, error)  # a file of the framework, which no person asks for
        fleet = Fleet()
        with contextlib.suppress(EnvironmentFault):
            fleet = await services.fleet.look()
        page = ui.page("", title="Not found · memfleet")
        with Client(page, request=request) as client, frame(services, request, "", fleet):
            markup("There is no such view", "h1")
            markup(f"Nothing stands at <code>{escape(request.url.path[:_MOST_SHOWN])}</code>.", "p")
            markup("To the fleet", "a").props("href=/")
        return client.build_response(request, 404)
