"""Heap lines of applications: the common wording, four firmwares' own dialects, Arduino's report, console answers.

I (5311) app: Free heap: 172208                       any wording that `phrases` understands
Heap: 118432/294912 bytes free (-2144 since last), min 96204, largest block 65524      Meshtastic
1763600000;[HEAP];161236;148004;110580;mon                                             MeshCom
Free 8-bit 81564/281180, 32-bit 16248/38268, SPIRAM 3968868/4194252                    OVMS
esp32> free                                           the console example's answer is a bare number
81564
"""

from __future__ import annotations

import re

from agent.consoles.esp_idf.phrases import DEFAULT_HEAP, EXTERNAL_HEAP, Phrase, read_phrases
from agent.consoles.fact import Fact
from agent.consoles.form import Form, Numbers, Session
from agent.consoles.line import Line

_MESHTASTIC = re.compile(
    r"Heap: (\d+)/(\d+) bytes free(?: \(([+-]?\d+) since last\))?(?:, min (\d+))?(?:, largest block (\d+))?$"
)
_MESHCOM = re.compile(r"\d+;\[HEAP\];(\d+);(\d+);(\d+);(?:init|mon)$")
_OVMS = re.compile(r"Free 8-bit (\d+)/(\d+), 32-bit (\d+)/(\d+), SPIRAM (\d+)/(\d+)$")
_OVMS_TASK = re.compile(r"task=(.+?) +total=((?: *\d+(?!\d))+) change=((?: *[+-]?\d+(?!\d))+)$")
_SIGNED = re.compile(r"[+-]?\d+")
_STACK = re.compile(
    r"Free Stack for (?P<server>\w+) task: (?P<quote>'?)(?P<server_free>\d+)(?P=quote)$"
    r"|(?:Task )?stk_wm ?= ?(?P<mesh_free>\d+)$"
    r"|(?:stack )?high ?water ?mark(?: is)?[:= ]+(?P<free>\d+)(?: bytes)?$",
    re.IGNORECASE,
)


_WORDINGS_MOST = 256
_ANSWER_PATIENCE = 4  # log lines may come before the answer


class DialectForm(Form):
    """Dialects with a grammar of their own."""

    needles = ("bytes free", ";[HEAP];", "Free 8-bit ", "task=", "Free Stack for ", "stk_wm", "ater mark", "atermark")

    def take(self, line: Line) -> list[Fact] | None:
        body = line.body
        if match := _MESHTASTIC.search(body):
            free, size, change, least, largest = match.groups()
            if largest and self.session.cuts.is_cut("largest block", int(largest)):
                largest = None
            values = _present(free=free, size=size, min_free=least, largest_free=largest)
            raw = {"change": int(change)} if change else {}
            return [self.fact("heap", (DEFAULT_HEAP,), values, line, raw=raw)]
        if match := _MESHCOM.match(body):
            free, least, largest = match.groups()
            return [self.fact("heap", (DEFAULT_HEAP,), _present(free=free, min_free=least, largest_free=largest), line)]
        if match := _OVMS.search(body):
            free_and_size = zip(("8bit", "32bit", "spiram"), match.groups()[::2], match.groups()[1::2], strict=True)
            if int(match[5]) > int(match[6]):
                return []  # torn
            return [
                self.fact("heap", (heap,), _present(free=free, size=size), line) for heap, free, size in free_and_size
            ]
        if match := _OVMS_TASK.match(body):
            totals, changes = _numbers(match[2]), _numbers(match[3])
            printed: dict[str, object] = {"totals": totals, "changes": changes}
            return [self.fact("task", (match[1], "total"), {"current": sum(totals)}, line, raw=printed)]
        return self._stack(line)

    def _stack(self, line: Line) -> list[Fact] | None:
        match = _STACK.search(line.body)
        if match is None:
            return None
        thread = match["server"] or line.module or "main"
        free = match["server_free"] or match["mesh_free"] or match["free"]
        place = "stack", thread, line.body[: match.start()]
        if line.body[-1:].isdigit() and self.session.cuts.is_cut(place, int(free)):
            return []
        return [self.fact("stack", (thread,), _present(min_free=free), line)]


class ApplicationForm(Form):
    """The common wording, and the console's bare answer to `free`."""

    needles = ("free", "Free", "FREE", "heap", "Heap", "HEAP")
    reads_all = True

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._asked = False
        self._with_unit: set[tuple[str, str, str]] = set()

    def take(self, line: Line) -> list[Fact] | None:
        if self._asked and not line.level:
            self._asked, self.open_until = False, 0
            if line.text.isdecimal() and line.complete:
                return [self.fact("heap", (DEFAULT_HEAP,), {"free": int(line.text)}, line)]
        if line.prompt and line.text == "free":
            self._asked = True
            self.wait(line, _ANSWER_PATIENCE)
            return []
        phrases = read_phrases(line.body)
        if not phrases:
            return None
        if self._is_torn(phrases[-1], line):
            return []
        heaps = dict.fromkeys(phrase.heap for phrase in phrases)
        told = [[phrase for phrase in phrases if phrase.heap == heap] for heap in heaps]
        return [self._heap(told_of[0].heap, told_of, line) for told_of in told if not _is_missing(told_of)]

    def _is_torn(self, last: Phrase, line: Line) -> bool:
        """Whether a line's last number lacks the unit, or digits, that it had when the line came before."""
        wording = (line.level, line.module, last.label)
        if last.unit and len(self._with_unit) < _WORDINGS_MOST:
            self._with_unit.add(wording)
        if last.unit or not last.ends:
            return False
        return wording in self._with_unit or self.session.cuts.is_cut(wording, last.size)

    def flush(self) -> list[Fact]:
        self._asked = False
        return super().flush()

    def _heap(self, heap: str, phrases: list[Phrase], line: Line) -> Fact:
        values: Numbers = {}
        raw: dict[str, object] = {}
        for phrase in phrases:
            # A "total" may be of this heap or of all memory: the words do not tell.
            (raw if phrase.meaning == "total" else values).setdefault(phrase.meaning, phrase.size)
        resolution = max(phrase.resolution for phrase in phrases)
        system = self.session.system or self.system
        return self.fact("heap", (heap,), values, line, raw=raw, resolution=resolution, system=system)


def _is_missing(phrases: list[Phrase]) -> bool:
    """Boards without external RAM say that 0 bytes of it are free: there is no such heap."""
    return phrases[0].heap == EXTERNAL_HEAP and not any(phrase.size for phrase in phrases)


def _present(**printed: str | None) -> Numbers:
    return {name: int(digits) for name, digits in printed.items() if digits is not None}


def _numbers(text: str) -> list[int]:
    return [int(number) for number in _SIGNED.findall(text)]
