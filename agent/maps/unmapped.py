"""Numbers that look like memory in messages that no map understands: hints for whoever writes the next map."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from agent.maps.units import number

_HUMPS = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORDS = re.compile(
    r"heap|ps_?ram|(?:^|[^a-z])ram(?:[^a-z]|$)|ram_?(?:free|total|size|used)|free_?ram|stack|mem(?:ory)?(?:[^a-z]|free|used|total|$)|"
    r"free_?mem|max_?alloc|fragmentation",
    re.IGNORECASE,
)  # fmt: skip
DEPTH = 8


def suspects(topic: str, payload: bytes) -> list[tuple[str, int | float]]:
    """Paths and numbers of a payload whose words speak of memory; of a plain number the topic's last two levels do."""
    if payload[:1] in (b"{", b"["):
        try:
            value = msgspec.json.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return []
        return list(_inside(value, "", DEPTH))
    found = number(payload.decode(errors="replace").strip())
    about = "/".join(topic.split("/")[-2:])
    return [("payload", found)] if found is not None and _speaks_of_memory(about) else []


def _speaks_of_memory(text: str) -> bool:
    return _WORDS.search(text) is not None or _WORDS.search(_HUMPS.sub("_", text)) is not None


def _inside(value: Any, path: str, depth: int) -> Iterator[tuple[str, int | float]]:
    if not depth:
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _inside(inner, f"{path}.{key}" if path else key, depth - 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value[:20]):
            yield from _inside(inner, f"{path}.{index}", depth - 1)
    elif type(value) in (int, float) and _speaks_of_memory(path):
        yield path, value
