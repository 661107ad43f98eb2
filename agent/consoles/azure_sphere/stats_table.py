"""Azure Sphere: the table of `azsphere device app show-memory-stats`.

     -------------------------- -------------
     Name                       Usage (bytes)
     ========================================
     Total (Kernel + User Mode) 65536
     -------------------------- -------------
     User Mode                  36864
     -------------------------- -------------
     Peak User Mode             36864
     -------------------------- -------------
     Heap: App + Static Libraries  8192         only with heap memory allocation tracking

Rows are known by their label, never by their place. In a loop, tables follow each other without a break.
"""

from __future__ import annotations

import re

from agent.consoles.azure_sphere.process import KIB, ProcessRecord
from agent.consoles.fact import Fact
from agent.consoles.form import Form, Session
from agent.consoles.line import Line

_HEADER = re.compile(r"\s*Name[\s|]+Usage \((bytes|B|KiB|KB)\)$", re.IGNORECASE)
_RULE = re.compile(r"\s*[-=+| ]{8,}$")
_ROW = re.compile(r"\s*(\S.*?)(?::\s*|\s*\|\s*|\s+)(\d+)(?: ?(bytes|B|KiB|KB|K))?$", re.IGNORECASE)
_FIELD_OF_LABEL = {
    "total (kernel + user mode)": "total",
    "total": "total",
    "user mode": "user_mode",
    "peak user mode": "peak_user_mode",
}
_ROWS_APART = 3  # a rule stands between two rows


class StatsTableForm(Form):
    """Tables of `show-memory-stats`, one reading of the process each, and one of each heap that is listed."""

    system = "mt3620"
    needles = ("Usage (",)
    reads_all = True

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._record = ProcessRecord(self, session)
        self._scale = 1

    def take(self, line: Line) -> list[Fact] | None:
        text = line.text.strip("| ")
        if header := _HEADER.match(text):
            facts = self._record.close()
            self._scale = _scale(header[1])
            self.wait(line, _ROWS_APART)
            return facts
        if not self.open_until:
            return None
        if _RULE.match(line.text):
            return []
        row = _ROW.match(text)
        known = self._row(row, line) if row else None
        if known is None:
            self.wait(line, 0)  # nobody prints into the table of a command: it is over
        return known

    def flush(self) -> list[Fact]:
        self.open_until = 0
        return self._record.close()

    def _row(self, row: re.Match[str], line: Line) -> list[Fact] | None:
        label, scale = row[1].rstrip(), _scale(row[3]) if row[3] else self._scale
        size = int(row[2]) * scale
        field = _FIELD_OF_LABEL.get(label.lower())
        if field:
            self.wait(line, _ROWS_APART)
            return self._record.put(field, size, scale, line)
        if label.startswith("Heap"):
            self.wait(line, _ROWS_APART)
            name = label.removeprefix("Heap").lstrip(": ") or "heap"
            return [self.fact("heap", (name,), {"used": size}, line, resolution=scale)]
        return None


def _scale(unit: str) -> int:
    return KIB if unit[0] in "kK" else 1
