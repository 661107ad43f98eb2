"""The firmware view: does one version need more memory than another? Over all devices that ran them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from fastapi import HTTPException, Request
from nicegui import ui

from collector.judge.comparing import counted
from collector.judge.reasons import size
from collector.series.firmware import FirmwareRow, firmwares, usual_update
from collector.web.compare import differences
from collector.web.fleet import Fleet
from collector.web.page.frame import PATIENCE_S, frame
from collector.web.page.parts import choice, keep_address, markup, table_html
from collector.web.services import Services
from telemetry.errors import EnvironmentFault

_DAY_MS = 86_400_000
_MOST_NAMED = 5
_SPANS = {"1": "the last day", "7": "the last 7 days", "14": "the last 14 days"}
_COLUMNS = ("Verdict", "What", "Measure", ">Before", ">After", ">Difference", ">95 %", ">Effect", ">p", ">Devices")
_STATES = {
    "worse": "critical", "better": "ok", "same": "info", "added": "info", "removed": "info", "unclear": "silent",
    "unknown": "silent",
}  # fmt: skip


def register(services: Services) -> None:
    """Serve the view at /firmware."""

    @ui.page("/firmware", title="Firmware · memfleet", response_timeout=PATIENCE_S)
    async def firmware_page(request: Request, before: str = "", after: str = "") -> None:
        fleet, versions, update = Fleet(), [], None
        with contextlib.suppress(EnvironmentFault):
            fleet = await services.fleet.look()
            versions = await services.series.ask(firmwares)
            update = await services.slow_series.ask(usual_update)
        with frame(services, request, "/firmware", fleet):
            markup("Firmware", "h1")
            pair = update or most_run(versions)
            view = Comparison(services, versions, before or pair[0], after or pair[1])
        ui.timer(0.05, view.compare, once=True)


class Comparison:
    """Two versions side by side, as one browser sees them."""

    def __init__(self, services: Services, versions: Sequence[FirmwareRow], before: str, after: str) -> None:
        self._services = services
        self._before, self._after, self._days = before, after, "14"
        names = list(dict.fromkeys([before, after, *(row.firmware for row in versions)]))
        options = [(name, f"{name}{_on(name, versions)}") for name in names if name]
        with ui.element("div").classes("tools"):
            choice("Before", options, before, lambda name: self._choose(before=name))
            markup("against", "span").classes("quiet")
            choice("After", options, after, lambda name: self._choose(after=name))
            choice("Readings of", _SPANS.items(), self._days, lambda days: self._choose(days=days))
        with ui.element("section").classes("card").props('aria-label="Differences"'):
            self._said = markup("", "p").props("role=status")
            self._table = markup("").classes("table-wrap")

    async def _choose(self, before: str = "", after: str = "", days: str = "") -> None:
        self._before, self._after = before or self._before, after or self._after
        self._days = days if days in _SPANS else self._days
        keep_address(before=self._before, after=self._after)
        await self.compare()

    async def compare(self) -> None:
        """Compare the chosen ones; a large fleet takes some seconds."""
        pair = (self._before, self._after)
        if not all(pair) or pair[0] == pair[1]:
            self._table.content = ""
            self._said.content = "Choose two versions; devices tell theirs when they boot."
            return
        self._said.content = f"Comparing {escape(pair[0])} with {escape(pair[1])} …"
        now_ms = self._services.now_ms()
        span_ms = (now_ms - int(self._days) * _DAY_MS, now_ms)
        try:
            found = await self._services.slow_series.ask(differences, *pair, span_ms)
        except (HTTPException, EnvironmentFault) as fault:
            self._table.content = ""
            self._said.content = escape(str(getattr(fault, "detail", fault)))
            return
        if pair == (self._before, self._after):
            self._said.content = verdict_html(found, *pair)
            self._table.content = differences_html(found)


def most_run(versions: Sequence[FirmwareRow]) -> tuple[str, str]:
    """The two versions of one platform that most devices run, the lower number first; empty where there are no two."""
    by_platform: dict[str, list[str]] = {}
    for row in versions:
        by_platform.setdefault(row.platform, []).append(row.firmware)
    found = next((names[:2] for names in by_platform.values() if len(names) > 1), [])
    before, after = sorted(found, key=_natural) or ("", "")
    return before, after


def _natural(version: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.findall(r"\d+|\D+", version)]


def _on(name: str, versions: Sequence[FirmwareRow]) -> str:
    now = sum(row.now for row in versions if row.firmware == name)
    return f" ({now:,} device{'' if now == 1 else 's'} now)"


def verdict_html(found: Sequence[Mapping[str, Any]], before: str, after: str) -> str:
    """The answer in one sentence, and how much of it so few devices cannot tell."""
    if not found:
        return f"{escape(before)} and {escape(after)} have nothing in common that could be compared."
    unknown = sum(one["verdict"] == "unknown" for one in found)
    if unknown == len(found):
        return "So few devices cannot tell a difference from chance; four of each are the least."
    unclear = sum(one["verdict"] == "unclear" for one in found)
    rest = f" Of {_counted(unclear)} it is unclear: the interval has room for one that matters." if unclear else ""
    rest += f" Of {_counted(unknown)} there are too few devices to tell." if unknown else ""
    for verdict, version in (("added", after), ("removed", before)):
        if alone := [_what(one) for one in found if one["verdict"] == verdict][:_MOST_NAMED]:
            rest += f" Only {escape(version)} has {escape(', '.join(alone))}."
    if any(one["older"] for one in found):
        rest += " They were not seen at the same uptimes: a difference that more uptime makes is unclear."
    for verdict, words in (("worse", "more"), ("better", "less")):
        if named := [f"{_what(one)} ({one['measure']})" for one in found if one["verdict"] == verdict][:_MOST_NAMED]:
            return f"<b>{escape(after)} needs {words} than {escape(before)}</b>: {escape(', '.join(named))}.{rest}"
    return f"<b>Nothing says that {escape(after)} needs more than {escape(before)}.</b>{rest}"


def differences_html(found: Sequence[Mapping[str, Any]]) -> str:
    """All measures of all things, in their order."""
    return table_html(_COLUMNS, map(_cells, found), "list dense") if found else ""


def _counted(measures: int) -> str:
    return f"{measures} measure{'' if measures == 1 else 's'}"


def _cells(one: Mapping[str, Any]) -> list[str]:
    an_hour = "/h" if one["measure"] == "growth" else ""
    sign = "+" if (one["difference"] or 0) > 0 else ""
    return [
        f'<span class="state {_STATES.get(one["verdict"], "info")}">{escape(one["verdict"])}</span>',
        escape(_what(one)),
        escape(one["measure"]),
        _size(one["before"]) + an_hour,
        _size(one["after"]) + an_hour,
        f"{sign}{_size(one['difference'])}{an_hour}",
        "" if one["low"] is None else f"{size(one['low'])} to {size(one['high'])}{an_hour}",
        f"{one['effect']:+.2f}",
        f"{one['p_value']:.3g}",
        counted(one["devices"], one["is_paired"]),
    ]


def _size(bytes_: float | None) -> str:
    return "" if bytes_ is None else size(bytes_)


def _what(one: Mapping[str, Any]) -> str:
    named = " / ".join(part for part in (one["kind"], *one["names"]) if part)
    return f"{named} ({one['of']})" if one["of"] else named
