"""The detectors on the rows of a table: windows out of the history, verdicts into the table's columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from collector.judge.columns import (
    BLOCK_HOURS,
    FRAGMENT_COLUMNS,
    FRAGMENT_LEVEL,
    LEAK_BOOTS,
    LEAK_ENDED,
    LEAK_LEVEL,
    RATCHETS,
    STEP_COLUMNS,
    STEP_LEVEL,
)
from collector.judge.detectors import rush
from collector.judge.detectors.boots import find_leaks_across_boots
from collector.judge.detectors.fragmentation import find_fragmentation, may_have_shrunk
from collector.judge.detectors.ground import Ground
from collector.judge.detectors.history import HOUR_MS, History
from collector.judge.detectors.largest_block import (
    end_of_largest_block,
    ended_by,
    is_well_before,
    leaks_of_largest_block,
    may_take_largest_block,
)
from collector.judge.detectors.leak import Leaks, find_leaks, has_not_ended, may_have_grown, may_rise
from collector.judge.detectors.marks import (
    CEILING,
    CEILING_MS,
    HELD_MS,
    KNOWN_MS,
    KNOWN_TO,
    LAST,
    LAST_MS,
    PEAKS,
    PERIOD_MS,
    REACHED,
)
from collector.judge.detectors.quiet import LEAST_H, LEAST_PART, OFTEN_S, find_quiet_leaks, view_that_holds
from collector.judge.detectors.step import find_steps, is_new
from collector.judge.detectors.tell import ACROSS_BOOTS, QUIET, never, tell, tell_leaks
from collector.judge.detectors.trace import COARSEST, FINEST, TRACED, trace_of
from collector.judge.detectors.views import LEVEL_OF, is_daily, views_of, watched
from collector.judge.expression import Numbers, Truths
from collector.judge.series import Rows, Table
from collector.judge.used import end_of_memory, most_used

_NOTHING_ABOVE = 0.95
"""From such a part of the limit on nothing could stand above a peak. What least values were then says what stood
before, else one reading of a full heap, a wrong one perhaps, would hide every leak of its boot."""
_HIDDEN = 3.0
"""How many times what was free of a heap when it was first heard may have been used then, where only what is free is
told: three quarters of it all."""


def ground_of(table: Table, history: History, views: Rows, rows: Rows) -> Ground:
    """What the leak detector has to know of these rows beside their windows."""
    known = table.view(rows)
    ceilings, limits = history.mark(rows, CEILING), end_of_memory(known)
    return Ground(
        limits,
        np.where(ceilings > _NOTHING_ABOVE * limits, np.nan, ceilings),
        history.mark(rows, LAST_MS) - history.mark(rows, CEILING_MS),
        np.fmax(history.highest_before(rows, LEVEL_OF[views]), history.mark(rows, REACHED)),
        history.mark(rows, KNOWN_TO),
        history.mark(rows, PEAKS),
        history.given_back(rows, LEVEL_OF[views]),
        table.resolution[rows].astype(np.float64),
        history.mark(rows, LAST_MS) - history.heard_since_ms(rows) + np.nan_to_num(history.mark(rows, KNOWN_MS)),
        np.full(len(rows), float(table.kind in RATCHETS)),
        history.mark(rows, LAST),
        history.mark(rows, LAST_MS) - history.begin_open_ms(rows, LEVEL_OF[views]),
        np.where(np.isnan(known["used"]), _HIDDEN * known["limit"], 0),
        most_used(known),
        day_before(history, views, rows),
        history.least_since(rows, history.mark(rows, CEILING_MS)),
    )


def day_before(history: History, views: Rows, rows: Rows, layer: int = 0) -> Numbers:
    """`Ground.day_before`, which is asked of whole days alone."""
    highest, daily = np.full(len(rows), np.nan), np.flatnonzero(is_daily(views))
    if len(daily):
        highest[daily] = history.highest_day_before(rows[daily], LEVEL_OF[views[daily]], layer)
    return highest


def look(table: Table, history: History, closed: Rows, levels: Rows) -> None:
    """Look at rows that closed a bucket of those levels."""
    told = LEAK_LEVEL, STEP_LEVEL
    rows, views = views_of(*_lively(table, history, closed, levels, told))
    if len(rows):
        windows = history.windows(rows, LEVEL_OF[views])
        _look_for_leaks(table, history, rows, views, windows)
        if table.has(STEP_LEVEL):
            _look_for_steps(table, history, rows, views, windows)
    if table.kind not in RATCHETS:
        _look_for_quiet_leaks(table, history, closed[levels == FINEST])
    if table.has(FRAGMENT_LEVEL):
        _look_for_fragments(table, history, closed, levels)


def _lively(
    table: Table, history: History, rows: Rows, levels: Rows, told: Sequence[str], layer: int = 0
) -> tuple[Rows, Rows]:
    """Those of which anything moved, or was told: what stands still tells nothing, and most things do."""
    lively = history.moved(rows, levels, layer)
    for level in told:
        if table.has(level):
            lively |= ~np.isnan(table.column(level)[rows])
    return rows[lively], levels[lively]


def _look_for_steps(table: Table, history: History, rows: Rows, views: Rows, windows: Numbers) -> None:
    steps = find_steps(windows, views, table.view(rows)["limit"], ratchet=table.kind in RATCHETS)
    found = np.flatnonzero(~np.isnan(steps.size))
    before = history.highest_before(rows[found], LEVEL_OF[views[found]])
    told = np.zeros(len(rows), dtype=np.bool_)
    told[found] = is_new(steps.size[found], steps.level[found], before).held
    here, columns = views.astype(np.float64), (STEP_LEVEL, *STEP_COLUMNS)
    tell(table, rows, columns, (here, steps.size, steps.hours), told, never)


def _look_for_fragments(table: Table, history: History, closed: Rows, levels: Rows) -> None:
    rows, views = views_of(*_lively(table, history, closed, levels, (FRAGMENT_LEVEL,), layer=1))
    if not len(rows):
        return
    outside = history.windows(rows, LEVEL_OF[views], layer=1)
    limits = table.view(rows)["limit"]
    told_here = table.column(FRAGMENT_LEVEL)[rows] == views
    chosen = np.flatnonzero(may_have_shrunk(watched(outside, views), limits) | told_here)
    if not len(chosen):
        return
    rows, views, outside = rows[chosen], views[chosen], outside[chosen]
    windows = history.windows(rows, LEVEL_OF[views])
    before = history.highest_before(rows, LEVEL_OF[views], layer=1)
    fragments = find_fragmentation(windows, outside, views, limits[chosen], before)
    columns, values = (FRAGMENT_LEVEL, *FRAGMENT_COLUMNS), (views.astype(np.float64), *fragments)
    stays = stays_told(history, rows, views, outside, layer=1, flat=True)
    tell(table, rows, columns, values, ~np.isnan(fragments.now), stays)


class _Looked(NamedTuple):
    """Rows that are looked at, each by a view, with their windows and the ground beside these."""

    rows: Rows
    views: Rows
    windows: Numbers
    ground: Ground

    def of(self, some: Rows) -> _Looked:
        """Some of them only."""
        return _Looked(self.rows[some], self.views[some], self.windows[some], self.ground.of(some))


def _look_for_leaks(table: Table, history: History, rows: Rows, views: Rows, windows: Numbers) -> None:
    chosen = _worth_a_look(table, rows, views, windows)
    if not len(chosen):
        return
    rows, views, windows = rows[chosen], views[chosen], windows[chosen]
    ground = ground_of(table, history, views, rows)
    leaks, beside = find_leaks(windows, views, ground), {}
    if rush.is_asked_of(table.kind):
        leaks = leaks.or_else(rush.find_rushes(history.samples(rows, LEVEL_OF[views]), views, ground))
    if table.has(BLOCK_HOURS):
        leaks, beside[BLOCK_HOURS] = _with_largest_block(table, history, _Looked(rows, views, windows, ground), leaks)
    tell_leaks(table, rows, views, leaks, stays_told(history, rows, views, windows), beside)


def block_ground_of(table: Table, history: History, views: Rows, rows: Rows, ground: Ground) -> Ground:
    """What is known of what lies outside of the largest free block, beside its windows, where `ground` is that of used
    memory: there are no marks of it, and for how long it has been heard says nothing."""
    newest, unknown = table.view(rows), np.full(len(rows), np.nan)
    return ground._replace(
        limits=newest["limit"],
        ceilings=unknown,
        ceiling_ages_ms=unknown,
        held_before=history.highest_before(rows, LEVEL_OF[views], layer=1),
        known_to=unknown,
        peaks=unknown,
        given_back=history.given_back(rows, LEVEL_OF[views], layer=1),
        heard_ms=np.zeros(len(rows)),
        newest=newest["limit"] - newest["largest_free"],
        most=unknown,
        day_before=unknown,
        foot=unknown,
    )


def _with_largest_block(table: Table, history: History, looked: _Looked, leaks: Leaks) -> tuple[Leaks, Numbers]:
    """These leaks and those that only the largest free block tells, ended by it where it is gone well before the last
    byte, or tells them; and the hours until then, NaN of all others."""
    both = leaks.or_else(_leaks_of_largest_block(table, history, looked))
    told, by_block = np.flatnonzero(~np.isnan(both.rate)), np.full(len(looked.rows), np.nan)
    if len(told):
        of_told = both.of(told)
        rows, views, used, ground = looked.of(told)
        outside = history.windows(rows, LEVEL_OF[views], layer=1)
        block = end_of_largest_block(used, outside, views, block_ground_of(table, history, views, rows, ground))
        sooner = is_well_before(block, of_told, used, views, ground)
        sooner |= np.isnan(leaks.rate[told]) & (block.left < of_told.hours_left)
        for column, ended in zip(both, ended_by(of_told, sooner, block), strict=True):
            column[told] = ended
        by_block[told] = np.where(sooner, block.left, np.nan)
    return both, by_block


def _leaks_of_largest_block(table: Table, history: History, looked: _Looked) -> Leaks:
    """What the largest free block tells of these rows: few are worth a look at that."""
    found = Leaks(*np.full((len(Leaks._fields), len(looked.rows)), np.nan))
    some = np.flatnonzero(may_take_largest_block(watched(looked.windows, looked.views), looked.ground.limits))
    if len(some):
        rows, views, used, ground = looked.of(some)
        outside = history.windows(rows, LEVEL_OF[views], layer=1)
        of_block = block_ground_of(table, history, views, rows, ground)
        for column, leak in zip(found, leaks_of_largest_block(used, outside, views, ground, of_block), strict=True):
            column[some] = leak
    return found


def _worth_a_look(table: Table, rows: Rows, views: Rows, windows: Numbers) -> Rows:
    """Which of these may be a leak, or were told as one: few of a healthy fleet, so this is what looking costs."""
    limits, resolutions = end_of_memory(table.view(rows)), table.resolution[rows].astype(np.float64)
    of_views = watched(windows, views)
    worth = may_have_grown(of_views, limits, resolutions)
    some = np.flatnonzero(worth)
    worth[some] = may_rise(of_views[some], views[some]) | rush.may_rush(windows[some], views[some])
    return np.flatnonzero(worth | (table.column(LEAK_LEVEL)[rows] == views))


def _look_for_quiet_leaks(table: Table, history: History, rows: Rows) -> None:
    told = table.column(LEAK_LEVEL)[rows] == QUIET
    rows = rows[told | _may_be_quiet(table, history, rows)]
    if not len(rows):
        return
    leaks = find_quiet_leaks(trace_of(history, rows), ground_of(table, history, np.full(len(rows), TRACED), rows))
    views = view_that_holds(table.column("leak_minutes")[rows] / 60)
    windows = history.windows(rows, LEVEL_OF[views])
    tell_leaks(table, rows, QUIET, leaks, stays_told(history, rows, views, windows))


def _may_be_quiet(table: Table, history: History, rows: Rows) -> Truths:
    """The cheapest part, for all: that what is held did not fall, and grew by what is worth a look."""
    long_ago = history.mark(rows, LAST_MS) - LEAST_H * HOUR_MS
    with np.errstate(invalid="ignore"):
        may: Truths = (history.mark(rows, HELD_MS) <= long_ago) & (history.mark(rows, PERIOD_MS) <= 1000 * OFTEN_S)
        some = rows[may]
        least = np.fmin.reduce(history.samples(some, np.full(len(some), COARSEST)), axis=1)
        may[may] = history.mark(some, LAST) - least >= LEAST_PART * end_of_memory(table.view(some))
    return may


def stays_told(
    history: History, rows: Rows, views: Rows, windows: Numbers, *, layer: int = 0, flat: bool = False
) -> Callable[[Rows], Truths]:
    """Whether what was told of some of these windows goes on, or with `flat` has not come back: one low sample takes
    nothing back as yet, and growth that pauses has ended once several buckets in a row say so, or half was given back.
    """

    def stays(some: Rows) -> Truths:
        went_on = history.went_on(windows[some], rows[some], LEVEL_OF[views[some]], layer)
        return has_not_ended(went_on, views[some], flat=flat)

    return stays


def look_across_boots(table: Table, history: History, rows: Rows, ended: Leaks) -> None:
    """Look at rows whose device has just begun a new boot; `ended` is what the boot before it tells by itself."""
    limits, ratchet, shapes = end_of_memory(table.view(rows)), table.kind in RATCHETS, history.boots(rows)
    leaks, boots = find_leaks_across_boots(shapes, limits, ratchet=ratchet)
    leaks = leaks.or_else(ended)
    tell_leaks(table, rows, ACROSS_BOOTS, leaks, beside={LEAK_BOOTS: boots, LEAK_ENDED: shapes[:, 0, -1, 1]})
