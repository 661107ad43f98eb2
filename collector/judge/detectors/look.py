"""The detectors on the rows of a table: windows out of the history, verdicts into the table's columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from collector.judge.columns import (
    FRAGMENT_COLUMNS,
    FRAGMENT_LEVEL,
    LEAK_BOOTS,
    LEAK_COLUMNS,
    LEAK_LEVEL,
    RATCHETS,
    STEP_COLUMNS,
    STEP_LEVEL,
)
from collector.judge.detectors.blocks import BLOCKS, CLOSE_MS, WIDTH_MS
from collector.judge.detectors.boots import find_leaks_across_boots
from collector.judge.detectors.ended import find_leaks_of_ended
from collector.judge.detectors.fragmentation import find_fragmentation, may_have_shrunk
from collector.judge.detectors.ground import Ground
from collector.judge.detectors.history import (
    BORN_MS,
    CEILING,
    CEILING_MS,
    HOUR_MS,
    KNOWN_MS,
    LAST,
    LAST_MS,
    PEAKS,
    PERIOD_MS,
    QUIET_MS,
    QUIET_SAMPLES,
    REACHED,
    RISE,
    STARTING_MS,
    History,
)
from collector.judge.detectors.leak import Leaks, find_leaks, goes_on, may_have_grown, may_rise
from collector.judge.detectors.night import NIGHT_H, Night
from collector.judge.detectors.rush import find_rushes, may_rush
from collector.judge.detectors.settled import find_leaks_of_nights
from collector.judge.detectors.step import find_steps, is_new
from collector.judge.detectors.two_boots import find_leaks_of_two_boots
from collector.judge.detectors.views import LEVEL_OF, VIEWS, views_of, watched
from collector.judge.expression import Numbers, Truths
from collector.judge.series import Rows, Table

ACROSS_BOOTS = len(VIEWS)
"""Stands for a view where boots tell the leak."""
A_NIGHT = ACROSS_BOOTS + 1
"""Stands for a view where one night tells it."""
_LONG = LEVEL_OF[VIEWS.index((5, False))]
"""What stood before a night is seen in buckets that are longer than those of this level: three hours and more."""
_AT_ONCE = 256
"""Nights are many numbers: so many series are looked at together."""


def ground_of(table: Table, history: History, views: Rows, rows: Rows) -> Ground:
    """What the leak detector has to know of these rows beside their windows."""
    quiet_ms = history.mark(rows, LAST_MS) - history.mark(rows, QUIET_MS)
    return Ground(
        table.view(rows)["limit"],
        history.mark(rows, CEILING),
        history.mark(rows, LAST_MS) - history.mark(rows, CEILING_MS),
        np.fmax(history.highest_before(rows, LEVEL_OF[views]), history.mark(rows, REACHED)),
        history.mark(rows, PEAKS),
        table.resolution[rows].astype(np.float64),
        np.zeros(len(rows)) if table.kind in RATCHETS else quiet_ms,
        history.mark(rows, QUIET_SAMPLES),
        history.mark(rows, LAST_MS) - history.heard_since_ms(rows) + np.nan_to_num(history.mark(rows, KNOWN_MS)),
        np.full(len(rows), float(table.kind in RATCHETS)),
        history.mark(rows, LAST),
        history.mark(rows, LAST_MS) - history.begin_open_ms(rows, LEVEL_OF[views]),
    )


def look(table: Table, history: History, closed: Rows, levels: Rows) -> None:
    """Look at rows that closed a bucket of those levels."""
    told = LEAK_LEVEL, STEP_LEVEL
    rows, views = views_of(*_lively(table, history, closed, levels, told))
    if len(rows):
        windows = history.windows(rows, LEVEL_OF[views])
        _look_for_leaks(table, history, rows, views, windows)
        if table.has(STEP_LEVEL):
            _look_for_steps(table, history, rows, views, windows)
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
    _write(table, rows, columns, (here, steps.size, steps.hours), told, _never)


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
    _write(table, rows, columns, values, ~np.isnan(fragments.now), lambda some: _still(outside[some], views[some]))


def _look_for_leaks(table: Table, history: History, rows: Rows, views: Rows, windows: Numbers) -> None:
    chosen = _worth_a_look(table, rows, views, windows)
    if not len(chosen):
        return
    rows, views, windows = rows[chosen], views[chosen], windows[chosen]
    ground = ground_of(table, history, views, rows)
    rushes = find_rushes(history.samples(rows, LEVEL_OF[views]), views, ground)
    leaks = find_leaks(windows, views, ground)
    leaks = Leaks(*(np.where(np.isnan(leaks.rate), rush, leak) for rush, leak in zip(rushes, leaks, strict=True)))
    told = ~np.isnan(leaks.rate)
    columns = (LEAK_LEVEL, *LEAK_COLUMNS, LEAK_BOOTS)
    values = (views.astype(np.float64), *leaks, np.full(len(rows), np.nan))
    _write(table, rows, columns, values, told, lambda some: goes_on(windows[some], views[some]))


def _worth_a_look(table: Table, rows: Rows, views: Rows, windows: Numbers) -> Rows:
    """Which of these may be a leak, or were told as one: few of a healthy fleet, so this is what looking costs."""
    limits, resolutions = table.view(rows)["limit"], table.resolution[rows].astype(np.float64)
    of_views = watched(windows, views)
    worth = may_have_grown(of_views, limits, resolutions)
    some = np.flatnonzero(worth)
    worth[some] = may_rise(of_views[some], views[some]) | may_rush(windows[some], views[some])
    return np.flatnonzero(worth | (table.column(LEAK_LEVEL)[rows] == views))


def leaks_of_ended(table: Table, history: History, rows: Rows) -> Leaks:
    """What the boots of these rows tell that are over now: to be asked before the history forgets them."""
    found = Leaks(*np.full((len(Leaks._fields), len(rows)), np.nan))
    close = np.flatnonzero(history.mark(rows, PERIOD_MS) <= CLOSE_MS)
    close = close[np.isfinite(history.blocks.begin_ms(rows[close]))]
    if len(close):
        highest = np.fmax(history.mark(rows[close], RISE), history.mark(rows[close], CEILING))
        leaks = find_leaks_of_ended(night_of(table, history, rows[close]), highest)
        for column, value in zip(found, leaks, strict=True):
            column[close] = value
    return found


def look_across_boots(table: Table, history: History, rows: Rows, ended: Leaks) -> None:
    """Look at rows whose device has just begun a new boot; `ended` is what the boot before it tells by itself."""
    leaks, boots = find_leaks_across_boots(history.boots(rows), table.view(rows)["limit"])
    leaks = Leaks(*(np.where(np.isnan(leaks.rate), one, several) for one, several in zip(ended, leaks, strict=True)))
    here = np.full(len(rows), float(ACROSS_BOOTS))
    columns = (LEAK_LEVEL, *LEAK_COLUMNS, LEAK_BOOTS)
    _write(table, rows, columns, (here, *leaks, boots), ~np.isnan(leaks.rate), _never)


def night_of(table: Table, history: History, rows: Rows) -> Night:
    """What the detector of nights has to know of these rows; blocks that begin as the boot does are left out."""
    begins_ms, born_ms = _begins_ms(history, rows), history.mark(rows, BORN_MS)
    boots_at = (born_ms - begins_ms[:, 0]) / WIDTH_MS
    before = history.highest_before(rows, np.full(len(rows), _LONG), begins_ms[:, 0])
    return _night(table, history, rows, begins_ms >= born_ms[:, None] + STARTING_MS, (boots_at, before))


def night_before(table: Table, history: History, rows: Rows) -> Night:
    """The same of the boot before this one, as far as it is of this night. When it began is not known any more."""
    ends_ms, unknown = _begins_ms(history, rows) + WIDTH_MS, np.full(len(rows), np.nan)
    return _night(table, history, rows, ends_ms <= history.mark(rows, BORN_MS)[:, None], (unknown, unknown))


def _begins_ms(history: History, rows: Rows) -> Numbers:
    """When each of the closed blocks of these rows begins."""
    begins_ms: Numbers = history.blocks.begin_ms(rows)[:, None] + WIDTH_MS * np.arange(BLOCKS - 1)
    return begins_ms


def _night(
    table: Table, history: History, rows: Rows, counts: Truths, boots_at_and_before: tuple[Numbers, Numbers]
) -> Night:
    """The night of those blocks that count."""
    least, mean = history.blocks.closed(rows)
    boots_at, stood_before = boots_at_and_before
    return Night(
        np.where(counts, least, np.nan),
        np.where(counts, mean, np.nan),
        WIDTH_MS / HOUR_MS,
        boots_at,
        stood_before,
        table.view(rows)["limit"],
        history.mark(rows, PEAKS),
        table.resolution[rows].astype(np.float64),
        history.mark(rows, LAST),
        np.where(counts[:, :, None], history.blocks.closed_samples(rows), np.float32(np.nan)),
    )


def of_nights(history: History, rows: Rows) -> Rows:
    """Those rows of boots that have lasted for a night, and whose samples stand close together."""
    rows = watched_rows(history, rows)
    return rows[_up_ms(history, rows) >= NIGHT_H * HOUR_MS]


def watched_rows(history: History, rows: Rows) -> Rows:
    """Those rows whose samples stand close together."""
    return rows[(history.mark(rows, PERIOD_MS) <= CLOSE_MS) & np.isfinite(history.blocks.begin_ms(rows))]


def _up_ms(history: History, rows: Rows) -> Numbers:
    up_ms: Numbers = history.mark(rows, LAST_MS) - history.mark(rows, BORN_MS)
    return up_ms


def look_at_nights(table: Table, history: History, rows: Rows) -> None:
    """Look at rows that closed a block of minutes."""
    rows = watched_rows(history, rows)
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        of_a_night = _up_ms(history, some) >= NIGHT_H * HOUR_MS
        one, several = some[of_a_night], some[~of_a_night]
        if len(one):
            _write_nights(table, one, find_leaks_of_nights(night_of(table, history, one)))
        if len(several):
            restarted, before, now = two_boots_of(table, history, several)
            _write_nights(table, restarted, find_leaks_of_two_boots(before, now))


def look_at_lost(table: Table, history: History, rows: Rows) -> Rows:
    """Look at rows that are not heard any more, as at a boot that has ended; those of which a leak is told now."""
    rows = watched_rows(history, rows[np.isnan(table.column(LEAK_LEVEL)[rows]) & ~table.outdated[rows]])
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        leaks = leaks_of_ended(table, history, some)
        since_boot = leaks.minutes / 60
        left, soonest, latest = (each - since_boot for each in (leaks.hours_left, leaks.hours_low, leaks.hours_high))
        leaks = leaks._replace(hours_left=left, hours_low=soonest, hours_high=latest)
        _write_nights(table, some, (leaks, ~np.isnan(leaks.rate)))
    told: Rows = rows[~np.isnan(table.column(LEAK_LEVEL)[rows])]
    return told


def two_boots_of(table: Table, history: History, rows: Rows) -> tuple[Rows, Night, Night]:
    """Those of rows whose boot is younger than a night that have another boot in it: the night of either."""
    ends_ms, born_ms = _begins_ms(history, rows) + WIDTH_MS, history.mark(rows, BORN_MS)
    rows = rows[(np.isfinite(history.blocks.closed(rows)[0]) & (ends_ms <= born_ms[:, None])).any(axis=1)]
    return rows, night_before(table, history, rows), night_of(table, history, rows)


def _write_nights(table: Table, rows: Rows, told: tuple[Leaks, Truths]) -> None:
    leaks, stays = told
    columns = (LEAK_LEVEL, *LEAK_COLUMNS, LEAK_BOOTS)
    here, boots = np.full(len(rows), float(A_NIGHT)), np.full(len(rows), np.nan)
    _write(table, rows, columns, (here, *leaks, boots), ~np.isnan(leaks.rate), stays.take)


def _still(outside: Numbers, views: Rows) -> Truths:
    """Fragmentation that was told stays told while the largest block does not come back."""
    return goes_on(outside, views, flat=True)


def _write(
    table: Table,
    rows: Rows,
    names: Sequence[str],
    values: Sequence[Numbers],
    told: Truths,
    stays: Callable[[Rows], Truths],
) -> None:
    """Put verdicts into columns, the first being the level: it takes back only what it has told, unless that stays,
    which is asked of those alone.

    Where several views tell a thing of one row, the longest is kept.
    """
    takes_back = ~told & (table.column(names[0])[rows] == values[0])
    doubtful = np.flatnonzero(takes_back)
    if len(doubtful):
        takes_back[doubtful] = ~stays(doubtful)
    news = rows[told | takes_back]
    if not len(news):
        return
    order = np.flatnonzero(told)[np.argsort(values[0][told], kind="stable")]
    for name, column in zip(names, values, strict=True):
        own = table.column(name)
        own[rows[takes_back]] = np.nan
        own[rows[order]] = column[order]
    table.touched.update(news)
    table.changed.update(news)


def _never(rows: Rows) -> Truths:
    """What is not told any more is taken back."""
    return np.zeros(len(rows), dtype=np.bool_)
