"""What all forms share: a form reads one printed format, a session is what they know together of one port."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from agent.consoles.cuts import Cuts
from agent.consoles.fact import Fact
from agent.consoles.line import Line

Numbers = dict[str, int | str]

PATIENCE = 16
"""Lines of others that may come between the lines of one record."""


@dataclass(slots=True)
class Session:
    """What the forms of one port know together.

    `debugger` is true while a debugger is attached; `reset_line` is the boot ROM's line of a boot whose system has not
    yet introduced itself; `named` tells apart things of one name within a boot; `cuts` remembers what stood where.
    """

    system: str | None = None
    debugger: bool = False
    reset_line: int | None = None
    named: dict[str, str] = field(default_factory=dict)
    cuts: Cuts = field(default_factory=Cuts)

    def name(self, name: str, identity: str) -> str:
        """`name` for the first thing that bears it in this boot, `name#identity` for the others."""
        first = self.named.setdefault(name, identity)
        return name if first == identity else f"{name}#{identity}"

    def flags(self) -> tuple[str, ...]:
        """Flags of what an operating system says of a process."""
        return ("debugger",) if self.debugger else ()


class Form:
    """One printed format. Lines come in by `take`; a record of several lines is open in between.

    `needles`: lines that hold none of them are not offered; with `reads_all` they are while a record is open.
    `shares`: what it has read in a line leaves the line to the other forms, too.
    """

    needles: tuple[str, ...] = ()
    reads_all = False
    shares = False
    system = "esp32"

    def __init__(self, session: Session) -> None:
        self.session = session
        self.open_until = 0
        """The last line up to which an open record waits; 0 when none is open."""
        self.begins_boot = False
        """True while the open record will say that a boot began: everything else then comes after it."""

    def take(self, line: Line) -> list[Fact] | None:
        """The facts that the line gives or completes; None when the line is not of this form."""
        raise NotImplementedError  # what each form is for

    def flush(self) -> list[Fact]:
        """Close the open record: what it says without the lines that did not come."""
        self.open_until = 0
        return []

    def new_boot(self) -> None:
        """The device began anew: forget everything that held for the last boot."""

    def wait(self, line: Line, patience: int = PATIENCE) -> None:
        """Keep the record open for `patience` more lines."""
        self.open_until = line.number + patience

    def fact(self, kind: str, names: tuple[str, ...], values: Numbers, line: Line, **more: Any) -> Fact:
        """A fact of this one line; `more` are further fields of `Fact`."""
        if not more:
            return Fact(kind, names, values, line.number, line.end_number, self.system, line.uptime_ms)
        system = more.pop("system", self.system)
        end_line = more.pop("end_line", line.end_number)
        return Fact(kind, names, values, line.number, end_line, system, line.uptime_ms, **more)

    def event(self, name: str, values: Numbers, line: Line, **more: Any) -> Fact:
        """An event of this one line."""
        return self.fact("event", (name,), values, line, **more)
