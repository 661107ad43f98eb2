"""Free heap in an application's own words: `Free heap: 9412 bytes, largest 3072`, `heap 3812 min 1204`.

There is no one format, but few words: a line is taken apart into phrases, each some words and one number, and is
believed only when every phrase uses words of the vocabulary and its number ends where a number ends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

KIB = 1024

DEFAULT_HEAP = "default"
_REGIONS = {
    "internal": "internal",
    "iram": "iram",
    "dram": "dram",
    "dma": "dma",
    "psram": "spiram",
    "spiram": "spiram",
    "external": "spiram",
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

_NUMBER = re.compile(r"(?<![\w#.+/-])(\d{1,9})(?:\.(\d))?(?: ?(bytes?|kib|kb|kbytes|b|k)\b)?(?=$|[\s,;.)'\]|])(?!\.\d)")
_GLUED = re.compile(r"\d\[")
_WORD = re.compile(r"[a-z][a-z_-]*")
_AFTER = re.compile(r"\s*(free|used|available|left|remaining)\b(?!\s*[:=]?\s*\d)")
_BARE_FROM = 1000
"""A line that says no more than `free N` must at least look like memory, bytes."""


@dataclass(slots=True)
class Phrase:
    """One number with its `meaning`: a field of a heap reading or "total"; sizes in bytes."""

    heap: str
    meaning: str
    size: int
    resolution: int
    words: frozenset[str] = field(default_factory=frozenset)


def read_phrases(body: str) -> list[Phrase]:
    """All phrases of a line about the heap, empty for a line about anything else."""
    text = body.lower()
    if _GLUED.search(text) or _ELSEWHERE.search(text):
        return []
    phrases: list[Phrase] = []
    heap, end = DEFAULT_HEAP, 0
    for number in _NUMBER.finditer(text):
        label = text[end : number.start()]
        words = _words(label, first=not phrases)
        after = _AFTER.match(text, number.end())
        end = after.end() if after else number.end()
        if after:
            words = [*(words or ()), after[1]]
        if words is None or (not words and phrases):
            break
        heap = next((_REGIONS[word] for word in words if word in _REGIONS), heap)
        if _PAST.search(label):
            continue
        meaning = _meaning(frozenset(words), first=not phrases)
        if meaning is None:
            if phrases:
                break
            continue
        phrases.append(_phrase(heap, meaning, number, frozenset(words)))
    return phrases if _about_heap(phrases) else []


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


def _phrase(heap: str, meaning: str, number: re.Match[str], words: frozenset[str]) -> Phrase:
    unit = number[3] or ""
    scale = KIB if unit.startswith("k") else 1
    if number[2]:
        return Phrase(heap, meaning, round(float(f"{number[1]}.{number[2]}") * scale), max(1, scale // 10), words)
    return Phrase(heap, meaning, int(number[1]) * scale, scale, words)


def _about_heap(phrases: list[Phrase]) -> bool:
    if not any(phrase.meaning in ("free", "min_free") for phrase in phrases):
        return False
    words = frozenset().union(*(phrase.words for phrase in phrases))
    if words & (_MEMORY | frozenset(_REGIONS)):
        return bool(words & (_FREE | _LEAST | {"heap"}))
    return "free" in words and (len(phrases) > 1 or phrases[0].size >= _BARE_FROM)
