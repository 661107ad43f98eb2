"""Readings of memory on their way into the tables: blocks wait here, and go in by columns, many at once.

Only blocks of the present boot of their device wait. Whatever else comes is taken in at once, and what waits before it:
so nothing is seen out of order, however many wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from collector.judge.cells import Cells
from collector.judge.expression import Numbers, Truths
from collector.judge.hearing import LIVE_MS, Hearing
from collector.judge.series import Names, Table
from collector.judge.series import Rows as RowNumbers
from collector.judge.used import FREE, used_of
from telemetry.readings import NOT_JUDGED, About
from telemetry.wire import Rows, flag_bits

Fields = tuple[str, ...]
TakeUsed = Callable[[str, RowNumbers, RowNumbers, Numbers, Numbers], None]
"""Takes a kind; and of each sample its row, time (wall ms), uptime (ms, NaN: unknown), used memory by layer."""

_LEFT_ALONE = flag_bits(NOT_JUDGED)

_MOST_FORMS = 1000
_AT_ONCE = 4000
"""Blocks that are taken in at once: a processor's cache has room for so many."""


class _Form:
    """Blocks of one kind with the same fields that wait: each with its route and the number of its arrival."""

    def __init__(self, table: Table, fields: Fields) -> None:
        self.table, self.fields = table, fields
        self.places = table.places(fields)
        self.clear()

    def clear(self) -> None:
        """Nothing waits."""
        self.routes: list[_Route] = []
        self.blocks: list[Rows] = []
        self.arrivals: list[int] = []


class _Route:
    """Where the blocks of a series go while its boot lasts: its row, its device's, and the form of the last of them."""

    __slots__ = ("device", "form", "row", "waits")

    def __init__(self, row: int, device: int, form: _Form) -> None:
        self.row, self.device, self.form = row, device, form
        self.waits = False


class _Boot:
    """The present boot of a device: the routes of its series, by kind and names."""

    __slots__ = ("number", "routes")

    def __init__(self, number: int) -> None:
        self.number = number
        self.routes: dict[tuple[str, Names], _Route] = {}


class Inbox:
    """Takes in blocks; tells `hearing` when their devices were heard, and `take_used` what was used."""

    def __init__(self, hearing: Hearing, take_used: TakeUsed) -> None:
        self._hearing = hearing
        self._take_used = take_used
        self._boots: dict[str, _Boot] = {}
        self._forms: dict[tuple[str, Fields], _Form] = {}
        self._waiting: list[_Form] = []
        self._arrivals: list[tuple[int, int]] = []

    def arrival(self, received_ms: int, agent: int) -> None:
        """The next blocks came then, from the agent of that number."""
        if sum(len(form.blocks) for form in self._waiting) >= _AT_ONCE:
            self.flush()
        self._arrivals.append((received_ms, agent))

    def put(self, blocks: Iterable[About | Rows]) -> Iterator[About | Rows]:
        """Let blocks wait for the tick; gives out, each in its turn, those that may not: they are no readings, the
        first of their boot, or flagged."""
        boots = self._boots
        for block in blocks:
            if isinstance(block, Rows) and not block.flags & _LEFT_ALONE:
                boot = boots.get(block.device)
                if boot is not None and boot.number == block.boot:
                    route = boot.routes.get((block.kind, block.names))
                    if route is not None:
                        self._put(block, route)
                        continue
            yield block

    def begin(self, block: Rows, table: Table, row: int, device: int) -> None:
        """As `put`, of the first block of the present boot of the series in that row."""
        boot = self._boots.get(block.device)
        if boot is None or boot.number != block.boot:
            boot = self._boots[block.device] = _Boot(block.boot)
        route = boot.routes.get((block.kind, block.names))
        if route is None:
            route = boot.routes[block.kind, block.names] = _Route(row, device, self._form(table, block.fields))
        self._put(block, route)

    def forget(self, device: str) -> None:
        """The device began a new boot, with all its series."""
        self._boots.pop(device, None)

    def flush(self) -> None:
        """Take in all that waits."""
        if self._waiting:
            arrivals = np.array(self._arrivals, dtype=np.int64)
            for form in self._waiting:
                self._take_in(form, arrivals)
                form.clear()
            self._waiting.clear()
        del self._arrivals[:-1]  # more may come of the last

    def _put(self, block: Rows, route: _Route) -> None:
        if route.waits:  # what comes twice goes in one after the other
            self.flush()
        form = route.form
        if form.fields != block.fields:
            form = route.form = self._form(form.table, block.fields)
        if not form.blocks:
            self._waiting.append(form)
        route.waits = True
        form.routes.append(route)
        form.blocks.append(block)
        form.arrivals.append(len(self._arrivals) - 1)

    def _form(self, table: Table, fields: Fields) -> _Form:
        form = self._forms.get((table.kind, fields))
        if form is None:
            if len(self._forms) >= _MOST_FORMS:  # each order of the fields is one
                self._forms.clear()
            form = self._forms[table.kind, fields] = _Form(table, fields)
        return form

    def _take_in(self, form: _Form, arrivals: RowNumbers) -> None:
        table, routes, cells = form.table, form.routes, Cells(form.blocks)
        for route in routes:
            route.waits = False
        rows = np.fromiter([route.row for route in routes], np.int64)
        devices = np.fromiter([route.device for route in routes], np.int64)
        received_ms, agents = arrivals[np.fromiter(form.arrivals, np.int64)].T
        times = cells.times[cells.last]
        self._hearing.samples(agents, devices, np.minimum(received_ms, times))
        table.resolution[rows] = np.fromiter([block.resolution for block in form.blocks], np.int64)
        table.changed.update(rows)
        is_news = (received_ms - times <= LIVE_MS) & (times >= table.time_ms[rows])
        _take_values(form, cells, rows, is_news, times)
        news = rows[is_news]
        table.time_ms[news], table.heard_ms[news] = times[is_news], received_ms[is_news]
        table.touched.update(news)
        sizes = _sizes(form, cells, rows)[cells.of]
        only_peaks = np.isnan(table.column("user_mode")[rows])[cells.of] if table.kind == "process" else False
        used = used_of(table.kind, dict(zip(form.fields, cells.values, strict=True)), sizes, only_peaks)
        if used is not None:
            self._take_used(table.kind, rows[cells.of], cells.times, cells.uptimes, used)


def _take_values(form: _Form, cells: Cells, rows: RowNumbers, is_news: Truths, times: RowNumbers) -> None:
    """A value stays until a newer one replaces it: some devices say what belongs together in several lines."""
    values, told_ms = form.table.values, form.table.told_ms
    for place, (_, column) in enumerate(form.places):
        if column is not None:
            newest = cells.newest(place)
            said = is_news & ~np.isnan(newest)
            values[rows[said], column] = newest[said]
            if told_ms is not None:
                told_ms[rows[said], column] = times[said]


def _sizes(form: _Form, cells: Cells, rows: RowNumbers) -> Numbers:
    """The size of each thing, bytes. Where only is told what is free, or was at least: that, as it was at first."""
    table = form.table
    sizes = table.column("size" if table.has("size") else "limit")[rows]
    unknown = np.isnan(sizes)
    if "size" in form.fields or not unknown.any():
        return sizes
    sizes = np.where(unknown, table.column("limit")[rows], sizes)
    if (field := FREE.get(table.kind)) in form.fields:
        free = cells.values[form.fields.index(field)][cells.first]
        is_first = np.isnan(sizes) & ~np.isnan(free)
        sizes[is_first] = free[is_first]
        table.column("limit")[rows[is_first]] = free[is_first]
    return sizes
