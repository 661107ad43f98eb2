"""ESP-IDF heap tracing: a dump of records and its summary make one event, `heap_trace`.

    ====== Heap Trace: 2 records (100 capacity) ======              v5.1 and later
       128 bytes (@ 0x3fc9a1f0, Internal) allocated CPU 0 ccount 0x01b5a3c0 caller 0x42009f3c:0x42009e10 freed
    freed by 0x42009f80
    ====== Heap Trace Summary ======
    64 bytes 'leaked' in trace (1 allocations)      96 bytes alive in trace (2/5 allocations)
    records: 2 (100 capacity, 2 high water mark)
    hashmap: 10 capacity (3 hits, 1 misses)
    total allocations: 2
    total frees: 1
    ================================
    2 allocations trace (100 entry buffer)                          v3.0 to v5.0
    64 bytes (@ 0x3ffb5b2c) allocated CPU 0 ccount 0x13d1f4ec caller 0x400d276d:0x400d27c1
    total allocations 2 total frees 1

A long dump trips the watchdog and stops anywhere: what was printed until then is given.
"""

from __future__ import annotations

import re

from agent.consoles.fact import Fact
from agent.consoles.form import Form, Numbers, Session
from agent.consoles.line import Line

_RECORDS_KEPT = 4096
_PATIENCE = 64  # the monitor's decoded addresses stand between the records

_HEADER = re.compile(
    r"=+ Heap Trace: (\d+) records \((\d+) capacity\) =+$|(\d+) allocations trace \((\d+) entry buffer\)$"
)
_RECORD = re.compile(
    r"\s*(\d+) bytes \(@ (0x[0-9a-f]+)(?:, +(Internal|PSRAM))?\) allocated CPU (\d+) ccount (0x[0-9a-f]{8})"
    r"(?: +caller ?([0-9a-fx:]*))?(?: *(freed))?"
)
_FREED_BY = re.compile(r"\s*freed by ([0-9a-fx:]+)$")
_SUMMARY = re.compile(r"=+ Heap Trace Summary =+$|Mode: Heap Trace ")
_BYTES = re.compile(r"(\d+) bytes (alive|'leaked') in trace \((\d+)(?:/(\d+))? allocations\)$")
_COUNTS = (
    re.compile(r"(records): (\d+) \((\d+) capacity, (\d+) high water mark\)"),
    re.compile(r"(hashmap): (\d+) capacity \((\d+) hits, (\d+) misses\)"),
    re.compile(r"total (allocations|frees):? (\d+)(?: total (frees) (\d+))?$"),
)
_END = re.compile(r"={20,}$")
_REPORT = re.compile(r"Found (\d+) leaked bytes in (\d+) blocks\.")


class HeapTraceForm(Form):
    """Collects a dump until its closing line, a crash, or silence."""

    needles = (
        "Heap Trace",
        "entry buffer)",
        ") allocated CPU ",
        "freed by 0x",
        " in trace (",
        "records: ",
        "hashmap: ",
        "total allocations",
        "total frees",
        "=" * 20,
        "leaked bytes in ",
    )

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._first: Line | None = None
        self._last = 0
        self._values: Numbers = {}
        self._raw: dict[str, object] = {}
        self._records: list[list[int | str]] = []

    def take(self, line: Line) -> list[Fact] | None:
        text = line.text
        if match := _RECORD.match(text):
            return self._record(match, line)
        if match := _HEADER.match(text.lstrip()):
            facts = self.flush()
            self._note(line)
            self._raw["announced"] = int(match[1] or match[3])
            return facts
        if match := _REPORT.search(text):
            values: Numbers = {"size": int(match[1]), "allocations": int(match[2]), "reason": "leaked"}
            return [self.event("heap_trace", values, line)]
        return self._summary(text.strip(), line)

    def flush(self) -> list[Fact]:
        first, values, raw, records = self._first, self._values, self._raw, self._records
        self._first, self._values, self._raw, self._records, self.open_until = None, {}, {}, [], 0
        if first is None or not (values or records):
            return []
        if records:
            raw["records"] = records
        return [self.event("heap_trace", values, first, end_line=self._last, raw=raw)]

    def _record(self, match: re.Match[str], line: Line) -> list[Fact]:
        self._note(line)
        if len(self._records) < _RECORDS_KEPT:
            size, address, _memory, _cpu, _ccount, callers, freed = match.groups()
            self._records.append([int(size), address, (callers or "").strip(":"), freed or "held"])
        return []

    def _summary(self, text: str, line: Line) -> list[Fact] | None:
        if match := _BYTES.match(text):
            self._values |= {"size": int(match[1]), "allocations": int(match[3]), "reason": match[2].strip("'")}
            if match[4]:
                self._raw["of_allocations"] = int(match[4])
        elif counts := next(filter(None, (pattern.match(text) for pattern in _COUNTS)), None):
            self._counts(counts)
        elif self._first is None:
            return None
        elif _FREED_BY.match(text):
            if self._records:
                self._records[-1][3] = "freed"
        elif _END.match(text):
            self._last = line.end_number
            return self.flush()
        elif not _SUMMARY.match(text):
            return None
        self._note(line)
        return []

    def _counts(self, match: re.Match[str]) -> None:
        what, *numbers = match.groups()
        if what in ("records", "hashmap"):
            self._raw[f"{what}_counts"] = [int(number) for number in numbers if number]
            return
        self._raw[f"total_{what}"] = int(numbers[0] or 0)
        if numbers[1]:
            self._raw[f"total_{numbers[1]}"] = int(numbers[2] or 0)

    def _note(self, line: Line) -> None:
        self._first = self._first or line
        self._last = line.end_number
        self.wait(line, _PATIENCE)
