"""Warnings and worse, whatever they say, become facts of kind `log`."""

from __future__ import annotations

from agent.consoles.fact import Fact
from agent.consoles.form import Numbers
from agent.consoles.line import Line

LOG_MARKS = ("E (", "W (", "<err> ", "<wrn> ", "][E][", "][W][", "ERROR: ", "WARNING: ", "E: ", "W: ", "E ", "W ")
"""A line that is a warning holds one of these."""

_WORTH_TELLING = ("E", "W")
_UNPREFIXED = (("ERROR: ", "E"), ("WARNING: ", "W"))
"""Azure Sphere's samples have no log prefix, only these words."""


def log_fact(line: Line) -> list[Fact]:
    """The line as a fact, when it is a warning or worse."""
    level = line.level
    text = line.body
    if not level:
        for word, letter in _UNPREFIXED:
            if text.startswith(word):
                level, text = letter, text.removeprefix(word)
    if level not in _WORTH_TELLING:
        return []
    values: Numbers = {"level": level, "text": text}
    if line.module:
        values["module"] = line.module
    system = line.system or "mt3620"
    return [Fact("log", (), values, line.number, line.number, system, line.uptime_ms)]
