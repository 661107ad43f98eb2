"""The incidents view: faults, on however many devices and collectors, the worst first."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from fastapi import Request
from nicegui import ui

from collector.web.fleet import Fleet
from collector.web.folding import Folded, Part, fold, hours_left, story_of
from collector.web.incidents import incidents_of
from collector.web.page import text
from collector.web.page.acting import Acting, Case
from collector.web.page.cards import Card, Cards
from collector.web.page.frame import PATIENCE_S, fill, frame
from collector.web.page.parts import is_on, markup, switch, turn_switch
from collector.web.page.silences import SilenceList
from collector.web.services import Services
from telemetry.errors import EnvironmentFault

_MOST_SHOWN = 200
_HOUR_MS = 3_600_000
_MOST_ASKED = 1_000


def register(services: Services) -> None:
    """Serve the view at /incidents."""

    @ui.page("/incidents", title="Incidents · memfleet", response_timeout=PATIENCE_S)
    async def incidents_page(request: Request) -> None:
        fleet = Fleet()
        with contextlib.suppress(EnvironmentFault):
            fleet = await services.fleet.look()
        with frame(services, request, "/incidents", fleet):
            markup("Incidents", "h1")
            markup("One a fault, over all devices that have it.", "p").classes("quiet")
            with ui.element("div").classes("tools"):
                past = switch("Show those that are over too", on=False)
            faults = markup("").classes("banner").props("role=status")
            with ui.element("section").classes("card").props('aria-label="Incidents"'):
                listing = Cards(Acting(services, request), "No open incident.")
            silences = SilenceList(services, request)

        async def refresh() -> None:
            with contextlib.suppress(EnvironmentFault):
                found, missing = await folded_of(services, active=not is_on(past))
                now_ms = services.now_ms()
                listing.show([card_of(one, now_ms) for one in found[:_MOST_SHOWN]])
                faults.content = escape("; ".join(missing))
                await silences.refresh()

        async def turn() -> None:
            turn_switch(past, on=not is_on(past))
            await refresh()

        past.on("click", turn)
        await fill(refresh)
        ui.timer(2.0, refresh)


async def folded_of(services: Services, *, active: bool) -> tuple[list[Folded], list[str]]:
    """Incidents of this collector and its peers, those of one fault folded together; and why a peer is missing."""
    own = [Part("", incident) for incident in await incidents_of(services, active, _MOST_ASKED)]
    told = await services.peers.incidents(active=active)
    others = [Part(one.peer, incident) for one in told for incident in one.incidents]
    return fold([*own, *others]), [one.fault for one in told if one.fault]


def address(key: str) -> str:
    """The view of one incident."""
    return f"/incident?key={quote(key, safe='')}"


def card_of(one: Folded, now_ms: int) -> Card:
    """An incident as people read it in the list."""
    is_open = one.status == "firing"
    title = f'<a href="{escape(address(one.key))}">{escape(one.worst.incident["rule"])}</a> on {devices_words(one)}'
    reason = f"{device_html(one.worst, 'worst')}: {escape(story_of(one.worst.incident))}"
    quiet = " · ".join(part for part in quiet_parts(one, now_ms) if part)
    silenced = text.silenced_html(one.silenced_until_ms) if one.silenced_until_ms > now_ms else ""
    return Card(
        one.key,
        text.state_html(one.severity if is_open else "resolved"),
        f'<p><b>{title}</b></p><p>{reason}</p><p class="quiet">{quiet}{silenced}</p>',
        case_of(one, now_ms) if is_open else None,
    )


def case_of(one: Folded, now_ms: int) -> Case:
    """What people act on: every open part of it, each at its own collector."""
    parts = tuple((part.peer, part.incident["key"]) for part in one.parts if part.incident["status"] == "firing")
    return Case(parts, one.worst.incident["reason"], one.acknowledged, one.silenced_until_ms > now_ms)


def devices_words(one: Folded) -> str:
    """How many devices have it."""
    return f"{one.devices:,} device{'' if one.devices == 1 else 's'}"


def device_html(part: Part, which: str) -> str:
    """The first or worst device of a part, with the way to its page, over there where it is a peer's."""
    device = str(part.incident[which])
    return f'<a href="{escape(part.peer)}{text.device_address(device)}">{escape(device)}</a>' if device else ""


def quiet_parts(one: Folded, now_ms: int) -> Sequence[str]:
    """What is known of it besides, as HTML."""
    worst, is_open = one.worst.incident, one.status == "firing"
    lasted = text.span((now_ms if is_open else one.at_ms) - one.since_ms)
    where = " ".join(part for part in (text.platform_name(worst["platform"]), worst["firmware"]) if part)
    names = " / ".join(name for name in worst["names"] if name)
    return (
        escape(f"{where}, {worst['kind']} {names}".strip(", ")) if worst["platform"] else "",
        f"{one.firing:,} firing" if is_open else "over",
        f"began on {device_html(one.first, 'first')} {text.local_time_html(one.since_ms)}",
        f"{'lasts' if is_open else 'lasted'} {lasted}",
        escape(growth_words(worst["numbers"])),
        escape(f"known to {one.acknowledged_by}") if one.acknowledged_by else "",
        f"on {len({part.peer for part in one.parts})} collectors" if len(one.parts) > 1 else "",
    )


def growth_words(numbers: object) -> str:
    """Growth and the time that was left when it was told, as far as they are known."""
    known = numbers if isinstance(numbers, dict) else {}
    rate, left = known.get("leak_rate"), hours_left(known)
    words = [f"{text.kib(rate)} KiB/hour"] if rate is not None else []
    return ", ".join(words + ([f"{text.left(left * _HOUR_MS)} when told"] if left is not None else []))
