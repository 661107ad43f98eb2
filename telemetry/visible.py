"""Texts from outside as they may stand in a terminal or a log: nothing in them acts, everything in them shows."""

from __future__ import annotations

import re

_ACTING = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # control characters: escape sequences, line breaks
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # turn the direction of what stands around them
    "\u2028\u2029\ud800-\udfff]"  # line breaks too; halves of characters
)


def visible(text: str) -> str:
    r"""The text with every character that acts instead of showing written out: `\x1b`, `\u202e`."""
    return _ACTING.sub(_written_out, text)


def visible_json(text: str) -> str:
    r"""JSON with the same characters as its own escapes (`\u009b`), but for its line breaks; it means the same."""
    return _ACTING.sub(lambda found: found[0] if found[0] == "\n" else f"\\u{ord(found[0]):04x}", text)


def _written_out(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
