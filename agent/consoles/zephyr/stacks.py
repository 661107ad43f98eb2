"""Zephyr stacks: the monitoring tutorial's line, the thread analyzer, the shell's `kernel threads` and `kernel stacks`.

Stack | Free: 576 bytes
Thread main             | Free: 812 B | Used: 1236 B | Total: 2048 B | Used: 60%
 thread_a            : STACK: unused 648 usage 376 / 1024 (36 %); CPU: 92 %
0x80010e80 idle 00     (real size  512):	unused  344	usage  168 /  512 (32 %)[ CPU 0]
*0x80010ff0 shell_uart
    stack size 4096, unused 2104, usage 1992 / 4096 (48 %)
"""

from __future__ import annotations

import re

from agent.consoles.fact import Fact
from agent.consoles.form import PATIENCE, Form, Numbers, Session
from agent.consoles.line import Line

_TUTORIAL = re.compile(r"stack +\| free: +?(\d+) (?:bytes|B)$", re.IGNORECASE)
_TUTORIAL_THREAD = re.compile(
    r"thread (.*?) *\| free: (\d+) (?:bytes|B) \| used: (\d+) (?:bytes|B) \| total: (\d+) (?:bytes|B)"
    r" \| used: (\d+)%",
    re.IGNORECASE,
)
_THREAD_WIDTH = (17,)
_ANALYZER = re.compile(r" *(\S.*?) *: (PRIV_)?STACK: unused +(\d+) usage +(\d+) / +(\d+) \( *(\d+) %\)")
_ANALYZER_WIDTH = (20,)
_TWO_ROWS = "   "
"""Names are padded with blanks: within one they stand where another row was printed into the first."""
_SHELL_STACK = re.compile(
    r"(0x[0-9a-fA-F]+|[0-9a-fA-F]{8,16}|IRQ \d+) (.*?) *\(real size +(\d+)\):\s+"
    r"unused +(\d+)\s+usage +(\d+) / +(\d+) \( *(\d+) %\)"
)
_SHELL_WIDTHS = 11, 33
"""Of the name and the blank behind it, in old versions and in new ones."""
_SHELL_THREAD = re.compile(r" *\*?(0x[0-9a-fA-F]{4,16})(?: ([^:=,]{0,40}))?$")
_SHELL_THREAD_STACK = re.compile(r"\s*stack size +(\d+), unused +(\d+), usage +(\d+) / +(\d+) \( *(\d+) %\)")
_NAMES_MOST = 256


def consistent(size: int, unused: int, used: int, percent: int) -> bool:
    """True when the printed numbers agree: a torn or mixed line does not pass."""
    return unused + used == size and size > 0 and used * 100 // size == percent


class StackLineForm(Form):
    """One line that says all of a stack; lines that a terminal wrapped at its edge are put together again."""

    system = "zephyr"
    needles = ("STACK: unused", "Stack | Free", "stack | free", "| Used: ")
    reads_all = True

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._torn: Line | None = None

    def take(self, line: Line) -> list[Fact] | None:
        if "STACK: unused" in line.body:
            if match := _ANALYZER.match(line.body):
                return self._analyzer(match, line, line)
            if line.complete:
                self._torn = line
                self.wait(line, 1)
                return []
        body = line.body.lstrip()
        if match := _TUTORIAL.match(body):
            return [self.fact("stack", ("main",), {"min_free": int(match[1])}, line)]
        if "| " in body and (match := _TUTORIAL_THREAD.match(body)):
            if self.session.cuts.is_cut_name(match, 1, "|", _THREAD_WIDTH):
                return []
            return self._stack(match[1], *map(int, match.groups()[1:]), line=line, first=line)
        return self._join(line)

    def flush(self) -> list[Fact]:
        self._torn = None
        return super().flush()

    def _join(self, line: Line) -> list[Fact] | None:
        torn = self._torn
        self.flush()
        if torn is None:
            return None
        # The blank at which a terminal wrapped may be lost; the sums tell which of the two it was.
        for joint in ("", " "):
            match = _ANALYZER.match(torn.body + joint + line.text.lstrip())
            if match and (facts := self._analyzer(match, line, torn)):
                return facts
        return None

    def _analyzer(self, match: re.Match[str], line: Line, first: Line) -> list[Fact]:
        if _TWO_ROWS in match[1] or self.session.cuts.is_cut_name(match, 1, ":", _ANALYZER_WIDTH):
            return []
        unused, used, size, percent = map(int, match.groups()[2:])
        name = f"{match[1]} (privileged)" if match[2] else match[1]
        return self._stack(name, unused, used, size, percent, line=line, first=first)

    def _stack(
        self, name: str, unused: int, used: int, size: int, percent: int, *, line: Line, first: Line
    ) -> list[Fact]:
        if not consistent(size, unused, used, percent):
            return []
        values: Numbers = {"size": size, "min_free": unused, "max_used": used}
        return [self.fact("stack", (name,), values, first, end_line=line.end_number)]


class ShellThreadForm(Form):
    """`kernel threads` (old and new) and `kernel stacks`, where threads are named beside their pointer."""

    system = "zephyr"
    needles = ("(real size", "stack size ", "0x")

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._thread: tuple[Line, str, str] | None = None
        self._names: dict[str, str] = {}

    def take(self, line: Line) -> list[Fact] | None:
        if "(real size" in line.text:
            return self._listed(line)
        if "stack size " in line.text and (match := _SHELL_THREAD_STACK.match(line.text)):
            thread, self._thread = self._thread, None
            if thread is None or line.number - thread[0].number > PATIENCE:
                return []
            size, unused, used, usage_of, percent = map(int, match.groups())
            return self._stack(thread[1], thread[2], (size, unused, used, percent), line) if size == usage_of else []
        if match := _SHELL_THREAD.match(line.text):
            self._thread = line, match[1], (match[2] or "").rstrip()
        return None

    def new_boot(self) -> None:
        self._thread = None
        self._names.clear()

    def _listed(self, line: Line) -> list[Fact] | None:
        place = line.text.rfind(
            "0x", 0, line.text.rfind("(real size")
        )  # before it may stand what is left of another row
        match = _SHELL_STACK.search(line.text, max(place, 0))
        if match is None:
            return None
        if match[2] and self.session.cuts.is_cut_name(match, 2, "(", _SHELL_WIDTHS):
            return []
        size, unused, used, usage_of, percent = map(int, match.groups()[2:])
        return self._stack(match[1], match[2], (usage_of, unused, used, percent), line) if size == usage_of else []

    def _stack(self, pointer: str, name: str, numbers: tuple[int, int, int, int], line: Line) -> list[Fact]:
        size, unused, used, percent = numbers
        if not consistent(size, unused, used, percent):
            return []
        values: Numbers = {"size": size, "min_free": unused, "max_used": used}
        whole = self._names.get(pointer, "")
        if not whole.startswith(name) or not name:  # else the name may have been cut at its end
            whole = name
            if len(self._names) < _NAMES_MOST:
                self._names[pointer] = name
        named = self.session.name(whole, pointer) if whole else pointer
        return [self.fact("stack", (named,), values, line, raw={"thread": pointer})]
