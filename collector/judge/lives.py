"""What the readings say of a device's life: which boots begin, why, and what memory was just before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isnan, nan
from typing import Any

import numpy as np

from collector.judge.board import Board
from collector.judge.columns import EXHAUSTED_AT, SHORT_TEXTS
from collector.judge.detectors.memory import Rooms
from collector.judge.detectors.reboots import SHORTAGE_MS, Begun, Reboots
from collector.judge.expression import Numbers
from collector.judge.series import Rows as RowNumbers
from telemetry.readings import FLAGS, About
from telemetry.resets import is_deliberate, is_for_want_of_memory, reset_class
from telemetry.wire import Rows

PORT_OPENED = "port opened"
"""The cause that the serial bridge adds to a boot that its own opening of the port brought about."""

_FAILED = ("alloc_failed",)
_SHORTAGES = (_FAILED, ("oom_kill",))
_STARTS = (("boot",), ("reset",))
_SAID_OF_START = (("device", (), "reset_reason"), *(("event", names, "reason") for names in _STARTS))
_CRASHES = ("panic", "watchdog", "software")
"""Classes of resets that a request for memory which fails may end in: firmware panics, hangs, or restarts itself."""
_BREAKDOWNS = ("panic", "watchdog")
_KILLED, _NEAR_LIMIT = "killed", 0.90
"""An application that was killed with so much of its limit used was killed for that; below, nobody knows."""
_GUESSED = 1 << FLAGS.index("guess")


class Lives:
    """Tells `reboots` of what comes in, beside the board that takes it in."""

    def __init__(self, board: Board, reboots: Reboots) -> None:
        self._board = board
        self._reboots = reboots
        self._rooms = Rooms(board.tables, board.histories, board.series_of)

    def begun_by(self, block: Rows, agent: str) -> Begun | None:
        """The boot that this block begins, looked at before the board forgets what the boot before it said.

        How far apart the boots lie that an agent tells of from before its own start nobody knows.
        """
        known = self._board.boots.get(block.device)
        if known is None or block.boot <= known or not block.rows:
            return None
        if block.flags & _GUESSED and not self._board.is_clock_wrong(agent):
            return None
        time_ms, is_known = _start_of(block)
        heard_ms = self._rooms.heard_ms(block.device, known) if is_known and block.boot == known + 1 else nan
        before = self._rooms.last(block.device, known, time_ms)
        sank = before is not None and self._rooms.sank(before)
        return Begun(block.device, block.boot, time_ms, before, heard_ms, sank)

    def born(self, row: int, block: Rows) -> None:
        """The first that is heard of a device: its boot is as old as its uptime says, or else begins for us."""
        if block.rows and not block.flags & _GUESSED:
            self._reboots.born(row, _start_of(block)[0])

    def begin(self, row: int, begun: Begun, received_ms: int) -> None:
        """The board has taken in the block: where it holds that boot by now, a restart is noted."""
        if self._board.boots.get(begun.device) == begun.boot:
            self._reboots.begin(row, begun, received_ms)

    def describe(self, known: About, now: About) -> None:
        """Another firmware than before: whoever installed it wanted the restart, and where the heaps of the one before
        ran out says nothing of this one."""
        before, after = known.texts.get("firmware"), now.texts.get("firmware")
        row = self._board.tables["device"].find(now.device, ())
        if before and after and before != after and row is not None:
            self._reboots.want(row, now.boot)
            heaps = [heap for kind, heap in self._board.series_of[now.device] if kind == "heap"]
            self._set_exhausted(np.array(heaps, dtype=np.int64), np.full(len(heaps), np.nan))

    def take(self, row: int, block: Rows) -> None:
        """An event, or what a device says of itself."""
        if block.boot != self._board.boots.get(block.device):
            return
        if block.kind in ("device", "agent"):
            for _, texts in _texts(block):
                self._hear_reason(row, block.boot, texts.get("reset_reason", ""))
            return
        self._note_memory(block)
        for time_ms, texts in _texts(block):
            reason = texts.get("reason", "")
            if block.names[:1] in _STARTS:
                wanted = texts.get("cause") == PORT_OPENED
                self._hear_reason(row, block.boot, "usb" if wanted else f"{reason} {texts.get('class', '')}")
            elif self._tells_shortage(block, time_ms, f"{reason} {texts.get('text', '')}"):
                self._reboots.shortage(row, time_ms)

    def note_exhausted(self, now_ms: int) -> None:
        """Put beside each heap that a device has restarted for want of how many bytes of it were used by then."""
        self._set_exhausted(*self._reboots.exhausted(now_ms))

    def newest_short(self, row: int, now_ms: int) -> dict[str, str]:
        """SHORT_TEXTS for a sentence on the newest restart of a device for want of memory, as far as they are known."""
        short = self._reboots.newest_short(row, now_ms)
        if short is None:
            return {}
        device, heaps = self._board.tables["device"].devices[row], self._board.tables["heap"].names
        memory = "user-mode memory" if isnan(short.heap) else f"the heap {' / '.join(heaps[int(short.heap)])}"
        reason = self._said_of_start(device) if short.boot == self._board.boots.get(device) else ""
        why = _why(reason, said=short.said)
        sign = "an allocation had failed" if self._had_failed(device, short.at_ms) else ""
        return dict(zip(SHORT_TEXTS, (why, memory, reason, sign), strict=True))

    def _set_exhausted(self, rows: RowNumbers, used: Numbers) -> None:
        heaps = self._board.tables["heap"]
        column = heaps.column(EXHAUSTED_AT)
        heaps.changed.update(rows[column[rows] != used])
        column[rows] = used

    def _had_failed(self, device: str, at_ms: float) -> bool:
        """Whether the newest allocation that failed did so just before that time."""
        table = self._board.tables["event"]
        row = table.find(device, _FAILED)
        return row is not None and 0 <= at_ms - float(table.time_ms[row]) <= SHORTAGE_MS

    def _said_of_start(self, device: str) -> str:
        """Why the present boot of the device began, in its own words."""
        for kind, names, name in _SAID_OF_START:
            table = self._board.tables[kind]
            row = table.find(device, names)
            if row is not None and table.boot[row] == self._board.boots[device] and table.texts[row].get(name):
                return table.texts[row][name]
        return ""

    def _hear_reason(self, row: int, boot: int, reason: str) -> None:
        named = reset_class(reason)
        if is_for_want_of_memory(reason):
            self._reboots.blame(row, boot)
        elif is_deliberate(reason):
            self._reboots.want(row, boot)
        elif named not in ("", "unknown"):
            self._reboots.accuse(row, boot, crashed=named in _CRASHES)

    def _tells_shortage(self, block: Rows, time_ms: int, said: str) -> bool:
        if block.names[:1] == (_KILLED,):
            memory = self._rooms.last_sized(block.device, block.boot, time_ms)
            return memory is not None and memory.fill >= _NEAR_LIMIT
        return block.names[:1] in _SHORTAGES or is_for_want_of_memory(said)

    def _note_memory(self, block: Rows) -> None:
        """Put beside the event what the device last said of its memory."""
        table = self._board.tables["event"]
        event = table.find(block.device, block.names)
        if event is None:
            return
        time_ms = block.t0 + block.rows[-1][0]
        memory = self._rooms.last_sized(block.device, block.boot, time_ms)
        if memory is not None:
            table.set(event, "memory_used", memory.used)
            table.set(event, "memory_limit", memory.limit)
            table.set(event, "memory_fill", memory.fill)
        table.set(event, "tracked_used", self._rooms.tracked(block.device, block.boot, time_ms))


def _start_of(block: Rows) -> tuple[int, bool]:
    """When the boot of this block began, wall ms, by its uptime, and whether that is known; else when it was heard."""
    time_ms, uptime_ms = block.t0 + block.rows[0][0], block.rows[0][1]
    if block.u0 is None or uptime_ms is None:
        return time_ms, False
    return time_ms - block.u0 - uptime_ms, True


def _why(reason: str, *, said: bool) -> str:
    """How sure it is that memory was the reason of a restart: nobody asks for a crash, as one may for a restart that
    comes while little memory is left."""
    if said:
        return "because memory ran out"
    return "probably because memory ran out" if reset_class(reason) in _BREAKDOWNS else "with little memory left"


def _texts(block: Rows) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The time and the texts of each row."""
    for cells in block.rows:
        values = zip(block.fields, cells[2:], strict=True)
        yield block.t0 + cells[0], {name: value for name, value in values if isinstance(value, str)}
