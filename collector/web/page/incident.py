"""The view of one incident: what it is, which devices have it, what they said when it began."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

import msgspec
from fastapi import Request
from nicegui import ui

from collector.series.lines import Asked, LineRow
from collector.web.answers import IncidentWhole, Lines
from collector.web.fleet import Fleet
from collector.web.folding import Folded, Part, story_of
from collector.web.incidents import REACH_MS, incident_of, lines_of
from collector.web.page import text
from collector.web.page.acting import Acting
from collector.web.page.cards import Card, Cards
from collector.web.page.frame import PATIENCE_S, fill, frame
from collector.web.page.incidents import case_of, device_html, devices_words, folded_of, growth_words
from collector.web.page.parts import markup, table_html
from collector.web.page.said import lines_html
from collector.web.services import Services
from telemetry.errors import EnvironmentFault

_EVERY_S = 5.0
_MOST_LINES = 300
_BEFORE_MS = 3_600_000
_COLUMNS = ("State", "Device", "Since", "For", "Reason")


def register(services: Services) -> None:
    """Serve the view at /incident?key=KEY."""

    @ui.page("/incident", title="Incident · memfleet", response_timeout=PATIENCE_S)
    async def incident_page(request: Request, key: str = "") -> None:
        fleet = Fleet()
        with contextlib.suppress(EnvironmentFault):
            fleet = await services.fleet.look()
        with frame(services, request, "/incidents", fleet):
            view = IncidentView(services, request, key)
            await fill(view.refresh)
        ui.timer(_EVERY_S, view.refresh)


class IncidentView:
    """One incident as one browser sees it."""

    def __init__(self, services: Services, request: Request, key: str) -> None:
        self._services = services
        self._key = key
        self._head = markup("").classes("title")
        self._facts = markup("", "dl").classes("facts card")
        with ui.element("section").classes("card").props('aria-label="What to do"'):
            self._card = Cards(Acting(services, request), "There is no incident of that key; perhaps it is long over.")
        with ui.element("section").classes("card").props('aria-label="Devices"') as devices:
            markup("Devices", "h2")
            self._members = markup("").classes("table-wrap")
        with ui.element("section").classes("card").props('aria-label="Log lines"') as lines:
            markup(f"What they said, {text.span(REACH_MS)} to either side of each alert", "h2")
            self._lines = markup("").classes("log").props("role=log tabindex=0")
        self._known_only = self._facts, devices, lines
        self._show_known(False)

    async def refresh(self) -> None:
        """Bring it up to date."""
        with contextlib.suppress(EnvironmentFault):
            one = await self._look()
            self._show_known(one is not None)
            if one is None:
                self._head.content = "<h1>Incident</h1>"
                self._card.show([])
                return
            await self._show(one)

    def _show_known(self, known: bool) -> None:
        for element in self._known_only:
            element.set_visibility(known)

    async def _look(self) -> Folded | None:
        for active in (True, False):
            found, _ = await folded_of(self._services, active=active)
            for one in found:
                if any(part.incident["key"] == self._key for part in one.parts):
                    return one
        return None

    async def _show(self, one: Folded) -> None:
        now_ms = self._services.now_ms()
        is_open = one.status == "firing"
        state = text.state_html(one.severity if is_open else "resolved")
        self._head.content = f"<h1>{escape(one.worst.incident['rule'])} on {devices_words(one)}</h1>{state}"
        self._facts.content = facts_html(one, now_ms)
        reason = f"<p>{device_html(one.worst, 'worst')}: {escape(story_of(one.worst.incident))}</p>"
        reason += text.silenced_html(one.silenced_until_ms) if one.silenced_until_ms > now_ms else ""
        self._card.show([Card(one.key, state, reason, case_of(one, now_ms) if is_open else None)])
        members = [row for part in one.parts for row in await self._members_of(part)]
        self._members.content = members_html(members, now_ms)
        lines = [line for part in one.parts for line in await self._lines_of(part)]
        lines.sort(key=lambda line: line.time_ms)
        nothing = "Nothing. Agents forward events, warnings and worse; they keep the whole console themselves."
        self._lines.content = lines_html(lines[-_MOST_LINES:], nothing, name_device=True)

    async def _members_of(self, part: Part) -> list[tuple[str, dict[str, Any]]]:
        key = part.incident["key"]
        peers = self._services.peers
        found = await (peers.get(part.peer, "incident", IncidentWhole, key=key) if part.peer else self._own(key))
        return [(part.peer, member) for member in found["members"]]

    async def _own(self, key: str) -> dict[str, Any]:
        return await incident_of(self._services, key) or {"members": []}

    async def _lines_of(self, part: Part) -> Sequence[LineRow]:
        key = part.incident["key"]
        if part.peer:
            answer = await self._services.peers.get(part.peer, "incident/lines", Lines, key=key, limit=_MOST_LINES)
            return msgspec.convert(answer["lines"], list[LineRow])
        asked = Asked(0, 0, limit=_MOST_LINES)
        return await self._services.slow_series.ask(lines_of, key, REACH_MS, asked)


def facts_html(one: Folded, now_ms: int) -> str:
    """What is known of it."""
    return "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in _facts(one, now_ms) if value)


def _facts(one: Folded, now_ms: int) -> Iterator[tuple[str, str]]:
    worst, is_open = one.worst.incident, one.status == "firing"
    yield "Platform", escape(text.platform_name(worst["platform"])) if worst["platform"] else ""
    yield "Firmware", escape(worst["firmware"])
    yield "What", escape(" / ".join(part for part in (worst["kind"], *worst["names"]) if part))
    yield "First", device_html(one.first, "first")
    yield "Worst", device_html(one.worst, "worst")
    yield "Growth", escape(growth_words(worst["numbers"]))
    yield "Firing now", f"{one.firing:,} of {devices_words(one)}" if is_open else ""
    yield "Began", text.local_time_html(one.since_ms)
    yield "Over", "" if is_open else text.local_time_html(one.at_ms)
    yield ("Lasts" if is_open else "Lasted"), text.span((now_ms if is_open else one.at_ms) - one.since_ms)
    yield "Known to", escape(one.acknowledged_by)


def members_html(members: Sequence[tuple[str, dict[str, Any]]], now_ms: int) -> str:
    """The alerts that belong to it; each device leads to its page at the time it began."""
    if not members:
        return '<p class="quiet">No alert belongs to it any more.</p>'
    return table_html(_COLUMNS, (_member_cells(peer, member, now_ms) for peer, member in members))


def _member_cells(peer: str, member: dict[str, Any], now_ms: int) -> list[str]:
    is_open = member["status"] == "firing"
    end_ms = now_ms if is_open else member["at_ms"]
    span = f"?start={member['since_ms'] - _BEFORE_MS}" + ("" if is_open else f"&end={end_ms + _BEFORE_MS}")
    link = f"{escape(peer)}{text.device_address(member['device'])}{escape(span)}"
    return [
        text.state_html(member["severity"] if is_open else "resolved"),
        f'<a href="{link}">{escape(member["device"])}</a>',
        text.local_time_html(member["since_ms"]),
        text.span(end_ms - member["since_ms"]),
        f'<span class="wrap">{escape(member["reason"])}</span>',
    ]
