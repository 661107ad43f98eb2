"""Why a device started, in one word, out of what systems say about it."""

from __future__ import annotations

import re
from functools import lru_cache

ESP_IDF = ("unknown", "power_on", "external", "software", "panic", "watchdog", "watchdog", "watchdog", "deep_sleep",
           "brownout", "unknown", "usb")  # fmt: skip
"""`esp_reset_reason_t` of ESP-IDF, by its number; Shelly publishes the bare number."""

_WORDS = (
    ("deep_sleep", r"deep.?sleep"),
    ("usb", r"\busb\b"),
    ("watchdog", r"watch.?dog|wdt"),
    ("panic", r"exception|panic|abort|crash|fatal|fault"),
    ("brownout", r"brown.?out|power.?glitch|pwr.?glitch"),
    ("software", r"software|restart|\bsw\b|sw_cpu|reboot"),
    ("power_on", r"power|poweron|vbat|\bpor\b"),
    ("external", r"external|\bpin\b|button|\bext\b"),
)
_CLASSES = [(name, re.compile(words, re.IGNORECASE)) for name, words in _WORDS]


@lru_cache(maxsize=1024)
def reset_class(reason: str) -> str:
    """power_on, software, watchdog, panic, brownout, deep_sleep, usb, external or unknown; empty without a reason."""
    if not reason:
        return ""
    if reason.isdecimal():
        return ESP_IDF[int(reason)] if int(reason) < len(ESP_IDF) else "unknown"
    return next((name for name, words in _CLASSES if words.search(reason)), "unknown")
