"""What tools between the device and us add to a line, peeled off: line ends, colours, time stamps, prompts.

Pure: one line of text in, the device's own text out. The layers stand in the order in which they were put on:
`[tool stamp][prompt][colour]log prefix and body[colour]\\r`. Leading blanks of the body stay: a few forms need them.
"""

from __future__ import annotations

import re

LINE_END = "\r\n \t"
"""What may stand at the end of a line and means nothing."""

# An escape byte survives as itself, as the picture of it (PlatformIO), as the letters ESC (copying), or not at all.
_COLOUR = re.compile(
    r"(?:\x1b|\u241b|ESC)\[[0-9;?]*[A-Za-z]"
    r"|\[(?:0|[01]?;?[3-4][0-9]|[01];[0-9]{1,2})m"
    r"|\x1b[()][A-Z0-9]|\x1b[78=>cDEHMZ]?"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_NOISE = "\ufffd"

# Each alternative begins at the start of the line; what a device itself prints in brackets is told apart by its comma
# (Zephyr) or by the missing colon (Arduino's milliseconds).
_STAMP = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?(?: |$)"  # idf.py monitor --timestamps
    r"|\d\d:\d\d:\d\d(?:\.\d{1,6})? -?>(?: |$)"  # Arduino IDE, PlatformIO
    r"|\d\d> "  # SEGGER RTT Viewer
    r"|\[(?:(?:[A-Z][a-z]{2} ){1,2} ?\d{1,2} |\d{4}[-/.]\d\d[-/.]\d\d[ _T])?"  # SSCOM, CoolTerm, Tera Term, mos
    r"\d\d:\d\d:\d\d(?:[.:]\d{1,6})?(?: \d{4})?\] ?"
    r"| {0,8}console: "  # labgrid, BMC
)
_STAMP_FIRST = frozenset("0123456789[ c")
_PROMPT = re.compile(r"(?:[\w.-]{0,20}(?::[~/][\w./-]*)?|\[\w{1,20}\]|[\w.-]{1,16}@[\w.:~/-]{1,24})[$>#] ")
_BOLD = re.compile(r"^\s*\*\*(?=[^*\s])|(?<=[^*\s])\*\*$")
"""What a document puts around a line that it shows; Zephyr's own stars come in threes or before a blank."""
_TOUCHED_SHAPE = re.compile(
    r"[^ -~\t\u2500-\u257f]"  # box drawing is printable, and ESP-IDF's own
    r"|\[0?[;m]|\*\*|^(?:0{2,4}[-:>]|\[[^\],]*:[^\],]*\]| *0onsol0: )"
)
"""Signs of colours, stamps and stars where every hexadecimal digit is made 0; it finds more than there are."""


def peel(text: str) -> str:
    """The device's own line, without what tools added to it."""
    text = text.rstrip(LINE_END)
    printable = text.isprintable() or ("\t" in text and text.replace("\t", "").isprintable())
    if not printable or "[0;" in text or "[0m" in text or "[1;" in text or text[:1] == _NOISE:
        text = plain(text)
    if text and text[0] in _STAMP_FIRST:
        stamp = _STAMP.match(text)
        while stamp:
            text = text[stamp.end() :]
            stamp = _STAMP.match(text)
    return _BOLD.sub("", text) if "**" in text else text


def may_be_touched(shape: str) -> bool:
    """Whether anything was added to lines of that shape (every hexadecimal digit is 0 in it); their ends apart."""
    return _TOUCHED_SHAPE.search(shape) is not None or _PROMPT.match(shape) is not None


def plain(text: str) -> str:
    """The text without colours, cursor moves, control bytes and the noise before it."""
    return _CONTROL.sub("", _COLOUR.sub("", text)).lstrip(_NOISE).rstrip()


def split_prompt(text: str) -> tuple[str, str]:
    """A shell's prompt ("uart:~$ ") and what follows it: the echo of a command, or a log line that came in between."""
    prompt = _PROMPT.match(text)
    if prompt is None:
        return "", text
    return text[: prompt.end()], text[prompt.end() :]
