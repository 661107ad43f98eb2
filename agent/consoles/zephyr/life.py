"""Zephyr: boot banners, fatal errors, dropped messages, allocations that failed.

*** Booting Zephyr OS build v3.7.0-12-g1a2b3c4d ***      *** Booting nRF Connect SDK v2.9.0-... ***
*** Using Zephyr OS v3.7.99-1f8f3dc29142 ***             second line of the same boot
[00:00:30.004,000] <err> os: ***** BUS FAULT *****
[00:00:30.005,000] <err> os: >>> ZEPHYR FATAL ERROR 25: Unknown error on CPU 0
[00:00:30.005,000] <err> os: Current thread: 0x20001170 (thread_analyzer)
[00:00:30.090,000] <err> os: Halting system
"""

from __future__ import annotations

import re

from agent.consoles.fact import Fact
from agent.consoles.form import Form, Numbers, Session
from agent.consoles.line import Line

_BANNER = re.compile(r"\*{3,5} ?Booting ([^*]{1,96}?) *\*{3,5}", re.IGNORECASE)
_VERSION = re.compile(
    r"(?:zephyr-)?(v?\d+\.[\w.+-]*|v\d[\w.+-]*|[\w.-]*-g[0-9a-f]{6,40}|[0-9a-f]{7,40})$", re.IGNORECASE
)
_USING = re.compile(r"\*{3,5} Using Zephyr OS (?:build |version )?(\S+) *\*{3,5}")
_SAME_BOOT = 200
"""Lines after a reset or a boot loader's banner within which the application's banner is of the same boot."""

_FAULT = re.compile(
    r"\*{5} (?P<fault>(?:MPU|BUS|USAGE|HARD|SECURE|MemManage|Reserved|Debug)\w* ?FAULT[^*]*?) \*{5}"
    r"|(?P<exception>\*\* FATAL EXCEPTION)"
    r"|(?P<overflow>Stack overflow \(context area not valid\))",
    re.IGNORECASE,
)
_FATAL = re.compile(r">>> ZEPHYR FATAL ERROR (\d+): ([^>]*?)(?: on CPU (\d+))?\s*$")
_THREAD = re.compile(r"(?:Current thread|Executing thread ID \(thread\)): *(0x[0-9a-fA-F]+)?(?: ?\(?([^()]*)\)?)?$")
_CAUGHT = "Caught system error -- reason"
_STACK_OVERFLOW = 2  # K_ERR_STACK_CHK_FAIL
_FAULT_PATIENCE = 40  # registers and back traces stand between the fault and the fatal error

_DROPPED = re.compile(r"--- (\d+) messages dropped ---")
_SHORTAGE = re.compile(
    r"(?P<call>(?:k_|sys_heap_|k_heap_|net_)?(?:malloc|calloc|realloc|aligned_alloc|alloc))\((?P<size>\d+)\) failed"
    r"|(?<!but )[Ff]ailed to allocate (?P<asked>\d+) bytes"
    r"|Data buffer \((?P<buffer>\d+)\) allocation failed"
    r"|(?P<text>Failed to allocate net_(?:pkt|buf)|No buffer available|(?<!\")Allocation failed - heap exhausted"
    r"|ASSERTION FAIL \[net_buf_simple_tailroom\(\w+\) >= len\])"
)
_NO_STATISTICS = re.compile(r"Failed to get (stack|heap) stats$")


class BannerForm(Form):
    """Banners: the first one after silence begins a boot; further ones of the same boot only tell versions."""

    system = "zephyr"
    needles = ("*** Boot", "**** BOOT", "*** Using ")

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._loader_line: int | None = None

    def take(self, line: Line) -> list[Fact] | None:
        stars = line.text.find("***")
        if using := _USING.search(line.text, stars):
            return [self.fact("device", (), {"os": f"Zephyr {using[1]}"}, line)]
        banner = _BANNER.match(line.text, stars) or _BANNER.search(line.text)
        if banner is None:
            return None
        what, version = _named(banner[1])
        loader = what.lower() == "mcuboot"
        raw = {"banner": what, "version": version}
        event = self.event("started" if self._booted(line) else "boot", {"reason": "banner"}, line, raw=raw)
        if loader:
            self._loader_line = line.number
            return [event]
        self._loader_line = None
        name = "Zephyr" if what.lower().startswith("zephyr os") else what
        return [event, self.fact("device", (), {"os": f"{name} {version}".rstrip()}, line)]

    def _booted(self, line: Line) -> bool:
        """True when a boot ROM or a boot loader has begun this boot just before."""
        began = self._loader_line or self.session.reset_line
        self.session.reset_line = None
        return began is not None and line.number - began <= _SAME_BOOT


