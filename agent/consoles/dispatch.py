"""What is known of a line before it is read: which forms want to see it, and whether anything must be undone first.

To look for a hundred words, for colours, stamps, prompts and foreign lines takes longer than all the rest. But the
lines of a log differ mostly in their numbers: with every digit made alike, hexadecimal ones too, few different lines
remain, and what is found for one holds for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from agent.consoles.form import Form
from agent.consoles.line import may_have_prefix
from agent.consoles.log import LOG_MARKS
from agent.consoles.mending import may_be_glued
from agent.consoles.transport import may_be_touched, peel

_DIGITS = b"0123456789abcdefABCDEF"
_ALIKE = bytes.maketrans(_DIGITS, b"0" * len(_DIGITS))
_REMEMBERED = 8192

LOG = -1
"""Stands for `LOG_MARKS` where a number stands for a form."""


class Look(NamedTuple):
    """What holds for all lines of one shape.

    `words` may stand in the line, each with the number of the form that it is for. `alone`: no other line can have
    been printed into it. `bare`: it is alone, and tools and shells have added nothing to it. `prefixed`: it may begin
    with a log prefix.
    """

    words: tuple[tuple[str, int], ...]
    alone: bool
    bare: bool
    prefixed: bool


def shape(text: str) -> bytes:
    """The text with all hexadecimal digits made one."""
    return text.encode().translate(_ALIKE)


class Dispatch:
    """The words of some forms, which are numbered as given. One serves all consoles that have the same forms.

    `look` takes the `shape` of a line whose end is stripped of blanks.
    """

    def __init__(self, forms: Sequence[type[Form]]) -> None:
        words = [(mark, LOG) for mark in LOG_MARKS]
        words += [(needle, number) for number, form in enumerate(forms) for needle in form.needles]
        self._words = [(shape(word), word, number) for word, number in words]
        self.look = lru_cache(_REMEMBERED)(self._look)

    def _look(self, line_shape: bytes) -> Look:
        words = tuple((word, number) for word_shape, word, number in self._words if word_shape in line_shape)
        text = line_shape.decode()
        alone = not may_be_glued(peel(text))
        return Look(words, alone, alone and not may_be_touched(text), may_have_prefix(text))
