"""One night of a board that is sampled every few seconds: what is known of it, and plain questions. Pure, by column."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from collector.judge.detectors.shape import first_and_last
from collector.judge.expression import Numbers, Truths
from collector.judge.series import Rows

NIGHT_H, LEAST_KNOWN = 7.9, 36
"""A night of eight hours, less the block that is still open; and how many blocks of it must be known."""
STARTING = 4
"""Blocks at most that are not known because the board was starting up: they are of the night."""
WORTH, WORTH_PART, GRAINS = 2560.0, 0.1, 4.0
"""Bytes of growth that are worth a word, or part of a small memory; steps of the counter. Less would not end memory for
weeks, and modules, tables and slow caches take that much in their first night."""
MARGIN, LEVEL_BLOCKS = 0.25, 12
"""By which part of the growth it must be above all that stood before, in the least value of the last hour."""
YOUNG_H = 48.0
"""What has run for longer was asked in its first mornings: each night more is one more by which chance may look like a
leak, and what whole days tell by then is surer."""
WANDERS = 2.0
"""How many times what fell within a night before must have been grown."""


class Night(NamedTuple):
    """What is known of each series, one row each. `least` and `mean` of its blocks, oldest first (NaN: not seen), each
    `block_hours` long; `boots_at` at which block its boot began; `stood_before` the highest least value of any three
    hours before (NaN: none), and `fell_before` how far least values fell within any night before; `limits`, `peaks` and
    `most` bytes, as in `Ground`; `resolutions` bytes; `newest` the newest value, which is not of a block yet; `samples`
    those of each block, as many as are kept."""

    least: Numbers
    mean: Numbers
    block_hours: float
    boots_at: Numbers
    stood_before: Numbers
    fell_before: Numbers
    limits: Numbers
    peaks: Numbers
    most: Numbers
    resolutions: Numbers
    newest: Numbers
    samples: npt.NDArray[np.float32]

    def of(self, rows: Rows) -> Night:
        """Of those rows only."""
        columns = {name: column[rows] for name, column in self._asdict().items() if name != "block_hours"}
        return self._replace(**columns)


def span_hours(night: Night) -> Numbers:
    """From the first known block, or the boot shortly before it, to the last."""
    first, last = first_and_last(night.least)
    begin = np.where(first - night.boots_at <= STARTING, np.fmin(night.boots_at, first), first)
    hours: Numbers = np.where(np.isfinite(night.least).any(axis=1), last - begin + 1, 0) * night.block_hours
    return hours


def up_hours(night: Night) -> Numbers:
    """For how long the boot has run; NaN where that is not known."""
    hours: Numbers = (night.least.shape[1] - night.boots_at) * night.block_hours
    return hours


def is_young(night: Night) -> Truths:
    """Whether nights of so long a boot are looked at."""
    young: Truths = ~(up_hours(night) > YOUNG_H)
    return young


def begins_with_boot(night: Night) -> Truths:
    """Whether it is the first night of a boot: later ones end at any minute, and each is one more chance to look like a
    leak."""
    begins: Truths = ~(up_hours(night) > NIGHT_H + (STARTING + 1) * night.block_hours)
    return begins


def is_night(night: Night) -> Truths:
    """Whether it was long enough and well enough seen."""
    enough: Truths = (span_hours(night) >= NIGHT_H) & (np.isfinite(night.least).sum(axis=1) >= LEAST_KNOWN)
    return enough


def worth(night: Night) -> Numbers:
    """How much growth is worth a word, bytes: what is seen for a part of a night only need not have grown as much."""
    part = np.fmin(1, span_hours(night) / NIGHT_H)
    least: Numbers = np.fmax(np.fmin(WORTH, WORTH_PART * night.limits) * part, GRAINS * night.resolutions)
    return least


def level_of(night: Night) -> Numbers:
    """What is held by now: the least of the last hour."""
    level: Numbers = np.fmin.reduce(night.least[:, -LEVEL_BLOCKS:], axis=1)
    return level


def is_news(night: Night, grown: Numbers) -> Truths:
    """Whether it stands where nothing stood before, and is more than what wandered within a night before."""
    news: Truths = stands_above(night, grown) & ~(grown < WANDERS * night.fell_before)
    return news


def stands_above(night: Night, grown: Numbers) -> Truths:
    """Whether it stands where nothing stood before."""
    above: Truths = ~(level_of(night) <= night.stood_before + MARGIN * grown)
    return above


def is_kept(night: Night, grown: Numbers) -> Truths:
    """Whether the newest value has not fallen back to where the night began: a tooth may end just now."""
    began = np.fmin.reduce(_first_known(night.least), axis=1)
    kept: Truths = ~(night.newest < began + MARGIN * grown)
    return kept


def _first_known(least: Numbers) -> Numbers:
    """The first hour that is known."""
    first, _ = first_and_last(least)
    age = np.arange(least.shape[1]) - first[:, None]
    return np.where((age >= 0) & (age < LEVEL_BLOCKS), least, np.nan)
