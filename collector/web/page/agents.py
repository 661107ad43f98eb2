"""The agents view: the gateways with what they tell of themselves, and the holes of the last day."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from fastapi import Request
from nicegui import ui

from collector.series import gateways
from collector.series.rows import HoleRow
from collector.web.agents import AgentRow, agents_of
from collector.web.answering import DAY_MS
from collector.web.fleet import Fleet
from collector.web.page import text
from collector.web.page.frame import PATIENCE_S, frame
from collector.web.page.parts import markup, table_html
from collector.web.services import Services
from telemetry.errors import EnvironmentFault

_MOST_HOLES = 200
_GIB = 2**30
_COLUMNS = (
    "State", "Agent", "Version", "Devices", "Ports", "Waiting", "Dropped", "Not believed", "Quarantined", "Disk free",
    "Clock", "Last seen",
)  # fmt: skip
_DISBELIEVED = {"cut_numbers": "numbers cut short", "cut_names": "names cut short", "long_lines": "lines too long"}
"""What an agent's consoles would not take for a reading, by the counter that it tells."""
_LOOKING = '<p class="quiet">Looking …</p>'
_HOLE_COLUMNS = ("Device", "From", "To", "For", "Why")


def register(services: Services) -> None:
    """Serve the view at /agents."""

    @ui.page("/agents", title="Agents · memfleet", response_timeout=PATIENCE_S)
    async def agents_page(request: Request) -> None:
        fleet = Fleet()
        with contextlib.suppress(EnvironmentFault):
            fleet = await services.fleet.look()
        with frame(services, request, "/agents", fleet):
            markup("Agents", "h1")
            agents = markup(_LOOKING).classes("card table-wrap")
            markup("Holes in the last 24 hours", "h2")
            holes = markup(_LOOKING).classes("card table-wrap")

        async def refresh() -> None:
            with contextlib.suppress(EnvironmentFault):
                now_ms = services.now_ms()
                agents.content = agents_html(await agents_of(services), now_ms)
                holes.content = holes_html(await holes_of(services, None), now_ms)

        await refresh()
        ui.timer(2.0, refresh)


async def holes_of(services: Services, device: str | None, limit: int = _MOST_HOLES) -> Sequence[HoleRow]:
    """Holes of the last day: of one device or of all."""
    now_ms = services.now_ms()
    silent_since_ms = now_ms - services.config.silent_after_s * 1000
    return await services.series.ask(gateways.holes, (now_ms - DAY_MS, now_ms), silent_since_ms, device, limit)


def agents_html(agents: Sequence[AgentRow], now_ms: int) -> str:
    """The table of agents."""
    if not agents:
        return '<p class="quiet">No agent has connected yet.</p>'
    return table_html(_COLUMNS, (_agent_cells(agent, now_ms) for agent in agents))


def _agent_cells(agent: AgentRow, now_ms: int) -> list[str]:
    told = agent.values
    waiting = f"{told.get('outbox_depth', 0):,} frames"
    if told.get("oldest_age_ms"):
        waiting += f", {text.span(told['oldest_age_ms'])}"
    disk = told.get("disk_free")
    return [
        text.state_html("ok", "connected") if agent.online else text.state_html("silent", "away"),
        escape(agent.agent),
        escape(told.get("version") or agent.version or "–"),
        f"{agent.devices:,}",
        str(told.get("ports", "–")),
        waiting if told else "–",
        f"{told.get('evicted', 0):,}" if told else "–",
        _disbelieved_html(told),
        ", ".join(f"{rows:,} rows ({escape(reason)})" for reason, rows in agent.quarantined.items()) or "0",
        f"{disk / _GIB:,.1f} GiB" if isinstance(disk, int) else "–",
        escape(agent.clock or "–"),
        text.ago(agent.seen_ms or None, now_ms),
    ]


def _disbelieved_html(told: Mapping[str, Any]) -> str:
    if not any(name in told for name in _DISBELIEVED):
        return "–"
    parts = [f"{told[name]:,} {words}" for name, words in _DISBELIEVED.items() if told.get(name)]
    return f'<span class="wrap">{", ".join(parts)}</span>' if parts else "0"


def holes_html(holes: Sequence[HoleRow], now_ms: int, *, name_device: bool = True) -> str:
    """The table of holes."""
    if not holes:
        return '<p class="quiet">None: readings came without a break.</p>'
    skip = 0 if name_device else 1
    return table_html(_HOLE_COLUMNS[skip:], (_hole_cells(hole, now_ms)[skip:] for hole in holes))


def _hole_cells(hole: HoleRow, now_ms: int) -> list[str]:
    frames = f"{hole.frames:,} frame{'' if hole.frames == 1 else 's'} of its agent never came"
    why = "silence" if hole.cause == "silence" else frames
    return [
        f'<a href="{text.device_address(hole.device)}">{escape(hole.device)}</a>',
        text.local_time_html(hole.from_ms) if hole.from_ms else "not known",
        "lasts" if hole.to_ms is None else text.local_time_html(hole.to_ms),
        text.span((hole.to_ms or now_ms) - hole.from_ms) if hole.from_ms else "–",
        why,
    ]
