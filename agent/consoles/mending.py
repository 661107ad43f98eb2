"""Lines that another line was printed into: two cores, or a task and an interrupt, share one port.

    ....largest_free_block 9216 alloc_bloI (41251) wifi:state: run -> init (c800)
    cks 401 free_blocks 17 total_blocks 418

The text before the foreign prefix is unfinished; what it lacks is the next line, unless that has a prefix of its own.
"""

from __future__ import annotations

import re

from agent.consoles.transport import split_prompt

_PREFIX = re.compile(
    r"[EWIDV] \(\d{1,10}\) [\w.-]{1,32}:"  # ESP-IDF
    r"|\[ *\d{1,10}\]\[[EWIDV]\]\["  # Arduino
    r"|\[\d\d:\d\d:\d\d\.\d{3},\d{3}\] <(?:err|wrn|inf|dbg)> "  # Zephyr
)

_PREFIX_SHAPE = re.compile(
    r"[0WIV] \(0{1,10}\) [\w.-]{1,32}:|\[ *0{1,10}\]\[[0WIV]\]\[|\[00:00:00\.000,000\] <(?:0rr|wrn|in0|00g)> "
)
"""The same with every hexadecimal digit made 0."""


def may_be_glued(shape: str) -> bool:
    """Whether a foreign line may have been printed into lines of that shape (every hexadecimal digit is 0 in it)."""
    return _PREFIX_SHAPE.search(shape, 1) is not None


def split_glued(text: str) -> tuple[str, str]:
    """(unfinished text, the foreign line printed into it); ("", text) for an ordinary line."""
    glued = _PREFIX.search(text, 1)
    if glued is None:
        return "", text
    head = text[: glued.start()]
    if not head.strip() or not split_prompt(head)[1]:
        return "", text
    return head, text[glued.start() :]


def may_continue(text: str) -> bool:
    """True when the line can be the rest of an unfinished one (a line feed alone, too): it has no prefix of its own."""
    return _PREFIX.match(text) is None
