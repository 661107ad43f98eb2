"""Which system prints on a port, by lines that say nothing of memory."""

from __future__ import annotations

import re

_SIGNS = (
    ("esp32", re.compile(r"\s*[EWIDV] \(\d+\) [\w.-]+:|rst:0x|ets [A-Z][a-z]{2} +\d|ESP-ROM:|\[ *\d+\]\[[EWIDV]\]\[")),
    ("zephyr", re.compile(r"\[\d\d:\d\d:\d\d\.\d{3},\d{3}\] <\w{3}> |\*{3,5} Booting |uart:~\$")),
    ("mt3620", re.compile(r"Remote debugging from host \d|Child (?:exited|terminated)|Heap-Tracker")),
)


def recognise(text: str) -> str | None:
    """The system that prints such a line, None when the line could be anybody's."""
    for system, sign in _SIGNS:
        if sign.match(text):
            return system
    return None
