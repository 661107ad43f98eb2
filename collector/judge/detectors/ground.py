"""What is known of a series beside its windows: the ground on which leaks are judged."""

from __future__ import annotations

from typing import NamedTuple

from collector.judge.expression import Numbers
from collector.judge.series import Rows


class Ground(NamedTuple):
    """What is known of the series beside their windows: one value a row.

    `limits` bytes used when memory ends (NaN: unknown); `ceilings` highest peaks from which memory fell (NaN: it never
    did, or they reached the limit, so that nothing could stand above them) and `ceiling_ages_ms` how long ago;
    `held_before` the highest least value of any span before the window, or what boots before reached that had settled;
    `known_to` what those reached that had settled or breathed, and `heard_ms` for how long they have been heard, and
    this boot; `peaks` how much comes and goes from sample to sample, and `given_back` how much of late went within as
    long as the window is (NaN: unknown); `resolutions` bytes; `ratchets` 1 where it is a counter that never falls;
    `newest` the newest value, bytes, and `open_ms` how long after the end of the window it was read; `hidden` bytes
    that may be used and are not counted, where only what is free is told; `most` bytes were used at most in this boot,
    as the device itself keeps it (NaN: it does not); `day_before` the highest least value of any 24 hours before the
    window, where it is of whole days (NaN: there were none); `foot` the least that was used since the highest of those
    peaks, to within hours.
    """

    limits: Numbers
    ceilings: Numbers
    ceiling_ages_ms: Numbers
    held_before: Numbers
    known_to: Numbers
    peaks: Numbers
    given_back: Numbers
    resolutions: Numbers
    heard_ms: Numbers
    ratchets: Numbers
    newest: Numbers
    open_ms: Numbers
    hidden: Numbers
    most: Numbers
    day_before: Numbers
    foot: Numbers

    def of(self, rows: Rows) -> Ground:
        """Of those rows only."""
        return Ground(*(column[rows] for column in self))
