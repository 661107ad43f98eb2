"""Who a device is and what it runs on, out of the texts that it publishes."""

from __future__ import annotations

import re
from functools import lru_cache

_MAC = re.compile(r"(?:^|[^0-9a-f])([0-9a-f]{12})$")
_SEPARATED = re.compile(r"(?<=[0-9a-f]{2})[:-](?=[0-9a-f]{2})")
_NO_NAME = re.compile(r"[^A-Za-z0-9_.-]+")
_PLATFORMS = (
    ("esp32", re.compile(r"esp-?32|tasmota32")),
    ("zephyr", re.compile(r"zephyr")),
    ("mt3620", re.compile(r"mt3620|azure.?sphere")),
    ("freertos", re.compile(r"bk72|freertos|rtl87|bl602|ln882")),
)


@lru_cache(maxsize=65_536)
def mac_of(text: str) -> str:
    """The MAC that a text is or ends with (`shellyplus1-80646fd031f8`), as 12 lower-case hex digits, else empty.

    An address of zeros only is one that somebody has painted over: it says nothing.
    """
    found = _MAC.search(_SEPARATED.sub("", text.lower()))
    return found[1] if found and found[1].strip("0") else ""


@lru_cache(maxsize=4096)
def platform_of(text: str) -> str:
    """One of `telemetry.readings.PLATFORMS`, by the words that hardware and firmware texts hold."""
    return next((name for name, words in _PLATFORMS if words.search(text.lower())), "other")


def name_of(text: str) -> str:
    """A device name out of any text: what a name cannot hold becomes '-'; empty when nothing is left."""
    return _NO_NAME.sub("-", text).strip("-_.")[:64].rstrip("-_.")
