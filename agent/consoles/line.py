"""One peeled line, with the log prefix of its system taken apart.

ESP-IDF   E (1234) tag: body           E (10:20:30.123) tag: body         E tag: body
Arduino   [  1001][I][main.cpp:41] loop(): body
Zephyr    [00:00:01.234,000] <err> module: body     [   12.345678] <err> module: body     E: body
"""

from __future__ import annotations

import re

import msgspec

_ESP_IDF = re.compile(
    r"\s*([EWIDV]) \(([^()]{1,32})\) "
    # The radio's library leaves no blank behind its tag (wifi:pm stop); addresses, times and C++ names are no tags.
    r"(?![\d.]+:\d)([^:\s]{1,64}|[^:]{1,64}(?=:(?:\s|$))):(?![:/])\s?(.*)",
    re.DOTALL,
)
_ESP_IDF_UNTAGGED = re.compile(r"\s*([EWIDV]) \((\d{1,13}|\d\d:\d\d:\d\d\.\d{3})\) (.*)", re.DOTALL)
_ESP_IDF_UNTIMED = re.compile(r"([EWIDV]) ([\w.\[\], -]{1,48}): (.*)", re.DOTALL)
_ARDUINO = re.compile(r"\s*\[ *(\d{1,10})\]\[([EWIDVA])\]\[([^\]]{1,80})\] ?(?:(\w+)\(\): )?(.*)", re.DOTALL)
_ZEPHYR = re.compile(
    r"\s*\[(?:(\d\d):(\d\d):(\d\d)\.(\d{3}),(\d{3})| *(\d+)\.(\d{6})|\d{8,10})\] "
    r"<(err|wrn|inf|dbg)> ([^:]{1,64}): (.*)",
    re.DOTALL,
)
_ZEPHYR_UNTIMED = re.compile(r"<(err|wrn|inf|dbg)> ([^:]{1,64}): (.*)", re.DOTALL)
_ZEPHYR_MINIMAL = re.compile(r"([EWID]): (.*)", re.DOTALL)

_PREFIX_SHAPE = re.compile(r"\s*\[|<|\s*[0WIV] |[0WI]: ")
"""How every prefix begins where every hexadecimal digit is made 0."""

_UNIX_MS_FROM = 10**11
"""ESP-IDF can be told to print milliseconds since 1970 instead of since boot; no device runs for three years."""


class Line(msgspec.Struct, gc=False):
    """A line on its way through the forms. `text` is the peeled line, `body` what stands after the log prefix.

    `level` is E, W, I, D or V, empty without a prefix; `uptime_ms` is given when the prefix counts from boot;
    `complete` is False for the last line of a stream that ended without a line feed; `prompt` is the shell's, cut off;
    `end_number` differs from `number` for a line that was put together again.
    """

    number: int
    text: str
    body: str
    system: str = ""
    level: str = ""
    module: str = ""
    uptime_ms: int | None = None
    complete: bool = True
    prompt: str = ""
    end_number: int = 0


def may_have_prefix(shape: str) -> bool:
    """Whether lines of that shape (every hexadecimal digit is 0 in it) may begin with a log prefix."""
    return _PREFIX_SHAPE.match(shape) is not None


def read_line(number: int, text: str, *, end_number: int = 0, complete: bool = True, prompt: str = "") -> Line:
    """Take a peeled line's log prefix apart; a line without one is its own body."""
    line = Line(number, text, text, complete=complete, prompt=prompt, end_number=end_number or number)
    first = text.lstrip()[:2]
    if first[:1] == "[":
        _read_bracketed(line)
    elif first[1:] == " " and first[0] in "EWIDV":
        _read_esp_idf(line)
    elif first[:1] == "<":
        if match := _ZEPHYR_UNTIMED.match(text):
            line.system, line.level, line.module, line.body = "zephyr", _letter(match[1]), match[2], match[3]
    elif first[1:] == ":" and first[0] in "EWID" and (match := _ZEPHYR_MINIMAL.match(text)):
        line.system, line.level, line.body = "zephyr", match[1], match[2]
    return line


def _read_esp_idf(line: Line) -> None:
    if match := _ESP_IDF.match(line.text):
        line.level, line.module, line.body = match[1], match[3], match[4]
    elif match := _ESP_IDF_UNTAGGED.match(line.text):  # by its own format: "E (99001) http://10.0.0.1 timed out"
        line.level, line.body = match[1], match[3]
    elif untimed := _ESP_IDF_UNTIMED.match(line.text):
        line.level, line.module, line.body = untimed[1], untimed[2], untimed[3]
    else:
        return
    if match and match[2].isdecimal() and int(match[2]) < _UNIX_MS_FROM:
        line.uptime_ms = int(match[2])
    line.system = "esp32"


def _read_bracketed(line: Line) -> None:
    if match := _ZEPHYR.match(line.text):
        line.system, line.level, line.module, line.body = "zephyr", _letter(match[8]), match[9], match[10]
        if match[1]:
            seconds = int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3])
            line.uptime_ms = seconds * 1000 + int(match[4])
        elif match[6]:
            line.uptime_ms = int(match[6]) * 1000 + int(match[7]) // 1000
    elif match := _ARDUINO.match(line.text):
        line.system, line.level, line.module, line.body = "esp32", match[2], match[3], match[5]
        line.uptime_ms = int(match[1])


def _letter(word: str) -> str:
    return word[0].upper()
