"""Numbers and names that were cut where a line feed of another task came in between, and look whole."""

from __future__ import annotations

import re
from collections.abc import Hashable

CUT_NUMBERS, CUT_NAMES = "cut_numbers", "cut_names"
_REMEMBERED = 512
_ALIKE = 2
"""A number and the whole one before it differ by less than this factor once the lost digits are added."""
_FAR = 10 // _ALIKE
"""A number that is nearer to the one before has lost no digit."""


class Cuts:
    """Remembers what stood at the same place before.

    A number that lost its last digits is a tenth, a hundredth, ... of what was printed there before. So is one that
    truly fell by so much: the first such number is doubted, a second one like it is believed. `refused` counts what was
    not believed, by what it was.
    """

    def __init__(self) -> None:
        self.refused = {CUT_NUMBERS: 0, CUT_NAMES: 0}
        self._believed: dict[Hashable, int] = {}
        self._doubted: dict[Hashable, int] = {}

    def is_cut(self, place: Hashable, number: int) -> bool:
        """Whether the number that ends a line at that place looks as if digits were missing."""
        before = self._believed.get(place, 0)
        if number * _FAR < before and _is_head(number, before) and not _are_alike(number, self._doubted.get(place, 0)):
            self._doubted[place] = number
            self.refused[CUT_NUMBERS] += 1
            return True
        if self._doubted:
            self._doubted.pop(place, None)
        if before or len(self._believed) < _REMEMBERED:
            self._believed[place] = number
        return False

    def is_cut_name(self, line: re.Match[str], name: int, behind: str, widths: tuple[int, ...]) -> bool:
        """Whether the name in that group was cut: blanks fill its column up to the sign behind it, but not to its
        width.

        Without blanks behind it a name may be longer than its column; a single one may be what a document left of them.
        """
        end = line.end(name)
        column = line.string.index(behind, end)
        is_cut = column - end > 1 and column - line.start(name) not in widths
        if is_cut:
            self.refused[CUT_NAMES] += 1
        return is_cut


def _is_head(number: int, before: int) -> bool:
    """Whether digits behind the number could make it what was there before, about."""
    whole: int = number * 10 ** (len(str(before)) - len(str(number)))
    return _are_alike(whole, before)


def _are_alike(one: int, other: int) -> bool:
    return one < other * _ALIKE and other < one * _ALIKE
