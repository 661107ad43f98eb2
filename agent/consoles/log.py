"""Warnings and worse, whatever they say, become facts of kind `log`."""

from __future__ import annotations

from agent.consoles.fact import Fact
from agent.consoles.form import Numbers
from agent.consoles.line import Line

_WORTH_TELLING = ("E", "W")
_UNPREFIXED = (("ERROR: ", "E"), ("WARNING: ", "W"))
"""Azure Sphere's samples have no log prefix, only these words."""


def may_be_log(text: str) -> bool:
    """Cheap test: False for lines that cannot be a warning."""
    first = text[:1]
    if first in ("E", "W"):
        return text[1:2] in (" ", ":", "R", "A")
    return first in ("[", "<", "u", "~", " ") and (
        "<err> " in text or "<wrn> " in text or "][E][" in text or "][W][" in text or "E (" in text or "W (" in text
    )


def log_fact(line: Line) -> list[Fact]:
    """The line as a fact, when it is a warning or worse."""
    level = line.level
    text = line.body
    for word, letter in _UNPREFIXED:
        if not level and text.startswith(word):
            level, text = letter, text.removeprefix(word)
    if level not in _WORTH_TELLING:
        return []
    values: Numbers = {"level": level, "text": text}
    if line.module:
        values["module"] = line.module
    system = line.system or "mt3620"
    return [Fact("log", (), values, line.number, line.number, system, line.uptime_ms)]
