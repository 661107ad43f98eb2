"""Why a device started, in one word, out of what systems say about it. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

ESP_IDF = ("unknown", "power_on", "external", "software", "panic", "watchdog", "watchdog", "watchdog", "deep_sleep",
           "brownout", "unknown", "usb")  # fmt: skip
"""`esp_reset_reason_t` of ESP-IDF, by its number; Shelly publishes the bare number."""

_WORDS = (
    ("deep_sleep", r"deep.?sleep"),
    ("usb", r"(?<![a-z])usb(?![a-z])"),
    ("brownout", r"brown.?out|power.?glitch|pwr.?glitch"),
    ("watchdog", r"watch.?dog|wdt"),
    ("panic", r"exception|panic|abort|assert|crash|fatal|fault|overflow"),
    ("software", r"software|restart|(?<![a-z])sw(?![a-z])|reboot"),
    ("power_on", r"power|vbat|(?<![a-z])por(?![a-z])"),
    ("external", r"external|(?<![a-z])(pin|ext)(?![a-z])|button"),
)
"""Of several the first that is found: `RTCWDT_BROWN_OUT_RESET` is a brown-out, `SW_CPU_RESET` the software's doing."""
_CLASSES = [(name, re.compile(words, re.IGNORECASE)) for name, words in _WORDS]

_WANTED = re.compile(r"(?<![a-z])(ota|update|upgrade|user|button)(?![a-z])", re.IGNORECASE)
STOPPED = "stopped by its user"
"""Why a program starts anew that was told to end before: a deliberate start."""
_FOR_WANT_OF_MEMORY = re.compile(
    r"out.of.memory|(?<![a-z])oom(?![a-z])|no.?mem(?![a-z])|(low|short)\W+(on |of )?(memory|heap)"
    r"|(memory|heap)\W+(is )?(low|exhausted|full|overuse)|alloc\w* fail|fail\w* to alloc",
    re.IGNORECASE,
)


@lru_cache(maxsize=1024)
def reset_class(reason: str) -> str:
    """power_on, software, watchdog, panic, brownout, deep_sleep, usb, external or unknown; empty without a reason."""
    if not reason:
        return ""
    if reason.isdecimal():
        return ESP_IDF[int(reason)] if int(reason) < len(ESP_IDF) else "unknown"
    return next((name for name, words in _CLASSES if words.search(reason)), "unknown")


def is_deliberate(reason: str) -> bool:
    """Whether somebody wanted that start: power, a pin or a button, the serial adapter, an update, an end of sleep."""
    return reset_class(reason) in ("power_on", "external", "usb", "deep_sleep") or bool(_WANTED.search(reason))


def is_for_want_of_memory(reason: str) -> bool:
    """Whether the device says itself that memory ran out."""
    return bool(_FOR_WANT_OF_MEMORY.search(reason))
