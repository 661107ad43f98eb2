"""Paths into a payload, and templates made of them.

    path       mem.free_kb   Berry.HeapUsed   params.script:*.mem_used   payload (the whole of a plain payload)
    template   {dev.id}      {device}         gateway {mac}

A path's first word may also be a part of the topic (`plant/{device}/health`), or a group of the map's `text`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

WHOLE = "payload"
MOST_TEXT = 200
_HOLE = re.compile(r"\{([^{}]+)\}")

Keys = tuple[str, ...]
Captures = Mapping[str, str]
Template = Callable[[Any, Captures], str]


def keys_of(path: str) -> Keys:
    """The keys along a path; none for the whole payload."""
    return () if path == WHOLE else tuple(path.split("."))


def find(value: Any, keys: Keys) -> Any:
    """What stands at the end of the keys, None when a key is missing."""
    for key in keys:
        if type(value) is dict:
            value = value.get(key)
        elif type(value) is list and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value


def starred(value: Any, keys: Keys) -> Iterator[str]:
    """The keys of the payload that stand for the one with a `*` in `keys`."""
    at = next(index for index, key in enumerate(keys) if "*" in key)
    before, _, after = keys[at].partition("*")
    inner = find(value, keys[:at])
    if type(inner) is dict:
        for key in inner:
            if key.startswith(before) and key.endswith(after) and len(key) > len(before) + len(after):
                yield key


def text_of(value: Any) -> str:
    """A value as text: objects as short JSON, nothing for null."""
    if type(value) is str:
        return value.strip()[:MOST_TEXT]
    if value is None or value == "":
        return ""
    if isinstance(value, dict | list):
        return json.dumps(value, separators=(",", ":"))[:MOST_TEXT]
    return str(value)[:MOST_TEXT]


def template(text: str) -> Template:
    """Fill the holes of a template. A hole that finds nothing makes the whole of it empty. ValueError where a brace has
    no other: the text would be the same for every device."""
    parts = _HOLE.split(text)
    if any(brace in word for word in parts[0::2] for brace in "{}"):
        raise ValueError(f"{text!r}: what is to be filled in stands between {{ and }}")
    if len(parts) == 1:
        return lambda _payload, _captures: text
    holes = [(part, keys_of(part)) for part in parts[1::2]]
    if len(holes) == 1 and not parts[0] and not parts[2]:
        return _only(*holes[0])
    words = parts[0::2]

    def fill(payload: Any, captures: Captures) -> str:
        found = [captures[name] if name in captures else text_of(find(payload, keys)) for name, keys in holes]
        if not all(found):
            return ""
        return words[0] + "".join(value + word for value, word in zip(found, words[1:], strict=True))

    return fill


def _only(name: str, keys: Keys) -> Template:
    def fill(payload: Any, captures: Captures) -> str:
        return captures[name] if name in captures else text_of(find(payload, keys))

    return fill


def first_of(texts: str | list[str]) -> Template:
    """The first of several templates that is filled."""
    fills = [template(text) for text in ([texts] if isinstance(texts, str) else texts)]
    if len(fills) == 1:
        return fills[0]

    def fill(payload: Any, captures: Captures) -> str:
        return next((text for one in fills if (text := one(payload, captures))), "")

    return fill


def is_constant(text: str | list[str]) -> bool:
    """Whether a template has no hole."""
    return isinstance(text, str) and not _HOLE.search(text)
