"""ESP-IDF: stack overflows, panics and what ends them. Two cores print at once, so fault words are searched anywhere.

***ERROR*** A stack overflow in task MAIN LOOP has been detected.
Guru Meditation Error: Core  0 panic'ed (Stack protection fault).
Detected in task "sens" at 0x42009f3c
Stack pointer: 0x3fc9a1f0
Stack bounds: 0x3fc9a20c - 0x3fc9b1f0
Debug exception reason: Stack canary watchpoint triggered (wifi)
abort() was called at PC 0x40087c84 on core 0
Backtrace: 0x40087a8f:0x3ffd0d30 0x40087c84:0x3ffd0d50 |<-CORRUPTED
Rebooting...
"""

from __future__ import annotations

import re

from agent.consoles.fact import Fact
from agent.consoles.form import Form, Numbers, Session
from agent.consoles.line import Line

_OVERFLOW = re.compile(r"\*\*\*ERROR\*\*\* A stack overflow in task (.+?) has been detected\.")
_CANARY = re.compile(r"Stack canary watchpoint triggered \(([^)]*)\)")
_PANIC = re.compile(
    r"Guru Meditation Error: Core +(?P<core>\d+) panic'ed \((?P<reason>[^)]+)\)"
    r"|Guru Meditation Error of type (?P<old_reason>\S+) occurred on core +(?P<old_core>\d+)"
)
_ABORT = re.compile(r"abort\(\) was called at PC 0x([0-9a-fA-F]{8})(?: on core (\d+))?")
_ASSERT = re.compile(r'assert failed: .+ \(.+\)|assertion ".+" failed: file ".+", line \d+(?:, function: \S+)?')
_SMASHED = re.compile(r"Stack smashing protect failure!")
_BACKTRACE = re.compile(r"Backtrace: ?((?:0x[0-9a-fA-F]{8}:0x[0-9a-fA-F]{8} ?)+\b(?: ?\|<-(?:CORRUPTED|CONTINUES))?)")
_END = re.compile(
    r"Rebooting(?:\.{3}| in \d+ seconds\.{3})|CPU halted\.|Entering gdb stub now\.|Panic handler entered multiple times"
)

_FAULT_TASK = re.compile(r'Detected in task "([^"]*)" at 0x([0-9a-fA-F]{8})\b')
_FAULT_POINTER = re.compile(r"Stack pointer: 0x([0-9a-fA-F]{8})$")
_FAULT_BOUNDS = re.compile(r"Stack bounds: 0x([0-9a-fA-F]{8}) - 0x([0-9a-fA-F]{8})$")


class PanicForm(Form):
    """Faults of every kind, each an event of its own."""

    needles = (
        "***ERROR***",
        "Guru Medit",
        "Stack canary",
        "abort() was",
        "assert failed:",
        'assertion "',
        "Stack smashing",
        "Backtrace:",
        "Rebooting",
        "CPU halted",
        "gdb stub now",
        "Panic handler entered",
    )

    def take(self, line: Line) -> list[Fact] | None:
        text = line.text
        self.shares = False
        facts = []
        if match := _OVERFLOW.search(text) or _CANARY.search(text):
            facts.append(self.event("stack_overflow", {"task": match[1]}, line))
        if match := _PANIC.search(text):
            core = int(match["core"] or match["old_core"])
            facts.append(self.event("panic", {"reason": match["reason"] or match["old_reason"], "core": core}, line))
        if match := _ABORT.search(text):
            values: Numbers = {"address": int(match[1], 16)}
            if match[2]:
                values["core"] = int(match[2])
            facts.append(self.event("abort", values, line))
        if match := _SMASHED.search(text):
            facts.append(self.event("stack_overflow", {"reason": match[0]}, line))
        if match := _ASSERT.search(text):
            facts.append(self.event("assert", {"text": match[0]}, line))
        return facts or self._aftermath(line)

    def _aftermath(self, line: Line) -> list[Fact] | None:
        if match := _BACKTRACE.search(line.text):
            return [self.event("backtrace", {"text": match[1]}, line)]
        if match := _END.search(line.text):
            self.shares = match[0] != line.text  # what failed, or what the ROM prints next, may stand on the same line
            name = "rebooting" if match[0].startswith("Reboot") else "halted"
            return [self.event(name, {"text": match[0]}, line)]
        return None


class StackFaultForm(Form):
    """The hardware stack guard (v5.2 and later): task, pointer and bounds make one event."""

    needles = ("Detected in task ", "Stack pointer: ", "Stack bounds: ")

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._first: Line | None = None
        self._last = 0
        self._values: Numbers = {}
        self._pointer: int | None = None

    def take(self, line: Line) -> list[Fact] | None:
        if match := _FAULT_TASK.search(line.text):
            facts = self.flush()
            self._first, self._last = line, line.end_number
            self._values = {"task": match[1], "address": int(match[2], 16)}
            self.wait(line)
            return facts
        if self._first is None:
            return None
        if match := _FAULT_POINTER.search(line.text):
            self._pointer, self._last = int(match[1], 16), line.end_number
            return []
        if match := _FAULT_BOUNDS.search(line.text):
            self._last = line.end_number
            return self._bounded(int(match[1], 16), int(match[2], 16))
        return None

    def flush(self) -> list[Fact]:
        return self._give("stack_overflow")

    def _bounded(self, low: int, high: int) -> list[Fact]:
        """Below its stack a pointer has overflown by so many bytes; above it, it is simply wild."""
        if self._pointer is not None and self._pointer < low:
            self._values["size"] = low - self._pointer
        elif self._pointer is not None and self._pointer > high:
            return self._give("stack_fault")
        return self._give("stack_overflow")

    def _give(self, name: str) -> list[Fact]:
        first, values = self._first, self._values
        self._first, self._values, self._pointer, self.open_until = None, {}, None, 0
        return [self.event(name, values, first, end_line=self._last)] if first else []
