"""Free heap in an application's own words: `Free heap: 9412 bytes, largest 3072`, `heap 3812 min 1204`.

There is no one format, but few words: a line is taken apart into phrases, each some words and one number, and is
believed only when every phrase uses words of the vocabulary and its number ends where a number ends.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

KIB = 1024

DEFAULT_HEAP = "default"
EXTERNAL_HEAP = "spiram"
_REGIONS = {
    "internal": "internal",
    "iram": "iram",
    "dram": "dram",
    "dma": "dma",
    "psram": EXTERNAL_HEAP,
    "spiram": EXTERNAL_HEAP,
    "external": EXTERNAL_HEAP,
}
_FREE = frozenset(("free", "available", "avail", "remaining", "left", "curr", "current", "freeheap"))
_LEAST = frozenset(("min", "minimum", "lowest", "minfree", "watermark", "low-water"))
_LARGEST = frozenset(("largest", "biggest", "max", "maximum", "contiguous"))
_MEMORY = frozenset(("heap", "mem", "memory", "ram"))
_FILL = frozenset(
    re.findall(
        r"\S+",
        "size block blk total alloc allocatable low bytes system sys esp pre-setup post-setup"
        " is was now so far ever since boot of the in at and get xport malloc cap caps",
    )
)
_WHOLE = frozenset(("total", "size"))
_OTHER_MOMENT = re.compile(
    r"\b(?:initial|initially|before|previous|previously|start|delta|diff|change"
    r"|needs?|needed|requires?|required|requested|wants?|limit|threshold)\b"
)
"""What a number is that is not what is free now."""
_USED = frozenset(("used", "allocated"))
_VOCABULARY = _FREE | _LEAST | _LARGEST | _MEMORY | _FILL | _USED | frozenset(_REGIONS)
_ELSEWHERE = re.compile(
    r"\b(?:disk|flash|sd|spiffs|littlefs|fatfs|fs|filesystem|nvs|storage|partition|sketch|stack|slots?|entries|sectors?"
    r"|space|card|eeprom|files?|queue|buffers?|sockets?|pool|bandwidth|tasks?)\b",
    re.IGNORECASE,
)
_APART = frozenset(",;|")
"""What stands between a number and words that are not about it."""

_UNIT = r"bytes?|kib|kb|kbytes|b|k"
_NUMBER = re.compile(
    r"(?<![\w#.+/\ufffd-])(?<!\d[,:'\u2019])(?<!\d[ _\xa0\u202f](?=\d{3}(?!\d)))"
    r"(?!\d{1,3}(?:[ '\u2019_\xa0\u202f]\d{3})+(?!\d))"  # grouped by thousands: by what, every land has its own rule
    rf"(\d{{1,9}})(?:\.(\d{{1,2}})(?=\s?k))?(?:\s?({_UNIT})\b)?"
    r"(?=$|[\s,;.)'\]|]|/\d)(?!\.\d)(?!,\d{3}(?!\d))(?!\s?(?:[mg]i?b?|blocks?|words?|percent|times)\b)",
    re.IGNORECASE,
)
_UNIT_BEFORE = re.compile(rf"[(\[ ]({_UNIT})[)\]]?[\s:=>-]*$", re.IGNORECASE)
_GLUED = re.compile(r"\d(?:\[|free|heap|min|largest|total|internal|psram|spiram|\ufffd)|\ufffd\d", re.IGNORECASE)
"""A number into which the next line was printed, or in which noise stands for digits."""
_HUMP = re.compile(r"(?<=[a-z][a-z])(?=[A-Z])|_")
_WORD = re.compile(r"[a-z][a-z-]*")
_AFTER = re.compile(
    r"\s*(free|used|available|left|remaining)\b"
    r"(?!\s*(?:is)?[:=]*\s*\d|\s+(?:heap|mem\w*|ram|internal|ps_?ram|spiram|[di]ram|dma|size|blocks?)\b[^,;|()]*\d)",
    re.IGNORECASE,
)
_BARE_FROM = 1000
"""A line that says no more than `free N` must at least look like memory, bytes."""


_ALIKE = str.maketrans("123456789", "000000000")
_REMEMBERED = 4096


class Phrase(msgspec.Struct, frozen=True, gc=False):
    """One number with its `meaning`: a field of a heap reading or "total"; sizes in bytes.

    `label` is what the line says before it, with every digit made 0; `unit`: one stands behind it; `ends`: nothing.
    """

    heap: str
    meaning: str
    size: int
    resolution: int
    label: str
    unit: bool
    ends: bool


class _Slot(msgspec.Struct, frozen=True, gc=False):
    """Where a phrase's number stands in the text, and what it means; `decimals` places stand behind its point."""

    heap: str
    meaning: str
    start: int
    end: int
    scale: int
    decimals: int
    words: frozenset[str]
    label: str
    unit: bool
    ends: bool


