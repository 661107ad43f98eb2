"""The detectors of nights on the rows of a table: blocks out of the history, verdicts into the table's columns."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from collector.judge.columns import LEAK_LEVEL
from collector.judge.detectors.blocks import BLOCKS, CLOSE_MS, WIDTH_MS
from collector.judge.detectors.ended import find_leaks_of_ended
from collector.judge.detectors.history import HOUR_MS, NIGHT_LEVEL, STARTING_MS, History
from collector.judge.detectors.leak import Leaks
from collector.judge.detectors.marks import BORN_MS, CEILING, GAVE_BACK, LAST, LAST_MS, PEAKS, PERIOD_MS, REACHED, RISE
from collector.judge.detectors.night import NIGHT_H, Night
from collector.judge.detectors.settled import find_leaks_of_nights
from collector.judge.detectors.tell import A_NIGHT, tell_leaks
from collector.judge.detectors.two_boots import Ended, find_leaks_of_two_boots
from collector.judge.detectors.views import LEVEL_OF, VIEWS
from collector.judge.expression import Numbers, Truths
from collector.judge.series import Rows, Table
from collector.judge.used import end_of_memory, most_used

_LONG = LEVEL_OF[VIEWS.index((5, False))]
"""What stood before a night is seen in buckets that are longer than those of this level: three hours and more."""
IsCut = Callable[[Table, Rows], Truths]
"""Whether somebody ended the boot before of these rows: it may have ended in the middle of anything."""
_AT_ONCE = 256
"""Nights are many numbers: so many series are looked at together."""


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


def night_of(table: Table, history: History, rows: Rows) -> Night:
    """What the detector of nights has to know of these rows; blocks that begin as the boot does are left out."""
    begins_ms, born_ms = _begins_ms(history, rows), history.mark(rows, BORN_MS)
    boots_at = (born_ms - begins_ms[:, 0]) / WIDTH_MS
    before = history.highest_before(rows, np.full(len(rows), _LONG), begins_ms[:, 0])
    before = np.fmax(before, history.mark(rows, REACHED))
    fell = history.given_back(rows, np.full(len(rows), NIGHT_LEVEL), until_ms=begins_ms[:, 0])
    known = boots_at, before, np.fmax(fell, history.mark(rows, GAVE_BACK))
    return _night(table, history, rows, begins_ms >= born_ms[:, None] + STARTING_MS, known)


def night_before(table: Table, history: History, rows: Rows) -> Night:
    """The same of the boot before this one, as far as it is of this night. When it began is not known any more."""
    ends_ms, unknown = _begins_ms(history, rows) + WIDTH_MS, np.full(len(rows), np.nan)
    return _night(table, history, rows, ends_ms <= history.mark(rows, BORN_MS)[:, None], (unknown, unknown, unknown))


def _begins_ms(history: History, rows: Rows) -> Numbers:
    """When each of the closed blocks of these rows begins."""
    begins_ms: Numbers = history.blocks.begin_ms(rows)[:, None] + WIDTH_MS * np.arange(BLOCKS - 1)
    return begins_ms


def _night(
    table: Table, history: History, rows: Rows, counts: Truths, before: tuple[Numbers, Numbers, Numbers]
) -> Night:
    """The night of those blocks that count, and what is known of the time before: `Night.boots_at` and what follows."""
    least, mean = history.blocks.closed(rows)
    boots_at, stood_before, fell_before = before
    known = table.view(rows)
    return Night(
        np.where(counts, least, np.nan),
        np.where(counts, mean, np.nan),
        WIDTH_MS / HOUR_MS,
        boots_at,
        stood_before,
        fell_before,
        end_of_memory(known),
        history.mark(rows, PEAKS),
        most_used(known),
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


def look_at_nights(table: Table, history: History, rows: Rows, is_cut: IsCut) -> None:
    """Look at rows that closed a block of minutes."""
    rows = watched_rows(history, rows)
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        of_a_night = _up_ms(history, some) >= NIGHT_H * HOUR_MS
        one, several = some[of_a_night], some[~of_a_night]
        if len(one):
            leaks, stays = find_leaks_of_nights(night_of(table, history, one))
            tell_leaks(table, one, A_NIGHT, leaks, stays.take)
        if len(several):
            restarted, before, now, ended = two_boots_of(table, history, several, is_cut)
            if len(restarted):
                leaks, stays = find_leaks_of_two_boots(before, now, ended)
                tell_leaks(table, restarted, A_NIGHT, leaks, stays.take)


def look_at_lost(table: Table, history: History, rows: Rows) -> Rows:
    """Look at rows that are not heard any more, as at a boot that has ended; those of which a leak is told now."""
    rows = watched_rows(history, rows[np.isnan(table.column(LEAK_LEVEL)[rows]) & ~table.outdated[rows]])
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        leaks = leaks_of_ended(table, history, some)
        since_boot = leaks.minutes / 60
        left, soonest, latest = (each - since_boot for each in (leaks.hours_left, leaks.hours_low, leaks.hours_high))
        leaks = leaks._replace(hours_left=left, hours_low=soonest, hours_high=latest)
        tell_leaks(table, some, A_NIGHT, leaks)
    told: Rows = rows[~np.isnan(table.column(LEAK_LEVEL)[rows])]
    return told


def two_boots_of(table: Table, history: History, rows: Rows, is_cut: IsCut) -> tuple[Rows, Night, Night, Ended]:
    """Those of rows whose boot is younger than a night that have another boot in it: the night of either, and how the
    earlier came to its end."""
    ends_ms, born_ms = _begins_ms(history, rows) + WIDTH_MS, history.mark(rows, BORN_MS)
    rows = rows[(np.isfinite(history.blocks.closed(rows)[0]) & (ends_ms <= born_ms[:, None])).any(axis=1)]
    ran_hours = history.boots(rows)[:, 0, -1, 0] / HOUR_MS
    ended = Ended(ran_hours, is_cut(table, rows))
    return rows, night_before(table, history, rows), night_of(table, history, rows), ended
