"""The fleet view: every device in a row, the worst first; a page of rows at a time, whatever the size of the fleet."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from html import escape

from fastapi import Request
from nicegui import ui

from collector.series.rows import AlertRow, DeviceRow
from collector.web.fleet import STATES, Fleet, fullness, left_ms
from collector.web.page import text
from collector.web.page.frame import PATIENCE_S, frame
from collector.web.page.parts import FIND_MOST, field, keep_address, markup, number_in, switch, turn_switch
from collector.web.services import Services
from telemetry.errors import EnvironmentFault

ROWS = 50
_WORST = "worst"
_COLUMNS = {
    "State": _WORST, "Device": "device", "Platform": "platform", "Firmware": "firmware", "Memory, KiB": "fullest",
    "Outlook": "", "Last seen": "heard",
}  # fmt: skip
"""The columns, and what the fleet is ordered by when one is pressed."""
_NAMES = ("device", "platform", "firmware")  # from A on; of the others the most comes first


def register(services: Services) -> None:
    """Serve the view at /."""

    @ui.page("/", title="memfleet", response_timeout=PATIENCE_S)
    async def fleet_page(request: Request, find: str = "", state: str = "", sort: str = "", page: str = "") -> None:
        fleet = Fleet()
        with contextlib.suppress(EnvironmentFault):
            fleet = await services.fleet.look()
        with frame(services, request, "/", fleet):
            states = set(state.split(",")) & set(STATES)
            order = sort if sort.removeprefix("-") in filter(None, _COLUMNS.values()) else _WORST
            view = FleetTable(services, Shown(find[:FIND_MOST], states, order, max(0, number_in(page) - 1) * ROWS))
            view.show(fleet)
        ui.timer(1.0, view.refresh)


@dataclass(slots=True)
class Shown:
    """What of the fleet is shown: devices that are found, of these states (empty: of all), in that order, from the
    `first` of them on."""

    find: str
    states: set[str]
    order: str
    first: int


class FleetTable:
    """The table with its filter, as one browser sees it."""

    def __init__(self, services: Services, shown: Shown) -> None:
        self._services = services
        self._shown = shown
        self._fleet = Fleet()
        with ui.element("div") as self._empty:
            markup(_empty_html(services.config.broker.url)).classes("card empty")
        with ui.element("div") as self._full:
            markup("Fleet", "h1")
            self._build_tools()
            self._build_rows()

    def _build_tools(self) -> None:
        with ui.element("div").classes("tools"):
            field("Find devices", "Find a device, board, firmware …", self._shown.find, self._search)
            self._chips = {state: self._chip(state) for state in STATES}
            ui.element("div").classes("grow")
            self._position = markup("", "span").classes("quiet number").props("role=status")
            self._back = self._step("Previous", -ROWS)
            self._on = self._step("Next", ROWS)

    def _chip(self, state: str) -> ui.html:
        return switch("", on=state in self._shown.states).on("click", lambda: self._toggle(state))

    def _step(self, words: str, rows: int) -> ui.html:
        return markup(words, "button").classes("plain").on("click", lambda: self._turn(rows))

    def _build_rows(self) -> None:
        with ui.element("div").classes("card table-wrap"), ui.element("table").classes("fleet"):
            with ui.element("thead"), ui.element("tr"):
                self._heads = {order: head for name, order in _COLUMNS.items() if (head := self._head(name, order))}
            with ui.element("tbody"):
                self._rows = [markup("", "tr") for _ in range(ROWS)]

    def _head(self, name: str, order: str) -> ui.element | None:
        with ui.element("th").props("scope=col") as head:
            if not order:
                markup(name, "span")
                return None
            markup(name, "button").classes("sort").on("click", lambda: self._sort(order))
        return head

    async def refresh(self) -> None:
        """Look again; only rows whose text has changed are sent."""
        with contextlib.suppress(EnvironmentFault):
            self.show(await self._services.fleet.look())

    def show(self, fleet: Fleet) -> None:
        """Bring the view to this state of the fleet."""
        self._fleet = fleet
        self._empty.visible = not fleet.devices
        self._full.visible = bool(fleet.devices)
        asked = self._shown
        found = fleet.select(asked.find, tuple(asked.states), order=asked.order)
        asked.first = max(0, min(asked.first, (len(found) - 1) // ROWS * ROWS))
        shown = found[asked.first : asked.first + ROWS]
        now_ms = self._services.now_ms()
        for index, row in enumerate(self._rows):
            device = shown[index] if index < len(shown) else None
            row.content = row_html(device, fleet.worst.get(device.device), now_ms) if device else ""
        for state, count in fleet.counts().items():
            self._chips[state].content = f"{text.state_html(state)} <span class='number'>{count:,}</span>"
        for order, head in self._heads.items():
            ways = ("ascending", "descending") if order in _NAMES else ("descending", "ascending")
            head.props["aria-sort"] = dict(zip((order, f"-{order}"), ways, strict=True)).get(asked.order, "none")
        last = asked.first + len(shown)
        self._position.content = f"{asked.first + 1:,}–{last:,} of {len(found):,}" if found else "No device matches"
        self._back.props["disabled"] = asked.first == 0
        self._on.props["disabled"] = last >= len(found)

    def _search(self, find: str) -> None:
        self._shown.find = find
        self._choose(0)

    def _toggle(self, state: str) -> None:
        self._shown.states ^= {state}
        turn_switch(self._chips[state], on=state in self._shown.states)
        self._choose(0)

    def _sort(self, order: str) -> None:
        """By that column; pressed again, the other way round."""
        self._shown.order = f"-{order}" if self._shown.order == order else order
        self._choose(0)

    def _turn(self, rows: int) -> None:
        self._choose(self._shown.first + rows)

    def _choose(self, first: int) -> None:
        now = self._shown
        now.first = first
        self.show(self._fleet)
        order = now.order if now.order != _WORST else ""
        page = now.first // ROWS + 1 if now.first else 0
        keep_address(find=now.find, state=",".join(sorted(now.states)), sort=order, page=page)


def row_html(device: DeviceRow, alert: AlertRow | None, now_ms: int) -> str:
    """The cells of one device."""
    name = escape(device.device)
    cells = (
        text.state_html(device.state, device.note),
        f'<a href="{text.device_address(device.device)}">{name}</a>',
        f"{escape(text.platform_name(device.platform))}<small>{escape(device.board or '')}</small>",
        escape(device.firmware or "–"),
        memory_html(device),
        outlook_html(alert, now_ms),
        f'<span class="number">{text.ago(device.last_seen_ms, now_ms)}</span>',
    )
    return "".join(f'<td class="reason">{cell}</td>' if i == 5 else f"<td>{cell}</td>" for i, cell in enumerate(cells))


def memory_html(device: DeviceRow) -> str:
    """Numbers and a bar; the numbers alone when no limit is known."""
    if device.used is None:
        return '<span class="quiet">–</span>'
    share = fullness(device)
    of = f" of {text.kib(device.limit)}" if device.limit else ""
    what = f" <small style='display:inline'>{escape(device.used_of)}</small>" if device.used_of else ""
    numbers = f'<span class="number">{text.kib(device.used)}{of}</span>{what}'
    if share is None:
        return numbers
    level = "full" if share >= 0.95 else "high" if share >= 0.8 else ""
    return f'{numbers}<div class="bar {level}" aria-hidden="true"><i style="width:{min(share, 1):.0%}"></i></div>'


def outlook_html(alert: AlertRow | None, now_ms: int) -> str:
    """The time that is left, and the reason of the worst alert."""
    if alert is None:
        return ""
    time_left = left_ms(alert, now_ms)
    left = f"<b>{text.left(time_left)}</b> " if time_left is not None else ""
    return f'<span title="{escape(alert.reason)}">{left}{escape(alert.reason)}</span>'


def _empty_html(broker: str) -> str:
    return (
        "<h1>No device has reported yet</h1>"
        f"<p>The collector listens at <code>{escape(broker)}</code>.</p>"
        "<p>A board on a serial port: <code>memfleet agent --port /dev/ttyUSB0 --device kitchen-1</code></p>"
        "<p>No board at hand: <code>memfleet demo</code></p>"
        "<p>This page shows a device as soon as its first reading arrives.</p>"
    )
