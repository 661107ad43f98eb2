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


_ORDINARY = (-1, 1, 8)
"""Where " (" stands in a line that begins with ESP-IDF's prefix, plain or coloured, or that has none."""


def may_be_glued(raw: str) -> bool:
    """Cheap test on a line that is not yet peeled: False when no foreign line can have been printed into it."""
    place = raw.find(" (")
    return (
        place not in _ORDINARY
        or (place > 0 and " (" in raw[place + 2 :])
        or raw.find("] <") not in (-1, 17)
        or "][" in raw
    )


def split_glued(text: str) -> tuple[str, str]:
    """(unfinished text, the foreign line printed into it); ("", text) for an ordinary line."""
    # Cheap first: the prefix of an ordinary line lies before these places.
    if text.find(" (", 3) < 0 and text.find("] <", 19) < 0 and text.find("][", 12) < 0:
        return "", text
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
