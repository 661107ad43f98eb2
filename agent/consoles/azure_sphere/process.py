"""Azure Sphere: memory of the application process, as applications and the REST API print it.

User memory: 48 KB.            sample MemoryUsage; three lines make one reading. KB means KiB.
Peak user memory: 48 KB.
Total memory: 140 KB.
{"memoryStats":{"currentMemoryUsageInBytes":147456,...}}       REST and `--output json`; other keys in KiB
/app: TMU 140KB, PUMU 48KB, UMM 48KB       and further one-line relatives
"""

from __future__ import annotations

import re

from agent.consoles.fact import Fact
from agent.consoles.form import Form, Numbers, Session
from agent.consoles.line import Line

KIB = 1024

_SAMPLE = re.compile(r"\s*(User|Peak user|Total) memory: (\d+) [kK][iI]?[bB]\.?$")
_FIELD_OF_LABEL = {"User": "user_mode", "Peak user": "peak_user_mode", "Total": "total"}

_ONE_LINE = re.compile(
    r"TMU (?P<total>\d+) ?[kK]i?[bB], PUMU (?P<peak_user_mode>\d+) ?[kK]i?[bB], UMM (?P<user_mode>\d+) ?[kK]i?[bB]"
    r"|TotalMemoryUsed reached: (?P<reached>\d+) ?[kK]i?[bB]"
    r"|^Memory used (?P<used>\d+) ?[kK]i?[bB]\b"
)
_ONE_LINE_FIELDS = {"reached": "total", "used": "total"}

_JSON_PAIR = re.compile(r'"(\w+)"\s*:\s*(\d+)\s*(?=[,}\]])')
_JSON_LAST_PAIR = re.compile(r'\s*"(\w+)"\s*:\s*(\d+)$')
"""The last member of an object that has a line for each: nothing stands behind it."""
_JSON_FIELDS = {
    "currentmemoryusage": "total",
    "totalmemoryusage": "total",
    "totalmemory": "total",
    "usermodememoryusage": "user_mode",
    "usermodememory": "user_mode",
    "usermemory": "user_mode",
    "peakusermodememoryusage": "peak_user_mode",
    "peakusermodememory": "peak_user_mode",
    "peakusermemory": "peak_user_mode",
    "memoryhighwatermark": "peak_user_mode",
}
_JSON_UNIT = re.compile(r"(?:in)?(bytes?|kib|kb)$")


class ProcessRecord:
    """Collects total, user mode and peak of one reading; gives it when it is whole or when it has to be."""

    FIELDS = ("total", "user_mode", "peak_user_mode")

    def __init__(self, form: Form, session: Session) -> None:
        self._form = form
        self._session = session
        self._printed: dict[str, tuple[int, int]] = {}
        self._first: Line | None = None
        self._last = 0

    def put(self, field: str, size: int, resolution: int, line: Line) -> list[Fact]:
        """Take one printed value, bytes; a value that is there already belongs to the next reading."""
        facts = self.close() if field in self._printed else []
        self._first = self._first or line
        self._last = line.end_number
        self._printed[field] = (size, resolution)
        if len(self._printed) == len(self.FIELDS):
            facts += self.close()
        return facts

    @property
    def is_open(self) -> bool:
        """True while a reading is begun and not yet given."""
        return self._first is not None

    def close(self) -> list[Fact]:
        """Give what was printed. The counters return 0 on failure: a size of 0 is no reading but an event."""
        first, printed = self._first, self._printed
        self._first, self._printed = None, {}
        if first is None:
            return []
        values: Numbers = {field: printed[field][0] for field in self.FIELDS if field in printed and printed[field][0]}
        last = self._last
        facts = []
        if values:
            resolution = max(resolution for _, resolution in printed.values())
            flags = self._session.flags()
            facts.append(
                self._form.fact("process", (), values, first, flags=flags, resolution=resolution, end_line=last)
            )
        if len(values) < len(printed):
            failed = [field for field in self.FIELDS if field in printed and not printed[field][0]]
            text = f"the device could not read {', '.join(failed)}"
            raw = dict.fromkeys(failed, 0)
            facts.append(self._form.event("stats_failed", {"text": text}, first, raw=raw, end_line=last))
        return facts


class ProcessForm(Form):
    """Lines of applications about their own memory, and JSON of the REST API and of telemetry."""

    system = "mt3620"
    needles = (
        "memory: ",
        "TMU ",
        "TotalMemoryUsed ",
        "Memory used ",
        "emory",
        "a buffer of",
        " a node ",
        "MemoryUsage",
    )

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._record = ProcessRecord(self, session)

    def take(self, line: Line) -> list[Fact] | None:
        body = line.body
        if match := _SAMPLE.match(body):
            facts = self._sample(_FIELD_OF_LABEL[match[1]], int(match[2]) * KIB, line)
        elif '"' in body and (pairs := _process_pairs(body)):
            facts = self._record.close() if "{" in body else []
            facts += [fact for pair in pairs for fact in self._record.put(*pair, line)]
            if "}" in body:
                facts += self._record.close()
        elif match := _ONE_LINE.search(body):
            facts = self._one_line(match, line)
        else:
            return None
        self.open_until = line.number + 8 if self._record.is_open else 0
        return facts

    def flush(self) -> list[Fact]:
        self.open_until = 0
        return self._record.close()

    def _sample(self, field: str, size: int, line: Line) -> list[Fact]:
        """The sample prints user, peak, total: what stands after a total or before a user is of another moment."""
        facts = self._record.close() if field == "user_mode" else []
        facts += self._record.put(field, size, KIB, line)
        return facts + self._record.close() if field == "total" else facts

    def _one_line(self, match: re.Match[str], line: Line) -> list[Fact]:
        printed = {
            _ONE_LINE_FIELDS.get(name, name): int(text) * KIB for name, text in match.groupdict().items() if text
        }
        facts = self._record.close()
        for field, size in printed.items():
            facts += self._record.put(field, size, KIB, line)
        return facts + self._record.close()


def _process_pairs(text: str) -> list[tuple[str, int, int]]:
    """(field, bytes, resolution) of the JSON members that name the process's memory; KiB unless the key says bytes."""
    pairs = []
    last = _JSON_LAST_PAIR.match(text)
    for key, digits in [last.groups()] if last else _JSON_PAIR.findall(text):
        name = key.lower().replace("_", "")
        unit = _JSON_UNIT.search(name)
        field = _JSON_FIELDS.get(name[: unit.start()] if unit else name)
        if field:
            scale = 1 if unit and unit[1].startswith("byte") else KIB
            pairs.append((field, int(digits) * scale, scale))
    return pairs
