"""Which forms want to see a line: those of which a fixed word stands in it.

A hundred words a line would take longer than all the rest. But the lines of a log differ mostly in their numbers: with
every digit made alike, hexadecimal ones too, few different lines remain, and what is found for one holds for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from agent.consoles.form import Form
from agent.consoles.log import LOG_MARKS

_DIGITS = b"0123456789abcdefABCDEF"
_ALIKE = bytes.maketrans(_DIGITS, b"0" * len(_DIGITS))
_REMEMBERED = 8192

LOG = -1
"""Stands for `LOG_MARKS` where a number stands for a form."""


def shape(text: str) -> bytes:
    """The text with all hexadecimal digits made one."""
    return text.encode().translate(_ALIKE)


class Dispatch:
    """The words of some forms, which are numbered as given. One serves all consoles that have the same forms.

    `candidates` takes the `shape` of a line, and gives the words that may stand in the line itself, each with the
    number of the form that it is for.
    """

    def __init__(self, forms: Sequence[type[Form]]) -> None:
        words = [(mark, LOG) for mark in LOG_MARKS]
        words += [(needle, number) for number, form in enumerate(forms) for needle in form.needles]
        self._words = [(shape(word), word, number) for word, number in words]
        self.candidates = lru_cache(_REMEMBERED)(self._candidates)

    def _candidates(self, line_shape: bytes) -> tuple[tuple[str, int], ...]:
        return tuple((word, number) for word_shape, word, number in self._words if word_shape in line_shape)
