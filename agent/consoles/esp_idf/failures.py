"""ESP-IDF: allocations that failed, and heaps that were overwritten.

heap_caps_malloc was called but failed to allocate 332 bytes with 0x80C capabilities.       the documented callback
Mem alloc fail. size 0x0000014c caps 0x0000080c                the reason of the abort that may follow the callback
W (11714) wifi:alloc eb len=24 type=3 fail                     the wifi library
mbedtls_ssl_setup returned -0x7F00                             mbedtls
CORRUPT HEAP: Bad head at 0x3ffb5b2c. Expected 0xabba1234 got 0x00000000
"""

from __future__ import annotations

import re

from agent.consoles.fact import Fact
from agent.consoles.form import Form, Numbers, Session
from agent.consoles.line import Line

_ONE_EVENT = 8
"""Lines within which the callback's and the abort's text are about the same failure, when their sizes agree."""

_CALLBACK = re.compile(r"(\w+) was called but failed to allocate (\d+) bytes with 0x([0-9A-Fa-f]+) capabilities")
_ABORT = re.compile(r"Mem alloc fail\. size 0x([0-9a-fA-F]{8}) caps 0x([0-9a-fA-F]{8})")
_OLD_ABORT = re.compile(r"\s*Memory allocation failed\.?$")
_WIFI = re.compile(r"alloc eb len=(\d+) type=\d+ fail|(?:m f null|mem fail)$|esf_buf: .* no eb\b")
_NO_MEMORY = re.compile(r"-0x7[fF]00\b|\bESP_ERR_NO_MEM\b")
_CHECKED = "ESP_ERROR_CHECK failed: "

_CORRUPT = re.compile(
    r"CORRUPT HEAP: (?P<what>Bad head|Bad tail|Invalid data|Size|multi_heap\.c:\d+ detected|Block)"
    r"(?: at| points to itself| )*(?: ?(?P<address>0x[0-9a-fA-F]{8}))?"
    r"(?:[. ]+[Ee]xpected (?P<expected>[<=]*0x[0-9a-fA-F]+)(?: got (?P<got>0x[0-9a-fA-F]+))?)?"
)


class FailureForm(Form):
    """Failed allocations and corruption; one failure that is printed twice is told once."""

    needles = (
        "failed to allocate",
        "Mem alloc fail.",
        "Memory allocation failed",
        "alloc eb len=",
        "wifi:m",
        "wifi:esf_buf",
        "esf_buf:",
        "-0x7F00",
        "-0x7f00",
        "ESP_ERR_NO_MEM",
        "CORRUPT HEAP",
    )

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._latest: tuple[int, int] | None = None

    def take(self, line: Line) -> list[Fact] | None:
        if match := _CALLBACK.search(line.text):
            size = int(match[2])
            self._latest = line.number, size
            values: Numbers = {"size": size, "caller": match[1]}
            return [self.event("alloc_failed", values, line, raw={"caps": f"0x{match[3]}"})]
        if match := _ABORT.search(line.text):
            return [self._abort(int(match[1], 16), match, line)]
        if match := _CORRUPT.search(line.text):
            return [self._corrupt(match, line)]
        return self._library(line)

    def new_boot(self) -> None:
        self._latest = None

    def _abort(self, size: int, match: re.Match[str], line: Line) -> Fact:
        """The callback has told of it already: then this is only why the program ends."""
        told = self._latest is not None and self._latest[1] == size and line.number - self._latest[0] <= _ONE_EVENT
        self._latest = None
        values: Numbers = {"size": size, "reason": "allocation failed"}
        return self.event("abort" if told else "alloc_failed", values, line, raw={"caps": f"0x{match[2]}"})

    def _library(self, line: Line) -> list[Fact] | None:
        if _OLD_ABORT.match(line.body):
            return [self.event("alloc_failed", {"reason": "allocation failed"}, line)]
        if line.module in ("wifi", "esf_buf", "") and (match := _WIFI.search(line.text)):
            values: Numbers = {"size": int(match[1])} if match[1] else {}
            values |= {"caller": "wifi", "reason": match[0]}
            return [self.event("alloc_failed", values, line)]
        told = line.level in ("E", "W") or line.body.startswith(_CHECKED)
        if told and (match := _NO_MEMORY.search(line.body)):
            values = {"caller": line.module} if line.module else {}
            values |= {"reason": match[0], "text": line.body}
            return [self.event("alloc_failed", values, line)]
        return None

    def _corrupt(self, match: re.Match[str], line: Line) -> Fact:
        values: Numbers = {"reason": match["what"]}
        if match["address"]:
            values["address"] = int(match["address"], 16)
        raw = {name: match[name] for name in ("expected", "got") if match[name]}
        return self.event("corrupt_heap", values, line, raw=raw)