def read_phrases(body: str) -> list[Phrase]:
    """All phrases of a line about the heap, empty for a line about anything else."""
    slots, bare = _slots(body.translate(_ALIKE))
    phrases = [_phrase(slot, body[slot.start : slot.end]) for slot in slots]
    return [] if bare and phrases[0].size < _BARE_FROM else phrases


@lru_cache(_REMEMBERED)
def _slots(text: str) -> tuple[list[_Slot], bool]:
    """The phrases of all lines that differ from `text` in digits only; True when such a line says but `free N`.

    Lines of one kind come again and again: taking words apart takes much longer than reading numbers at known places.
    """
    if _GLUED.search(text):
        return [], False
    slots = _about_heaps(text, _taken_apart(text))
    if not any(slot.meaning in ("free", "min_free") for slot in slots):
        return [], False
    words = frozenset[str]().union(*(slot.words for slot in slots))
    if words & (_MEMORY | frozenset(_REGIONS)):
        return (slots, False) if words & (_FREE | _LEAST | {"heap"}) else ([], False)
    return (slots, len(slots) == 1) if "free" in words else ([], False)


def _about_heaps(text: str, slots: list[_Slot]) -> list[_Slot]:
    """The phrases before the line comes to speak of something else; without such words, all."""
    elsewhere = _ELSEWHERE.search(text)
    if elsewhere is None:
        return slots
    place = elsewhere.start()
    before = [slot for slot in slots if slot.end <= place and slot.words & (_MEMORY | frozenset(_REGIONS))]
    return [slot for slot in before if slot.words & (_FREE | _LEAST) or _APART & set(text[slot.end : place])]


def _taken_apart(text: str) -> list[_Slot]:
    slots: list[_Slot] = []
    heap, end = DEFAULT_HEAP, 0
    for number in _NUMBER.finditer(text):
        label = _HUMP.sub(" ", text[end : number.start()]).lower()
        before = _UNIT_BEFORE.search(label)
        words = _words(label[: before.start()] if before else label, first=not slots)
        after = _AFTER.match(text, number.end())
        end = after.end() if after else number.end()
        if after:
            words = [*(words or ()), after[1].lower()]
        if words is None or (not words and slots):
            break
        heap = next((_REGIONS[word] for word in words if word in _REGIONS), heap)
        if _OTHER_MOMENT.search(label):
            continue
        meaning = _meaning(frozenset(words), first=not slots)
        if meaning is None or (text[number.end() :][:1] == "/" and not frozenset(words) & (_FREE | _LEAST)):
            if slots:
                break
            continue
        unit = number[3] or (before[1] if before else "")
        scale = KIB if unit[:1] in ("k", "K") else 1
        place = number.start(1), number.end(2) if number[2] else number.end(1)
        label, ends = text[: number.start()], number.end() == len(text)
        decimals, has_unit = len(number[2] or ""), number[3] is not None
        slots.append(_Slot(heap, meaning, *place, scale, decimals, frozenset(words), label, has_unit, ends))
    return slots


def _phrase(slot: _Slot, digits: str) -> Phrase:
    if slot.decimals:
        size, resolution = round(float(digits) * slot.scale), max(1, slot.scale // 10**slot.decimals)
    else:
        size, resolution = int(digits) * slot.scale, slot.scale
    return Phrase(slot.heap, slot.meaning, size, resolution, slot.label, slot.unit, slot.ends)


def _words(label: str, *, first: bool) -> list[str] | None:
    """The label's words that stand directly before the number; None when a later label says something else."""
    words = _WORD.findall(label)
    known: list[str] = []
    for word in reversed(words):
        if word not in _VOCABULARY:
            if not first:
                return None
            break
        known.append(word)
    return known


def _meaning(words: frozenset[str], *, first: bool) -> str | None:
    if words & _USED and words & (_LEAST | _LARGEST):
        return None
    if words & _LEAST:
        return "min_free"
    if words & _LARGEST:
        return "largest_free"
    if words & _FREE:
        return "free"
    if words & _USED and words & _MEMORY | words & frozenset(_REGIONS):
        return "used"
    if words & _WHOLE:
        return "total"
    return "free" if first and words & _MEMORY else None
