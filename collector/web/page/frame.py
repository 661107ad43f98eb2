"""What all views share: head, navigation, the line that says whether what you see is current."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from html import escape
from importlib.resources import files

from fastapi import Request
from nicegui import ui

from collector.web.access import Role
from collector.web.fleet import Fleet
from collector.web.page.parts import markup
from collector.web.services import Services
from telemetry.errors import EnvironmentFault

_MOMENT_S = 1.0
PATIENCE_S = 30.0
"""How long a view may take to be built: an address may ask for a year, a gateway may be slow and busy."""
_VIEWS = {"/incidents": "Incidents", "/firmware": "Firmware", "/logs": "Logs", "/agents": "Agents"}
THEMES = {"auto": None, "light": False, "dark": True}


def add_head() -> None:
    """Put style and scripts into every view's head."""
    here = files("collector.web.page")
    style = here.joinpath("style.css").read_text()
    script = here.joinpath("page.js").read_text()
    ui.add_head_html(f"<style>{style}</style><script>{script}</script>", shared=True)


@contextlib.contextmanager
def frame(services: Services, request: Request, here: str, fleet: Fleet) -> Iterator[None]:
    """The frame around a view's content; `here` is the address of the view in the navigation."""
    theme = ui.dark_mode(THEMES.get(request.cookies.get("memfleet_theme", "")))
    with ui.header(fixed=False, bordered=False).classes("top", remove="row"):
        markup("Skip to content", "a").classes("skip").props("href=#main")
        markup(f"memfleet<span>{escape(services.config.fleet)}</span>", "a").classes("brand").props("href=/")
        with ui.element("nav").props('aria-label="Views"'):
            _link("/", "Fleet", here)
            alerts = _link("/alerts", "Alerts" + _count_html(fleet), here)
            for address, name in _VIEWS.items():
                _link(address, name, here)
        _theme_button(theme)
    banner = markup("").classes("banner").props("role=status")
    with ui.element("div").classes("view").props("id=main"):
        yield

    async def refresh() -> None:
        now = Fleet()
        with contextlib.suppress(EnvironmentFault):
            now = await services.fleet.look()
        alerts.content = "Alerts" + _count_html(now)
        _, reasons = await services.health.look()
        what = "What you see may be old" if now.devices else "The collector is not complete"
        banner.content = escape(f"{what}: {'; '.join(reasons)}.") if reasons else ""

    ui.timer(2.0, refresh)


async def fill(refresh: Callable[[], Awaitable[None]]) -> None:
    """Fill a view before it is sent, if that takes but a moment; else it is sent as it is, and its timer fills it: a
    long search or a peer that does not answer must not keep it back."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(refresh(), _MOMENT_S)


def may_act(request: Request) -> bool:
    """Whether whoever asked for the view may acknowledge and silence."""
    return getattr(request.state, "role", Role.NOBODY) >= Role.OPERATOR


def caller(request: Request) -> str:
    """Who acts, for the record."""
    return request.client.host if request.client else ""


def _link(address: str, text: str, here: str) -> ui.html:
    link = markup(text, "a").props(f"href={address}")
    return link.props("aria-current=page") if address == here else link


def _count_html(fleet: Fleet) -> str:
    waiting = sum(1 for alert in fleet.alerts if not alert.acknowledged_ms)
    words = f"{waiting} not acknowledged"
    return f'<span class="count{" some" if waiting else ""}" title="{words}" aria-label="{words}">{waiting}</span>'


def _theme_button(theme: ui.dark_mode) -> None:
    names = list(THEMES)

    def show(chosen: str) -> None:
        button.content = f"Theme: {chosen}"
        button.props["data-next"] = names[(names.index(chosen) + 1) % len(names)]

    def turn(chosen: str) -> None:
        if chosen in THEMES:
            theme.value = THEMES[chosen]
            show(chosen)

    button = markup("", "button").classes("plain")
    show(next(name for name, value in THEMES.items() if value == theme.value))
    # The browser keeps the choice before it tells it here: who reloads at once must not lose it.
    keep = "event => emit(memfleetTheme(event.currentTarget.dataset.next))"
    button.on("click", lambda event: turn(str(event.args)), js_handler=keep)
