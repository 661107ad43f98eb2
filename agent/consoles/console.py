"""One port's parser: bytes in, facts out.

    bytes -> Framer (lines, parts of lines) -> unfold (lines pasted as one) -> peel (what tools added)
          -> split_glued (lines printed into lines) -> read_line (log prefix) -> forms -> facts

What a line needs of this is seen beforehand (`agent.consoles.dispatch`): most hold no word of any form
(`Form.needles`), and most of the others are bare.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from agent.consoles import azure_sphere, esp_idf, freertos, zephyr
from agent.consoles.dispatch import Dispatch, Look, shape
from agent.consoles.fact import Fact
from agent.consoles.form import Form, Session
from agent.consoles.framer import Framer, parts_of
from agent.consoles.line import Line, read_line
from agent.consoles.log import log_fact
from agent.consoles.mending import may_continue, split_glued
from agent.consoles.patterns import Pattern, PatternForm
from agent.consoles.recogniser import recognise
from agent.consoles.transport import LINE_END, peel, split_prompt
from agent.consoles.unfolding import FOLDED_FROM, unfold

FORMS: tuple[type[Form], ...] = (*zephyr.FORMS, *azure_sphere.FORMS, *freertos.FORMS, *esp_idf.FORMS)

LONG_LINES = "long_lines"
_DISPATCH = Dispatch(FORMS)
_TOUCHED = Look((), alone=False, bare=False, prefixed=True)
LONGEST = 2_000
"""No record's line is so long, characters: it is noise. What is looked for in a line may take the square of its length,
and Python makes no number of more than 4300 digits."""
_RECOGNISED_WITHIN = 2000
"""Lines after which an unknown system is looked for no more in lines without a memory word."""
_WHOLE_WITHOUT_LINE_FEED = re.compile(r"(?:\bbytes|\d ?[KMk]?i?[Bb]|[).:%*])$")
"""How a torn last line must end to be believed: with a word that its form prints after the number, never a digit."""


class Console:
    """One port's parser: takes the stream in any split, gives facts. Recognises the system by itself, or is told.

    `lines` and `understood` count the lines read and those that a form knew, `refused` what was not believed; `system`
    is what was recognised (or told), None until then. Facts come in the order of the stream; those of a boot come
    before the next boot's first.
    """

    def __init__(self, system: str | None = None, patterns: Sequence[Pattern] = ()) -> None:
        self.lines = 0
        self.understood = 0
        self._understood_line = 0
        self._too_long = 0
        self._told = system is not None
        self._session = Session(system)
        self._framer = Framer()
        self._own = [PatternForm(self._session, pattern) for pattern in patterns]
        known = [form(self._session) for form in FORMS]
        self._forms: list[Form] = [*self._own, *known]
        self._asked_by_number: list[Form | None] = [*known, None]  # LOG is the last
        self._waiting: list[Form] = []
        self._unfinished: tuple[int, str] | None = None

    @property
    def system(self) -> str | None:
        """The system on this port, None until it has shown itself."""
        return self._session.system

    @property
    def refused(self) -> Mapping[str, int]:
        """How many numbers and names were not believed since they looked cut, and how many lines were too long."""
        return {**self._session.cuts.refused, LONG_LINES: self.oversized}

    @property
    def oversized(self) -> int:
        """Lines that were, or a part of which was, too long to look at."""
        return self._framer.oversized + self._too_long

    def feed(self, data: bytes) -> list[Fact]:
        """Take the next bytes of the stream; the same stream gives the same facts however it is split."""
        facts: list[Fact] = []
        for line in self._framer.feed(data):
            self.lines += 1
            text = line.rstrip(LINE_END)
            if len(text) < FOLDED_FROM and "\r" not in text:
                self._read(text, facts)
            else:
                self._read_parts(parts_of(line), facts)
        if self._framer.parts:
            self.lines += 1  # they are of the line whose line feed is still to come
            self._read_parts(self._framer.parts, facts)
            self.lines -= 1
        return facts

    def _read_parts(self, parts: Sequence[str], facts: list[Fact]) -> None:
        for part in parts:
            for text in self._unfolded(part):
                self._read(text.rstrip(LINE_END), facts)

    def _unfolded(self, line: str) -> list[str]:
        parts = unfold(line)
        short = [part if len(part) <= LONGEST else "" for part in parts]
        self._too_long += short != parts
        return short

    def _read(self, text: str, facts: list[Fact]) -> None:
        look = _DISPATCH.look(shape(text))
        asked = self._asked(text, look) if look.words or self._own else []
        if asked or not look.alone or not self._is_idle():
            facts += self._take(text, look, asked)

    def _is_idle(self) -> bool:
        """True when a line without any known word could not matter: nothing is open, and the system is known."""
        known = self._session.system is not None or self.lines > _RECOGNISED_WITHIN
        return known and not self._waiting and self._unfinished is None

    def settle(self) -> list[Fact]:
        """The port fell silent: give what open records say already, instead of waiting for further lines."""
        facts = [fact for form in self._waiting for fact in self._ordered(form.flush(), form)]
        self._waiting = [form for form in self._waiting if form.open_until]
        return facts

    def close(self) -> list[Fact]:
        """End the stream: what a torn last line and open records still say. Another may follow."""
        facts: list[Fact] = []
        if rest := self._framer.rest():
            self.lines += 1
            *whole, last = self._unfolded(rest) if rest[-1] != "\r" else [*self._unfolded(rest), ""]
            for text in whole:
                self._read(text.rstrip(LINE_END), facts)
            text = peel(last)
            if "Heap-Tracker" in text or _WHOLE_WITHOUT_LINE_FEED.search(text):
                facts += self._take(text, _TOUCHED, self._asked(text), complete=False)
        self._unfinished = None
        return facts + self.settle()

    def _take(self, text: str, look: Look, asked: list[Form | None], *, complete: bool = True) -> list[Fact]:
        facts = self._expired() if self._waiting else []
        if self._unfinished is not None:
            (number, head), self._unfinished = self._unfinished, None
            if (mended := self._mended(number, head, peel(text), complete)) is not None:
                return facts + mended
        if not look.bare:
            line = self._undo(text, look, complete)
        elif look.prefixed:
            line = read_line(self.lines, text, complete=complete)
        else:
            line = Line(self.lines, text, text, end_number=self.lines)
        if self._session.system is None:
            self._session.system = recognise(line.prompt + line.text)
        if found := self._offer(line, asked):
            facts += found
        return facts + log_fact(line) if None in asked else facts

    def _undo(self, text: str, look: Look, complete: bool) -> Line:
        """The line without what tools, shells and other lines added to it; text before another line is remembered."""
        head, text = ("", peel(text)) if look.alone else split_glued(peel(text))
        if head:
            self._unfinished = self.lines, head
        prompt, text = split_prompt(text)
        return read_line(self.lines, text, complete=complete, prompt=prompt)

    def _mended(self, number: int, head: str, text: str, complete: bool) -> list[Fact] | None:
        """What an unfinished text says together with its rest; None when this is not its rest."""
        if not may_continue(text):
            return None
        line = read_line(number, peel(head + text), end_number=self.lines, complete=complete)
        return self._offer(line, self._asked(line.text))

    def _asked(self, text: str, look: Look | None = None) -> list[Form | None]:
        """The forms that want to see a line, the user's first; None stands for the log."""
        forms = self._asked_by_number
        words = (look or _DISPATCH.look(shape(text))).words
        asked = [forms[number] for word, number in words if word in text]
        return [*(form for form in self._own if form.needles[0] in text), *asked] if self._own else asked

    def _offer(self, line: Line, asked: list[Form | None]) -> list[Fact] | None:
        """What the first form that knows the line makes of it; None when none does."""
        for open_form in self._waiting:
            if open_form.reads_all and open_form not in asked:
                asked = [*asked, open_form]
        refused: Form | None = None
        shared: list[Fact] | None = None
        for form in asked:
            if form is None or form is refused:  # it stands there as often as its words stand in the line
                continue
            facts = form.take(line)
            if facts is not None:
                self.understood += self._understood_line != self.lines
                self._understood_line = self.lines
                if form.open_until and form not in self._waiting:
                    self._waiting.append(form)
                facts = self._ordered(facts, form) if facts else facts
                if not form.shares:
                    return shared + facts if shared else facts
                shared = [*shared, *facts] if shared else facts
            refused = form
        return shared

    def _expired(self) -> list[Fact]:
        """What records say whose lines did not come in time."""
        for form in self._waiting:
            if self.lines > form.open_until:
                break
        else:
            return []
        late = [form for form in self._waiting if self.lines > form.open_until]
        facts = [fact for form in late for fact in self._ordered(form.flush(), form)]
        self._waiting = [form for form in self._waiting if form.open_until]
        return facts

    def _ordered(self, facts: list[Fact], giver: Form) -> list[Fact]:
        """The facts, and before the first one of a new boot all that was still open in the old one."""
        ordered: list[Fact] = []
        if not facts:
            return ordered
        for form in self._waiting:
            if form.begins_boot and form is not giver:
                ordered += self._ordered(form.flush(), form)
        if not ordered and self._session.system is not None and not _begin_boot(facts):
            return facts
        for fact in facts:
            if fact.begins_boot:
                for form in self._forms:
                    if form is not giver:
                        ordered += form.flush()
                    form.new_boot()
                self._session.named.clear()
            if not self._told and fact.system != "other" and (self._session.system is None or fact.begins_boot):
                self._session.system = fact.system
            ordered.append(fact)
        return ordered


def _begin_boot(facts: list[Fact]) -> bool:
    for fact in facts:  # noqa: SIM110 - a loop takes half the time of any()
        if fact.kind == "event" and fact.begins_boot:
            return True
    return False
