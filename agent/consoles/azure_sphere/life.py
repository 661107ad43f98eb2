"""Azure Sphere: what applications and the debugger say of their life, without a memory number of its own."""

from __future__ import annotations

import re

from agent.consoles.fact import Fact
from agent.consoles.form import Form
from agent.consoles.line import Line

_START = re.compile(r"(?:[\w /()-]{1,60} application starting\.|Starting Heap Tracker test application\.{3})$")
_BUFFER = re.compile(r"Allocating a buffer of (\d+) elements \* (\d+) bytes\.$")
_LIST = re.compile(r"(Adding a node to|Deleting the last node from) the linked list \(list size = (\d+)\)\.$")
_KILLED = re.compile(r"Child terminated with signal = 0x([0-9A-Fa-f]+) \((\w+)\)")
_FAILED = re.compile(
    r"ERROR: (Could not (?:create a new node|initialize user data|create socket|initialize the buffer)[^(]*?)"
    r"\s*\((\d+)\)\.?$"
    r"|ERROR: (Applications_Get\w+) failed: ([^(]*?)\s*\((\d+)\)"
)
_OUT_OF_MEMORY = 12  # ENOMEM


class LifeForm(Form):
    """Starts, kills, buffers, list sizes, failures, and whether a debugger is attached."""

    system = "mt3620"
    needles = (
        "starting.",
        "Starting Heap",
        "Allocating a buffer",
        "(list size",
        "Child ",
        "Remote debugging",
        "ERROR: ",
    )

    def take(self, line: Line) -> list[Fact] | None:
        text = line.text.lstrip()
        if text.startswith("Remote debugging from host"):
            self.session.debugger = True
            return []
        if text.startswith("Child "):
            return self._child(text, line)
        if _START.match(text):
            return [self.event("boot", {"reason": "application start", "text": text}, line)]
        return self._allocation(text, line)

    def _child(self, text: str, line: Line) -> list[Fact] | None:
        if match := _KILLED.match(text):
            self.session.debugger = False
            return [self.event("killed", {"code": int(match[1], 16), "reason": match[2]}, line)]
        if text.startswith("Child exited"):
            self.session.debugger = False
            return []
        return None

    def _allocation(self, text: str, line: Line) -> list[Fact] | None:
        if match := _BUFFER.match(text):
            elements, size = int(match[1]), int(match[2])
            raw = {"elements": elements, "element_size": size}
            return [self.event("allocated", {"size": elements * size}, line, raw=raw)]
        if match := _LIST.match(text):
            return [self.event("list_size", {"nodes": int(match[2]), "text": match[1]}, line)]
        if match := _FAILED.match(text):
            reason, code = match[1] or f"{match[3]}: {match[4]}", int(match[2] or match[5])
            kind = "alloc_failed" if code == _OUT_OF_MEMORY and match[1] else "failed"
            return [self.event(kind, {"code": code, "reason": reason}, line)]
        return None
