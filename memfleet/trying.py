"""Trying a pattern file on a log: what matches, what almost does, and memory lines that nobody reads. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from agent.consoles import Console
from agent.consoles.framer import Framer
from agent.consoles.line import read_line
from agent.consoles.patterns import Pattern, literals
from agent.consoles.transport import peel

EXAMPLES = 5
_MEMORY = re.compile(
    r"\b(?:heap|mem|memory|ram|psram|stack|pool|alloc\w*|malloc|free|leak\w*|watermark|fragment\w*)\b", re.IGNORECASE
)
_NUMBER = re.compile(r"0x[0-9a-fA-F]+|\d+")
_WORD = re.compile(r"[A-Za-z_]{3,}")


def report(patterns: Sequence[Pattern], log: bytes, system: str | None) -> str:
    """The report, as text."""
    bodies = list(_bodies(log))
    understood = _understood(log, system, patterns)
    parts = [_matches(place, pattern, bodies) for place, pattern in enumerate(patterns)]
    unread = Counter(
        _NUMBER.sub("#", body)
        for number, body in bodies
        if number not in understood and _MEMORY.search(body) and _NUMBER.search(body)
    )
    parts.append(f"{sum(unread.values())} lines with a memory word and a number that nobody reads")
    parts += [f"  {count} x {shape}" for shape, count in unread.most_common(20)]
    return "\n".join(parts) + "\n"


def _bodies(log: bytes) -> Iterator[tuple[int, str]]:
    """The number of each line and its text after the log prefix."""
    framer = Framer()
    lines = framer.feed(log)
    if rest := framer.rest():
        lines.append(rest)
    for number, text in enumerate(lines, start=1):
        yield number, read_line(number, peel(text)).body


def _understood(log: bytes, system: str | None, patterns: Sequence[Pattern]) -> set[int]:
    console = Console(system, patterns)
    facts = console.feed(log) + console.close()
    return {number for fact in facts if fact.kind != "log" for number in range(fact.line, fact.end_line + 1)}


def _matches(place: int, pattern: Pattern, bodies: Sequence[tuple[int, str]]) -> str:
    matched, almost = [], []
    words = {word for run in literals(pattern.match.pattern) for word in _WORD.findall(run)}
    for number, body in bodies:
        if read := pattern.read(body):
            names, values = read
            shown = ", ".join(f"{field} {value}" for field, value in values.items())
            matched.append(f"  {number}: {pattern.kind} {'/'.join(names)} {shown}".rstrip())
        elif words and 2 * len(words & set(_WORD.findall(body))) >= len(words):
            almost.append(f"  {number}: {body.strip()}")
    return "\n".join(
        [
            f"patterns[{place}] {pattern.match.pattern}",
            f" matches {len(matched)} lines",
            *matched[:EXAMPLES],
            f" almost matches {len(almost)} lines",
            *almost[:EXAMPLES],
        ]
    )
