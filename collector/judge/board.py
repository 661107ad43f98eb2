"""What the judge knows: the newest values of every series, the histories of used memory, the boots of the devices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from collector.agentclock import BEHIND_MS, NEWEST_MS, WRONG_S, behind_s
from collector.judge.columns import CLOCK_AHEAD, CLOCK_BEHIND, GROWING_KINDS, RATCHETS, limit_of
from collector.judge.detectors.history import History
from collector.judge.detectors.kernel import look_at_kernel
from collector.judge.detectors.leak import Leaks
from collector.judge.detectors.look import look, look_across_boots
from collector.judge.detectors.look_nights import leaks_of_ended, look_at_lost, look_at_nights
from collector.judge.detectors.marks import BORN_MS, PERIOD_MS
from collector.judge.detectors.outlived import forget_outlived
from collector.judge.expression import Numbers, Truths
from collector.judge.hearing import LIVE_MS
from collector.judge.samples import Part, Samples
from collector.judge.series import Rows as RowNumbers
from collector.judge.series import Table
from collector.judge.used import LAYERS
from telemetry.readings import KINDS, NOT_JUDGED, About
from telemetry.wire import Rows, flag_bits

_GUESSED = flag_bits(["guess"])
_LEFT_ALONE = flag_bits(NOT_JUDGED)
_UNLISTED = 3
"""So many listings without a task, which others of its heap are in, say that it is gone: one may have been torn."""
_WARM_UP_MS = 20_000
"""Start-up is no leak: used memory is not looked at for so long after a boot, where the uptime is known."""


class Book(Protocol):
    """Descriptions of devices (`collector.devices.DeviceBook`)."""

    def learn(self, about: About) -> None: ...
    def about(self, device: str) -> About: ...


class Board:
    """One table a kind, one history a growing kind. `is_wanted` says of a device whether somebody wanted that boot.

    `added` and `restarted` collect the rows that are new, and those whose device began a new boot, with how long (ms)
    the boot before it had been seen; `unsaved` what the histories took in since it was last on disk, by kind: None
    where nothing is kept there.
    """

    def __init__(self, describe: Callable[[str], About], is_wanted: Callable[[str, int], bool]) -> None:
        self._describe = describe
        self._is_wanted = is_wanted
        self.tables = {kind: Table(kind) for kind in KINDS if kind != "log"}
        self.histories = {
            kind: History(LAYERS.get(kind, 1), by_night=kind != "stack", falls=kind not in RATCHETS)
            for kind in GROWING_KINDS
        }
        self.boots: dict[str, int] = {}
        self.series_of: dict[str, list[tuple[str, int]]] = {}
        self.added: list[tuple[str, int]] = []
        self.restarted: list[tuple[str, int, int]] = []
        self.unsaved: list[tuple[str, Samples]] | None = None
        self._samples = {kind: Samples() for kind in GROWING_KINDS}

    def add_series(self, kind: str, device: str, names: tuple[str, ...]) -> int:
        """A row for a series that was not seen before."""
        table = self.tables[kind]
        row = table.add(device, names)
        if kind in self.histories:
            self.histories[kind].make_room(table.capacity)
        self.series_of.setdefault(device, []).append((kind, row))
        self.describe_row(kind, row, self._describe(device))
        self.added.append((kind, row))
        return row

    def describe_row(self, kind: str, row: int, about: About) -> None:
        """Take over what the description says about this series."""
        table = self.tables[kind]
        limit = limit_of(kind, about)
        if table.has("limit") and limit == limit:
            table.set(row, "limit", limit)

    def admit(self, block: Rows, time_ms: int, newest_ms: int) -> int | None:
        """The row of the series that a block is of, made ready for its boot; None: what it says is not judged.

        `time_ms` is its latest sample, `newest_ms` the device's newest before it.
        """
        if block.kind not in self.tables or block.flags & _LEFT_ALONE:
            return None
        if not self._is_current_boot(block, time_ms, newest_ms):
            return None
        table = self.tables[block.kind]
        row = table.find(block.device, block.names)
        if row is None:
            row = self.add_series(block.kind, block.device, block.names)
            table.boot[row] = block.boot
        if table.boot[row] != block.boot:
            table.begin_boot(row, block.boot)
            table.outdated[row] = False
            if block.kind in self.histories:
                self._samples[block.kind].begin_boot(row)
        return row

    def take(self, row: int, block: Rows, last: Sequence[Any], received_ms: int) -> None:
        """Take in what a series says that has no history; `last` is its latest sample."""
        table, time_ms = self.tables[block.kind], block.t0 + last[0]
        table.resolution[row] = block.resolution
        table.changed.add(row)
        if table.kind == "agent":
            time_ms = self._of_agent(row, dict(zip(block.fields, last[2:], strict=True)), time_ms, received_ms)
        if received_ms - time_ms > LIVE_MS or time_ms < table.time_ms[row]:
            return
        table.time_ms[row], table.heard_ms[row] = time_ms, received_ms
        if table.kind == "event":
            table.texts[row] = {}
        values, rows = table.values[row], block.rows
        for place, (name, column) in enumerate(table.places(block.fields), start=2):
            value = last[place]
            if value is None:
                value = _newest(rows, place)
            if isinstance(value, str):
                table.texts[row][name] = value
            elif value is not None and column is not None:
                values[column] = value
        table.touched.add(row)

    def _of_agent(self, row: int, values: Mapping[str, Any], time_ms: int, received_ms: int) -> int:
        """When it was that an agent said that of itself: on its way it cannot grow old, so it is news by any clock."""
        behind = behind_s(time_ms, received_ms, values.get("oldest_age_ms"))
        known_ms = values.get(BEHIND_MS)
        if isinstance(known_ms, int):
            behind = known_ms / 1000
        self.tables["agent"].set(row, CLOCK_BEHIND, np.nan if behind is None else behind)
        self.tables["agent"].set(row, CLOCK_AHEAD, np.nan if behind is None else -behind)
        return time_ms if behind is None else received_ms

    def is_clock_wrong(self, agent: str) -> bool:
        """Whether that agent stamps readings by a clock that is off: it runs evenly for all that."""
        table = self.tables["agent"]
        row = table.find(agent, ())
        return row is not None and bool(abs(table.column(CLOCK_BEHIND)[row]) > WRONG_S)

    def agents_far_off(self) -> list[str]:
        """Agents whose clock is so wrong that what their devices say is of the past, or refused."""
        table = self.tables["agent"]
        behind, ahead = table.column(CLOCK_BEHIND), table.column(CLOCK_AHEAD)
        rows = np.flatnonzero((behind * 1000 > LIVE_MS) | (ahead * 1000 > NEWEST_MS))
        return [table.devices[row] for row in rows.tolist()]

    def take_used(self, kind: str, rows: RowNumbers, times: RowNumbers, uptimes: Numbers, used: Numbers) -> None:
        """Used memory for the histories; what is not known, and what is of a start-up, is left out."""
        counts = ~np.isnan(used[:, 0]) & ~(uptimes < _WARM_UP_MS)
        if not counts.all():
            rows, times, uptimes, used = rows[counts], times[counts], uptimes[counts], used[counts]
        if len(rows):
            self._samples[kind].add(rows, times, uptimes, used)

    def is_over(self, kind: str, rows: RowNumbers, now_ms: int) -> Truths:
        """Whether nothing more is to come of these rows: their boot is over, or they are tasks that their device lists
        no more."""
        over = self.tables[kind].outdated[rows]
        if kind == "task":
            often = _UNLISTED * np.nan_to_num(self.histories[kind].mark(rows, PERIOD_MS), nan=np.inf)
            unheard = ~over & (now_ms - self.tables[kind].time_ms[rows] > often)
            over[unheard] = [self._is_unlisted(row) for row in rows[unheard].tolist()]
        return over

    def _is_unlisted(self, row: int) -> bool:
        """Whether its device has listed other tasks of that heap ever since that one was heard."""
        tasks, history = self.tables["task"], self.histories["task"]
        device, heap = tasks.devices[row], tasks.names[row][1:]
        listed = np.array(
            [one for kind, one in self.series_of[device] if kind == "task" and tasks.names[one][1:] == heap]
        )
        listed = listed[tasks.boot[listed] == tasks.boot[row]]
        often_ms = np.fmax.reduce(history.mark(listed, PERIOD_MS))
        return bool(np.max(tasks.time_ms[listed]) - tasks.time_ms[row] > _UNLISTED * often_ms)

    def tick(self) -> None:
        """Look at all series that closed a bucket since the last tick, and at those whose device began a new boot."""
        if self._samples["task"]:
            _limit_by_heaps(self.tables["task"], self.tables["heap"])
        for kind, samples in self._samples.items():
            if samples:
                self._samples[kind] = Samples()
                self._take_in(self.tables[kind], self.histories[kind], samples)
                if self.unsaved is not None:
                    self.unsaved.append((kind, samples))

    def is_cut(self, table: Table, rows: RowNumbers) -> Truths:
        """Whether somebody ended the boot before of the devices of these rows."""
        devices = [table.devices[row] for row in rows.tolist()]
        return np.array([self._is_wanted(device, self.boots[device]) for device in devices], dtype=np.bool_)

    def look_at_lost(self, devices: Sequence[str]) -> dict[str, RowNumbers]:
        """Look at the series of devices that have just fallen silent: for all that is known their boot is over. Those
        of which a leak is told now, by kind."""
        series = [one for device in devices for one in self.series_of[device]]
        told = {}
        for kind, history in self.histories.items():
            rows = np.array([row for own, row in series if own == kind], dtype=np.int64)
            if len(rows):
                told[kind] = look_at_lost(self.tables[kind], history, rows)
        return told

    def _take_in(self, table: Table, history: History, samples: Samples) -> None:
        """Boot by boot: what a boot that is over still said belongs to its shape, and is not looked at any more."""
        for parts, over in samples.by_boot():
            for part in parts:
                self._add(table, history, part, over)
            if len(over):
                ended = self._leaks_of_ended(table, history, over)
                for row in over.tolist():
                    history.forget(row)
                look_across_boots(table, history, over, ended)

    def _leaks_of_ended(self, table: Table, history: History, over: RowNumbers) -> Leaks:
        """A boot that somebody ended may have ended in the middle of anything: it tells nothing."""
        ended, cut = leaks_of_ended(table, history, over), self.is_cut(table, over)
        return Leaks(*(np.where(cut, np.nan, column) for column in ended))

    def _add(self, table: Table, history: History, part: Part, over: RowNumbers) -> None:
        rows, times, uptimes, used = part
        closed, levels = history.add(rows, times, used, uptimes)
        nights = history.blocks.take_closed()
        if len(over):
            goes_on = ~np.isin(closed, over)
            closed, levels, nights = closed[goes_on], levels[goes_on], nights[~np.isin(nights, over)]
        if len(closed):
            look(table, history, closed, levels)
            look_at_kernel(table, history, closed, levels)
            forget_outlived(table, history, closed)
        if len(nights):
            look_at_nights(table, history, nights, self.is_cut)

    def _is_current_boot(self, block: Rows, time_ms: int, newest_ms: int) -> bool:
        known = self.boots.get(block.device)
        if known == block.boot:
            return True
        later = time_ms > newest_ms and not block.flags & _GUESSED  # counted anew: another agent, or a lost outbox
        if known is not None and block.boot < known and not later:
            return False
        self.boots[block.device] = block.boot
        if known is not None:
            for kind, row in self.series_of.get(block.device, ()):
                self.tables[kind].outdated[row] = kind != "device"
                self.tables[kind].changed.add(row)
                self.restarted.append((kind, row, self._lasted_ms(kind, row)))
        return True

    def _lasted_ms(self, kind: str, row: int) -> int:
        """From the start of its boot to the last that was heard of this row; 0 where that is not known."""
        if kind not in self.histories:
            return 0
        lasted_ms = self.tables[kind].time_ms[row] - self.histories[kind].peaks[row, BORN_MS]
        return int(max(0.0, np.nan_to_num(lasted_ms)))


def _limit_by_heaps(tasks: Table, heaps: Table) -> None:
    """What a task may take is its heap, where the device tells the size of that but not beside the task."""
    for row in np.flatnonzero(np.isnan(tasks.view(np.arange(len(tasks)))["limit"])).tolist():
        heap = heaps.find(tasks.devices[row], tasks.names[row][1:])
        if heap is not None:
            tasks.set(row, "limit", heaps.view(np.array([heap]))["limit"][0])


def _newest(rows: Sequence[Sequence[Any]], place: int) -> Any:
    return next((cells[place] for cells in reversed(rows) if cells[place] is not None), None)
