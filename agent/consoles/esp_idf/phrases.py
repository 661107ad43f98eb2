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
_FREE = frozenset(("free", "available", "avail", "remaining", "left", "curr", "current", "freeheap", "free_heap"))
_LEAST = frozenset(("min", "minimum", "lowest", "minfree", "min_free", "watermark", "low-water"))
_LARGEST = frozenset(("largest", "biggest", "max", "maximum", "largest_free_block", "contiguous"))
_MEMORY = frozenset(("heap", "mem", "memory", "ram"))
_FILL = frozenset(
    re.findall(
        r"\S+",
        "size block blk total alloc allocatable low bytes system sys esp pre-setup post-setup"
        " is was now so far ever since boot of the in at and",
    )
)
_WHOLE = frozenset(("total", "size"))
_PAST = re.compile(r"\b(?:initial|initially|before|previous|previously|start|delta|diff|change)\b")
_USED = frozenset(("used", "allocated"))
_VOCABULARY = _FREE | _LEAST | _LARGEST | _MEMORY | _FILL | _USED | frozenset(_REGIONS)
_ELSEWHERE = re.compile(
    r"\b(?:disk|flash|sd|spiffs|littlefs|fatfs|nvs|storage|partition|stack|slots?|entries|sectors?|space|card|eeprom|files?"
    r"|queue|buffers?|sockets?|pool|bandwidth|tasks?)\b"
)

_NUMBER = re.compile(
    r"(?<![\w#.+/-])(?<!\d[,:])(\d{1,9})(?:\.(\d))?(?: ?(bytes?|kib|kb|kbytes|b|k)\b)?"
    r"(?=$|[\s,;.)'\]|])(?!\.\d)(?!,\d{3}(?!\d))"
)
_GLUED = re.compile(r"\d(?:\[|free|heap|min|largest|total|internal|psram|spiram)")
"""A number into which the next line was printed."""
_WORD = re.compile(r"[a-z][a-z_-]*")
_AFTER = re.compile(r"\s*(free|used|available|left|remaining)\b(?!\s*[:=]?\s*\d)")
_BARE_FROM = 1000
"""A line that says no more than `free N` must at least look like memory, bytes."""


_ALIKE = str.maketrans("123456789", "000000000")
_REMEMBERED = 4096


class Phrase(msgspec.Struct, frozen=True, gc=False):
    """One number with its `meaning`: a field of a heap reading or "total"; sizes in bytes.

    `label` is what the line says before it, with every digit made 0, and `unit` whether one stands behind it.
    """

    heap: str
    meaning: str
    size: int
    resolution: int
    label: str
    unit: bool


class _Slot(msgspec.Struct, frozen=True, gc=False):
    """Where a phrase's number stands in the text, and what it means; `tenths` when it has a decimal place."""

    heap: str
    meaning: str
    start: int
    end: int
    scale: int
    tenths: bool
    words: frozenset[str]
    label: str
    unit: bool


def read_phrases(body: str) -> list[Phrase]:
    """All phrases of a line about the heap, empty for a line about anything else."""
    text = body.lower()
    slots, bare = _slots(text.translate(_ALIKE))
    phrases = [_phrase(slot, text[slot.start : slot.end]) for slot in slots]
    return [] if bare and phrases[0].size < _BARE_FROM else phrases


@lru_cache(_REMEMBERED)
def _slots(text: str) -> tuple[list[_Slot], bool]:
    """The phrases of all lines that differ from `text` in digits only; True when such a line says but `free N`.

    Lines of one kind come again and again: taking words apart takes much longer than reading numbers at known places.
    """
    if _GLUED.search(text) or _ELSEWHERE.search(text):
        return [], False
    slots = _taken_apart(text)
    if not any(slot.meaning in ("free", "min_free") for slot in slots):
        return [], False
    words = frozenset[str]().union(*(slot.words for slot in slots))
    if words & (_MEMORY | frozenset(_REGIONS)):
        return (slots, False) if words & (_FREE | _LEAST | {"heap"}) else ([], False)
    return (slots, len(slots) == 1) if "free" in words else ([], False)


def _taken_apart(text: str) -> list[_Slot]:
    slots: list[_Slot] = []
    heap, end = DEFAULT_HEAP, 0
    for number in _NUMBER.finditer(text):
        label = text[end : number.start()]
        words = _words(label, first=not slots)
        after = _AFTER.match(text, number.end())
        end = after.end() if after else number.end()
        if after:
            words = [*(words or ()), after[1]]
        if words is None or (not words and slots):
            break
        heap = next((_REGIONS[word] for word in words if word in _REGIONS), heap)
        if _PAST.search(label):
            continue
        meaning = _meaning(frozenset(words), first=not slots)
        if meaning is None:
            if slots:
                break
            continue
        scale = KIB if (number[3] or "").startswith("k") else 1
        place = number.start(1), number.end(2) if number[2] else number.end(1)
        said = text[: number.start()], number[3] is not None
        slots.append(_Slot(heap, meaning, *place, scale, number[2] is not None, frozenset(words), *said))
    return slots


def _phrase(slot: _Slot, digits: str) -> Phrase:
    size, resolution = int(digits.partition(".")[0]) * slot.scale, slot.scale
    if slot.tenths:
        size, resolution = round(float(digits) * slot.scale), max(1, slot.scale // 10)
    return Phrase(slot.heap, slot.meaning, size, resolution, slot.label, slot.unit)


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
