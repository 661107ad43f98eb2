"""What tools between the device and us add to a line, peeled off: line ends, colours, time stamps, prompts.

Pure: one line of text in, the device's own text out. The layers stand in the order in which they were put on:
`[tool stamp][prompt][colour]log prefix and body[colour]\\r`. Leading blanks of the body stay: a few forms need them.
"""

from __future__ import annotations

import re

LINE_END = "\r\n \t"
"""What may stand at the end of a line and means nothing."""

# An escape byte survives as itself, as the picture of it (PlatformIO), as the letters ESC (copying), as a program that
# makes such bytes visible writes it (^[, \x1b, \033), or not at all.
_COLOUR = re.compile(r"[\x1b\u241b]\[[0-9;?]*[A-Za-z]")
_VISIBLE_COLOUR = re.compile(r"(?:ESC|\^\[|\\(?:x1[bB]|033|e))\[[0-9;?]*[A-Za-z]")
_HALF_COLOUR = re.compile(r"\[(?:0|[01]?;?[3-4][0-9]|[01];[0-9]{1,2})m")
_OTHER_CODE = re.compile(
    r"\x1b(?:\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|[78=>cDEHMZ]?)"  # the first one is a window's title
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_WITHIN_NUMBER = re.compile(r"(\d)(?:[\x1b\u241b]\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f])+(?=\d)")
_NOISE = "\ufffd\ufeff"
_MISREAD = re.compile("(?:\xe2\u201d|\xe2\x94|[\xd4\u0393]\xf6)([\u0153\xa3\x9c\u201a\xe9\x82\u201d\xf6\x94])")
_DRAWN = {
    last: sign
    for sign, misread in (("├", "\u0153\xa3\x9c"), ("│", "\u201a\xe9\x82"), ("└", "\u201d\xf6\x94"))
    for last in misread
}
"""ESP-IDF's lines, UTF-8, as programs show them that take them for Windows-1252, Latin-1 or a code page of DOS."""
_VISIBLE_END = re.compile(r"(?:\^M|<CR>|<LF>)+$")

# Each alternative begins at the start of the line; what a device itself prints in brackets is told apart by its comma
# (Zephyr) or by the missing colon (Arduino's milliseconds).
_DAY = r"(?:\d{4}[-/.]\d\d[-/.]\d\d|\d\d[-/.]\d\d[-/.](?:\d{4}|\d\d)|(?:[A-Z][a-z]{2} ){1,2} ?\d{1,2}(?: \d{4})?)"
_TIME = r"\d\d:\d\d:\d\d(?:[.,:]\d{1,9})?(?: [AP]M)?"
_ZONE = r"(?:Z|[+-]\d\d:?\d\d)?"
_STAMP = re.compile(
    rf"(?:{_DAY}[ T_])?{_TIME}{_ZONE}"  # idf.py monitor --timestamps, Arduino IDE, PlatformIO, ts, containers
    r"(?: [\w.-]+ [\w./@-]+\[\d+\]:|(?: ?-?>|[:,;])?)(?:[ \t]|$)"  # the journal of a gateway
    r"(?:\[[RT]X\](?: -)? )?"
    rf"|[\[(](?:{_DAY}[ T_]|\d{{1,5}} )?{_TIME}{_ZONE}(?: \d{{4}})?[\])] ?"  # SSCOM, CoolTerm, Tera Term, mos, tio
    r"|\[\d{10}\.\d{1,9}\] ?|\d{10}\.\d{3,9} "  # since 1970
    r"|(?:[ \d]\d|< ?\d{1,2})> "  # SEGGER RTT Viewer
    r"| {0,8}console: "  # labgrid, BMC
)
_STAMP_FIRST = frozenset("0123456789[(< cJFMASONDTW")
_PROMPT = re.compile(r"(?:[\w.-]{0,20}(?::[~/][\w./-]*)?|\[\w{1,20}\]|[\w.-]{1,16}@[\w.:~/-]{1,24})[$>#] ")
_BOLD = re.compile(r"^\s*\*\*(?=[^*\s])|(?<=[^*\s])\*\*$")
"""What a document puts around a line that it shows; Zephyr's own stars come in threes or before a blank."""
_TOUCHED_SHAPE = re.compile(
    r"[^ -~\t\u2500-\u257f]"  # box drawing is printable, and ESP-IDF's own
    r"|\[0?[;m]|\*\*|\^M|<[0L][RF0]>|\^\[|\\x?0{1,3}\["
    r"|^(?:0{2,4}[-:>/.]|0{10}\.|[0A-Z][0a-z]{2} (?:[0A-Z][0a-z]{2} )? ?0{1,2} | 0> |< ?0{1,2}>"
    r"|[\[(](?!00:00:00\.000,000\])[^\])]*:[^\])]*[\])]|\[0{10}\.| *0onsol0: )"
)
"""Signs of colours, stamps and stars where every hexadecimal digit is made 0; it finds more than there are."""


def peel(text: str) -> str:
    """The device's own line, without what tools added to it."""
    text = text.rstrip(LINE_END)
    if not text.isascii():
        text = _MISREAD.sub(lambda found: _DRAWN[found[1]], text)
    printable = text.isprintable() or ("\t" in text and text.replace("\t", "").isprintable())
    if not printable or "[0;" in text or "[0m" in text or "[1;" in text or text[:1] in _NOISE:
        text = plain(text)
    if text.endswith(("^M", "<CR>", "<LF>")):
        text = _VISIBLE_END.sub("", text)
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
    """The text without colours, cursor moves, control bytes and the noise before it.

    Within a number they have come in the place of digits, or stand between two numbers: neither may look whole.
    """
    if _WITHIN_NUMBER.search(text):
        text = _WITHIN_NUMBER.sub("\\1\ufffd", text)
    text = _COLOUR.sub("", text)
    if "ESC[" in text or "^[[" in text or "\\" in text:
        text = _VISIBLE_COLOUR.sub("", text)
    text = _HALF_COLOUR.sub("", text)
    if "\x1b" in text:
        text = _OTHER_CODE.sub("", text)
    return _CONTROL.sub("", text).lstrip(_NOISE).rstrip()


def split_prompt(text: str) -> tuple[str, str]:
    """A shell's prompt ("uart:~$ ") and what follows it: the echo of a command, or a log line that came in between."""
    prompt = _PROMPT.match(text)
    if prompt is None:
        return "", text
    return text[: prompt.end()], text[prompt.end() :]
