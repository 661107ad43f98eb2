"""The states of one rule over all rows of its table: idle, pending, firing. Pure, by column.

    idle    -- when holds ---------------------------------> pending (at once firing, if `for` is 0)
    pending -- when does not hold -------------------------> idle
    pending -- when has held for `for` --------------------> firing
    firing  -- clear has held for `keep_firing_for` -------> idle (resolved)

Spans are measured from tick to tick. `since_ms` is the time of the sample at which the condition began to hold. What
fires while its device restarts goes on if the new boot shows it again, and otherwise ends as what a restart has ended.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from collector.judge.expression import Truths
from collector.judge.rules import Rule
from collector.judge.series import Rows, grown

IDLE, PENDING, FIRING = 0, 1, 2

Times = npt.NDArray[np.int64]


class AlertState(NamedTuple):
    """One row's state, as it is kept on disk. Times in ms; `clear_tick` is 0 while the alert does not clear, `boot_ms`
    how long the boot was that ended while the alert fired, 0 where none did."""

    status: int
    since_ms: int
    pending_tick: int
    clear_tick: int
    boot_ms: int


class Seen(NamedTuple):
    """What a tick shows of some rows: the times of their samples, whether the condition holds, whether it may end, and
    whether that is to be waited for."""

    rows: Rows
    times: Times
    breach: Truths
    clear: Truths
    at_once: Truths


class Alerts:
    """All states of one rule. `changed` are the rows that differ from what is on disk."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.changed: set[int] = set()
        self.selected: Truths = np.zeros(0, dtype=np.bool_)
        self.status = np.zeros(0, dtype=np.int8)
        self.since_ms, self.pending_tick, self.clear_tick, self.boot_ms = (
            np.zeros(0, dtype=np.int64) for _ in range(4)
        )

    def make_room(self, capacity: int) -> None:
        """Have a state for that many rows."""
        if len(self.status) < capacity:
            self.selected = grown(self.selected, capacity, False)
            self.status = grown(self.status, capacity, IDLE)
            self.since_ms, self.pending_tick, self.clear_tick, self.boot_ms = (
                grown(array, capacity, 0) for array in (self.since_ms, self.pending_tick, self.clear_tick, self.boot_ms)
            )

    def active(self) -> Rows:
        """Rows that are pending or firing, in order."""
        return np.flatnonzero(self.status)

    def state(self, row: int) -> AlertState:
        """One row's state."""
        columns = (self.status, self.since_ms, self.pending_tick, self.clear_tick, self.boot_ms)
        return AlertState(*(int(column[row]) for column in columns))

    def restore(self, row: int, state: AlertState) -> None:
        """Put back a state that `state` gave."""
        self.status[row], self.since_ms[row], self.pending_tick[row], self.clear_tick[row], self.boot_ms[row] = state

    def end_boot(self, row: int, lasted_ms: int) -> None:
        """The device restarted, after so long: what was about to fire begins anew, what fires has to be seen again."""
        if self.status[row] == PENDING:
            self.status[row] = IDLE
        elif self.status[row] == FIRING:
            self.boot_ms[row] = max(1, lasted_ms, self.boot_ms[row])
        else:
            return
        self.changed.add(row)

    def advance(self, seen: Seen, now: int) -> tuple[Rows, Rows]:
        """Move these rows on to the tick `now`; rows that began to fire, rows that are resolved. All in row order."""
        rows, times, breach, clear, at_once = seen
        status = self.status[rows]
        begun = (status == IDLE) & breach
        self.since_ms[rows[begun]] = times[begun]
        self.pending_tick[rows[begun]] = now
        again = breach & (self.boot_ms[rows] > 0)
        self.boot_ms[rows[again]] = 0
        pending = (status == PENDING) | begun
        fires = pending & breach & (now - self.pending_tick[rows] >= self.rule.for_ms)
        gone = pending & ~breach

        firing = status == FIRING
        clears = firing & clear & ~breach
        starts_to_clear = clears & (self.clear_tick[rows] == 0)
        stays = firing & ~clears & (self.clear_tick[rows] != 0)
        self.clear_tick[rows[starts_to_clear]] = now
        self.clear_tick[rows[stays | fires]] = 0
        resolved = clears & (at_once | (now - self.clear_tick[rows] >= self.rule.keep_firing_ms))

        self.status[rows[begun]] = PENDING
        self.status[rows[fires]] = FIRING
        self.status[rows[gone | resolved]] = IDLE
        self.changed.update(rows[begun | fires | gone | starts_to_clear | stays | resolved | again].tolist())
        return rows[fires], rows[resolved]
