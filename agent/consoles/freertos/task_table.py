"""FreeRTOS `vTaskList`: a task's stack high-water mark, among other columns.

    Task Name       Status  Prio    HWM     Task#   Affinity          the application's own header, or none
    main            X       1       2048    4       0                 state, priority, mark, number[, core]
    tiT             B       18      2147483647  1916    8             ESP-IDF 5.2.0 and 5.2.1: core before mark

Names repeat and hold blanks, so rows are read from the right. ESP-IDF counts in bytes, vanilla FreeRTOS in words. The
names' column has one width in the whole table: in a row where it has another, the name was cut.
"""

from __future__ import annotations

import re
from collections import Counter

import msgspec

from agent.consoles.fact import Fact
from agent.consoles.form import Form, Numbers, Session
from agent.consoles.line import Line

WORD = 4
"""Bytes of a stack word on the 32-bit cores that FreeRTOS runs on here."""

_NO_AFFINITY = (-1, 2147483647)
_CORES = frozenset((0, 1, *_NO_AFFINITY))
_TABLE_PATIENCE = 2
_ROWS_MOST = 256

_HEADER = re.compile(r"\s*(?:Task ?Name|Name|Task)\b.*\b(?:HWM|High ?Water|Stack|Watermark)\b.*$", re.IGNORECASE)
_MARK = re.compile(r"HWM|High ?Water|Stack|Watermark", re.IGNORECASE)
_CORE = re.compile(r"Affinity|Core", re.IGNORECASE)
_DIGIT = re.compile(r"\d")
_ROW = re.compile(r"(\S+(?: {1,2}[^\s]+){0,8}?)?(\s+)([XRBSD])\s+(\d+)\s+(-?\d+)\s+(-?\d+)(?:\s+(-?\d+))?$")


class _Row(msgspec.Struct, frozen=True, gc=False):
    line: Line
    task: str
    state: str
    priority: int
    columns: tuple[int, ...]
    filled: bool
    width: int


class TaskTableForm(Form):
    """The whole table at once: it tells which column is the core, and which rows are whole."""

    system = "freertos"
    needles = ("\tX\t", "\tR\t", "\tB\t", "\tS\t", "\tD\t", "HWM", "Water", "water", "Stack")
    reads_all = True

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._core_said_first: bool | None = None
        self._columns: int | None = None
        self._rows: list[_Row] = []

    def take(self, line: Line) -> list[Fact] | None:
        if not line.text:
            return self.flush() or None
        text = line.text.lstrip()
        match = _ROW.match(text) if "\t" in line.text or self._columns is not None else None
        if match and match[1]:
            return self._row(match, line)
        if _HEADER.match(line.text) and not line.level and not _DIGIT.search(line.text):
            facts = self.flush()
            self._read_header(line)
            return facts
        return None

    def flush(self) -> list[Fact]:
        rows, self._rows = self._rows, []
        said, self._core_said_first, self._columns, self.open_until = self._core_said_first, None, None, 0
        if not rows:
            return []
        rows = _with_whole_names(rows)
        core_first = _is_core_first([row for row in rows if len(row.columns) == 3], said)
        core = 0 if core_first else 2
        torn = [row for row in rows if len(row.columns) == 3 and row.columns[core] not in _CORES]
        return [self._stack(row, core_first) for row in rows if row not in torn]

    def _read_header(self, line: Line) -> None:
        mark, core = _MARK.search(line.text), _CORE.search(line.text)
        self._columns = 3 if core else 2
        self._core_said_first = core.start() < mark.start() if core and mark else None
        self.wait(line, _TABLE_PATIENCE)

    def _row(self, match: re.Match[str], line: Line) -> list[Fact]:
        columns = tuple(map(int, match.group(5, 6, 7) if match[7] else match.group(5, 6)))
        if len(columns) != (self._columns or len(columns)):
            return []  # it does not fit its header: torn
        tab = match.string.find("\t")
        width = tab if tab >= 0 else match.start(3)
        self._rows.append(_Row(line, match[1], match[3], int(match[4]), columns, match.end(1) < width, width))
        self.wait(line, _TABLE_PATIENCE)
        return self.flush() if len(self._rows) == _ROWS_MOST else []

    def _stack(self, row: _Row, core_first: bool) -> Fact:
        has_core = len(row.columns) == 3
        mark, number = row.columns[1:] if has_core and core_first else row.columns[:2]
        esp_idf = has_core or self.session.system == "esp32"
        raw: dict[str, object] = {
            "state": row.state,
            "priority": row.priority,
            "number": number,
            "high_water_mark": mark,
        }
        if has_core:
            raw["core"] = row.columns[0] if core_first else row.columns[2]
        values: Numbers = {"min_free": mark if esp_idf else mark * WORD}
        return self.fact(
            "stack",
            (self.session.name(row.task, str(number)),),
            values,
            row.line,
            system="esp32" if esp_idf else self.system,
            resolution=1 if esp_idf else WORD,
            raw=raw,
        )


def _with_whole_names(rows: list[_Row]) -> list[_Row]:
    """The rows without those whose name was cut; where no blanks fill the names' column, nobody can tell."""
    if len({row.width for row in rows}) == 1:
        return rows
    widths = Counter(row.width for row in rows if row.filled)
    width = max(widths, key=lambda one: (widths[one], one), default=0)
    return [row for row in rows if row.width == width or (row.width > width and not row.filled)]


def _is_core_first(rows: list[_Row], said: bool | None) -> bool:
    """Whether the core stands before the mark: as the header says, if the numbers do not say otherwise.

    The header is the application's, the order is that of the FreeRTOS below it: both changed, not always together.
    """
    first = all(row.columns[0] in _CORES for row in rows)
    last = all(row.columns[2] in _CORES for row in rows)
    return bool(said) if first == last else first
