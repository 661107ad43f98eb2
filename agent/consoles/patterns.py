"""Lines that only the user's firmware prints, by patterns of the user's own."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agent.consoles.fact import Fact
from agent.consoles.form import Form, Numbers, Session
from agent.consoles.line import Line
from telemetry.readings import KINDS

UNITS = {"bytes": 1, "KiB": 1024, "MiB": 1024 * 1024, "words": 4}
"""Bytes in one of each; a word is that of a 32-bit device."""
_COUNTS = frozenset(
    ("alloc_blocks", "free_blocks", "blocks", "alive", "caps", "blocks_free", "boots", "code", "address")
)
"""Number fields that are no sizes: the unit does not apply to them."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One printed line: `match` has a named group for each field (and tag) of `kind` that the line gives.

    `names` stand for tags without a group, in the kind's order; `resolution` is in bytes; `system` may be empty.
    """

    match: re.Pattern[str]
    kind: str
    names: tuple[str, ...] = ()
    unit: str = "bytes"
    resolution: int = 1
    system: str = ""

    @property
    def needle(self) -> str:
        """The longest text that every matching line holds; empty when there is none."""
        return max(literals(self.match.pattern), key=len, default="") if not self.match.flags & re.IGNORECASE else ""

    def read(self, text: str) -> tuple[tuple[str, ...], Numbers] | None:
        """Names and values of a line; None when it is not of this pattern."""
        found = self.match.search(text)
        if found is None:
            return None
        kind, groups = KINDS[self.kind], {name: word for name, word in found.groupdict().items() if word is not None}
        fixed = iter(self.names)
        names = tuple(groups.pop(tag) if tag in groups else next(fixed, "") for tag in kind.tags)
        values: Numbers = {field: self._value(field, word) for field, word in groups.items()}
        return names, values

    def _value(self, field: str, word: str) -> int | str:
        if field in KINDS[self.kind].texts:
            return word
        try:
            number = int(word, 0) if word.lower().startswith("0x") else int(word)
        except ValueError:
            return word
        return number if field in _COUNTS or field not in KINDS[self.kind].numbers else number * UNITS[self.unit]


def literals(pattern: str) -> list[str]:
    """Runs of text that a regular expression asks for wherever it matches; none when it leaves a choice."""
    runs, run, depth, place = [], "", 0, 0
    while place < len(pattern):
        letter = pattern[place]
        step = 2 if letter == "\\" else 1
        text = pattern[place + 1 : place + 2] if letter == "\\" else letter
        if letter == "[":
            step = pattern.find("]", place + 2) - place + 1
        depth += (letter == "(") - (letter == ")")
        if depth == 0 and letter == "|":
            return []
        plain = (letter == "\\" and not text.isalnum()) or (letter not in "\\[](){}|.^$*+?")
        optional = pattern[place + step : place + step + 1] in ("?", "*", "{")
        if depth == 0 and plain and not optional:
            run += text
        else:
            runs.append(run)
            run = ""
        place += max(step, 1)
        if letter == "{":
            place = max(place, pattern.find("}", place) + 1)
    return [one for one in (*runs, run) if one]


class PatternForm(Form):
    """A user's pattern among the other forms; it is asked before them."""

    def __init__(self, session: Session, pattern: Pattern) -> None:
        super().__init__(session)
        self.pattern = pattern
        self.needles = (pattern.needle,)

    def take(self, line: Line) -> list[Fact] | None:
        read = self.pattern.read(line.body) if line.complete else None
        if read is None:
            return None
        names, values = read
        system = self.pattern.system or self.session.system or "other"
        return [self.fact(self.pattern.kind, names, values, line, system=system, resolution=self.pattern.resolution)]