def _named(text: str) -> tuple[str, str]:
    """What boots, and its version, empty when there is none: `Zephyr OS build zephyr-v3.4.0 (delayed boot 5ms)`."""
    text = text.partition(" (")[0].strip()
    what, _, last = text.rpartition(" ")
    version = _VERSION.match(last)
    return (what, version[1]) if what and version else (text, "")


class FatalForm(Form):
    """A fault, the fatal error it leads to, and the thread: one event.

    A test that provokes the error prints the same lines and then that it was caught: that is no crash.
    """

    system = "zephyr"
    needles = (
        "*****",
        "** FATAL EXCEPTION",
        "ZEPHYR FATAL ERROR",
        "Stack overflow (context",
        "Current thread",
        _CAUGHT,
        "Halting system",
        "Executing thread",
    )

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._first: Line | None = None
        self._last = 0
        self._printed: Numbers = {}

    def take(self, line: Line) -> list[Fact] | None:
        body = line.text
        if "FATAL ERROR" in body and (match := _FATAL.search(body)):
            return self._fatal(match, line)
        if match := _FAULT.search(body):
            return self._fault((match["fault"] or match["exception"] or match["overflow"]).strip("* "), line)
        if self._first is None:
            return None
        if _CAUGHT in body:
            self._note(line, caught=1)
            return self.flush()
        if "Halting system" in body:
            self._note(line)
            return self.flush()
        if match := _THREAD.search(line.body):
            self._note(line, thread=match[2] or match[1] or "unknown")
            return []
        return None

    def flush(self) -> list[Fact]:
        first, printed = self._first, self._printed
        self._first, self._printed, self.open_until = None, {}, 0
        if first is None:
            return []
        if printed.pop("caught", None):
            kind = "caught_error"
        elif printed.get("code") == _STACK_OVERFLOW or "tack overflow" in str(printed.get("fault", "")):
            kind = "stack_overflow"
        else:
            kind = "panic"
        return [self.event(kind, printed, first, end_line=self._last)]

    def _fault(self, fault: str, line: Line) -> list[Fact]:
        facts = self.flush() if "code" in self._printed else []
        self._note(line)
        self._printed.setdefault("fault", fault)
        return facts

    def _fatal(self, match: re.Match[str], line: Line) -> list[Fact]:
        facts = self.flush() if "code" in self._printed else []
        self._note(line, code=int(match[1]), reason=match[2].strip())
        if match[3]:
            self._printed["cpu"] = int(match[3])
        return facts

    def _note(self, line: Line, **printed: int | str) -> None:
        self._first = self._first or line
        self._last = line.end_number
        self._printed.update(printed)
        self.wait(line, _FAULT_PATIENCE)


class ShortageForm(Form):
    """Allocations that failed, in the words of the kernel's subsystems and of the tutorial."""

    system = "zephyr"
    shares = True
    needles = (
        ") failed",
        "allocation failed",
        "ailed to allocate ",
        "No buffer available",
        "heap exhausted",
        "ASSERTION FAIL [net_buf",
        "messages dropped ---",
        " stats",
    )

    def take(self, line: Line) -> list[Fact] | None:
        if match := _SHORTAGE.search(line.text):
            size = match["size"] or match["buffer"] or match["asked"]
            values: Numbers = {"size": int(size)} if size else {}
            values["reason"] = match[0]
            return [self.event("alloc_failed", values, line)]
        if match := _DROPPED.search(line.text):
            return [self.event("messages_dropped", {"count": int(match[1])}, line)]
        if match := _NO_STATISTICS.match(line.body):
            return [self.event("stats_failed", {"text": match[0]}, line)]
        return None
