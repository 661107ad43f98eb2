"""Conditions by name: what a detector asks of each row, in a form that can be told and shown alike. Pure, by column.

A detector tells a thing where all that it asks is held. An explanation (`collector.judge.explaining`) shows the same
list, so that the two cannot disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np

from collector.judge.expression import Numbers, Truths


class Asked(NamedTuple):
    """One condition, a value a row: `measured` stands in that `relation` to `wanted` where it is `held`.

    `form` is how the numbers are written (`collector.judge.reasons`). What is `wanted` may be one number for all rows,
    and is NaN where nothing is asked. A group of conditions has `parts` and no numbers.
    """

    what: str
    form: str
    measured: Numbers
    relation: str
    wanted: Numbers | float
    held: Truths
    parts: tuple[Asked, ...] = ()

    def unless(self, exempt: Truths) -> Asked:
        """The same, but asked only of the other rows."""
        return self._replace(wanted=np.where(exempt, np.nan, self.wanted), held=self.held | exempt)

    def or_unknown(self) -> Asked:
        """The same, but held where either number is unknown, too."""
        return self._replace(held=self.held | np.isnan(self.measured) | np.isnan(self.wanted))


def at_least(what: str, form: str, measured: Numbers, wanted: Numbers | float) -> Asked:
    """Not below."""
    return Asked(what, form, measured, "at least", wanted, measured >= wanted)


def more_than(what: str, form: str, measured: Numbers, wanted: Numbers | float) -> Asked:
    """Above."""
    return Asked(what, form, measured, "more than", wanted, measured > wanted)


def at_most(what: str, form: str, measured: Numbers, wanted: Numbers | float) -> Asked:
    """Not above."""
    return Asked(what, form, measured, "at most", wanted, measured <= wanted)


def less_than(what: str, form: str, measured: Numbers, wanted: Numbers | float) -> Asked:
    """Below."""
    return Asked(what, form, measured, "less than", wanted, measured < wanted)


def is_so(what: str, held: Truths) -> Asked:
    """What has no two numbers."""
    nothing = np.full(len(held), np.nan)
    return Asked(what, "number", nothing, "", nothing, held)


def one_of(what: str, parts: Sequence[Asked]) -> Asked:
    """A group that is held where one of its parts is."""
    held: Truths = reduce(np.logical_or, (part.held for part in parts))
    return _group(what, "one of these", held, parts)


def all_of(what: str, parts: Sequence[Asked]) -> Asked:
    """A group that is held where all of its parts are."""
    return _group(what, "all of these", all_held(parts), parts)


def all_held(asked: Sequence[Asked]) -> Truths:
    """Where all of these are held."""
    held: Truths = reduce(np.logical_and, (one.held for one in asked))
    return held


def _group(what: str, relation: str, held: Truths, parts: Sequence[Asked]) -> Asked:
    nothing = np.full(len(held), np.nan)
    return Asked(what, "number", nothing, relation, nothing, held, tuple(parts))
