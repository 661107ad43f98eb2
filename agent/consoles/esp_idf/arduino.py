"""Arduino core 3: the chip debug report's two memory sections.

Internal Memory Info:
------------------------------------------
  Total Size        :   362276 B ( 353.8 KB)
  Free Bytes        :   326608 B ( 319.0 KB)
  Allocated Bytes   :    30932 B (  30.2 KB)
  Minimum Free Bytes:   321412 B ( 313.9 KB)
  Largest Free Block:   110580 B ( 108.0 KB)
"""

from __future__ import annotations

import re

from agent.consoles.fact import Fact
from agent.consoles.form import Form, Numbers, Session
from agent.consoles.line import Line

_TITLE = re.compile(r"\s*(Internal|SPIRAM) Memory Info:$")
_ROW = re.compile(
    r"\s*(Total Size|Free Bytes|Allocated Bytes|Minimum Free Bytes|Largest Free Block) *: +(\d+) B \( *\d+\.\d KB\)$"
)
_LABEL = re.compile(r"\s*(?:Free|Allocated|Minimum Free) Bytes *:|\s*Largest Free Block:")
_FIELD_OF_LABEL = {
    "Total Size": "size",
    "Free Bytes": "free",
    "Allocated Bytes": "used",
    "Minimum Free Bytes": "min_free",
    "Largest Free Block": "largest_free",
}
_OTHER_TITLE = re.compile(r"\s*[A-Z][\w ]+ Info:$|=+ ")


class ChipReportForm(Form):
    """One reading a section; rows without their section's title are nobody's (flash has a total size, too)."""

    needles = ("Memory Info:", " KB)", " Info:", "Free Bytes", "Allocated Bytes", "Free Block:")
    reads_all = True

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._heap = ""
        self._first: Line | None = None
        self._last = 0
        self._values: Numbers = {}

    def take(self, line: Line) -> list[Fact] | None:
        if match := _TITLE.match(line.body):
            facts = self.flush()
            self._heap = match[1].lower()
            self.wait(line)
            return facts
        if match := _ROW.match(line.body):
            return self._row(_FIELD_OF_LABEL[match[1]], int(match[2]), line)
        if _LABEL.search(line.body):
            return []  # torn
        return self.flush() if self._heap and _OTHER_TITLE.match(line.body) else None

    def flush(self) -> list[Fact]:
        heap, first, values = self._heap, self._first, self._values
        self._heap, self._first, self._values, self.open_until = "", None, {}, 0
        return [self.fact("heap", (heap,), values, first, end_line=self._last)] if first else []

    def _row(self, field: str, size: int, line: Line) -> list[Fact]:
        if not self._heap:
            return []
        self._first = self._first or line
        self._last = line.end_number
        self._values[field] = size
        self.wait(line)
        return self.flush() if len(self._values) == len(_FIELD_OF_LABEL) else []
