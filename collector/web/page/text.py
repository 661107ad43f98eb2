"""Numbers, times and names as people read them. Pure; everything that goes into HTML is escaped here."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from urllib.parse import quote

_PLATFORMS = {"mt3620": "Azure Sphere", "esp32": "ESP32", "zephyr": "Zephyr", "freertos": "FreeRTOS"}
STATE_WORDS = {"critical": "critical", "warning": "warning", "silent": "silent", "ok": "fine"}
_SECOND, _MINUTE, _HOUR, _DAY = 1_000, 60_000, 3_600_000, 86_400_000


def kib(size: float | None) -> str:
    """Bytes as KiB without the unit: one decimal below 100, thousands grouped."""
    if size is None:
        return "–"
    value = round(size / 1024, 1) or 0.0  # never -0.0
    return f"{value:,.1f}" if abs(value) < 100 else f"{value:,.0f}"


def size(value: float | None, unit: str) -> str:
    """A size in `KiB` or `bytes`, with the unit."""
    if value is None:
        return "–"
    return f"{kib(value)} KiB" if unit == "KiB" else f"{value:,.0f} bytes"


def ago(then_ms: int | None, now_ms: int) -> str:
    """How long ago, in steps so coarse that a device which reports steadily keeps its text."""
    if not then_ms:
        return "never"
    passed = max(0, now_ms - then_ms)
    if passed < 10 * _SECOND:
        return "now"
    if passed < _MINUTE:
        return f"{passed // (10 * _SECOND) * 10} s ago"
    return f"{span(passed)} ago"


def span(length_ms: int | None) -> str:
    """A length of time in its one or two largest units."""
    if length_ms is None:
        return "–"
    length_ms = max(0, length_ms)  # our clock may have gone back
    for unit, name, part, part_name in ((_DAY, "d", _HOUR, "h"), (_HOUR, "h", _MINUTE, "min")):
        if length_ms >= unit:
            rest = length_ms % unit // part
            return f"{length_ms // unit} {name}" + (f" {rest} {part_name}" if rest else "")
    return f"{length_ms // _MINUTE} min" if length_ms >= _MINUTE else f"{length_ms // _SECOND} s"


def left(length_ms: float) -> str:
    """A forecast: how long until memory ends."""
    return f"{span(int(length_ms))} left" if length_ms > 0 else "due by now"


def platform_name(platform: str) -> str:
    """A platform by the name its makers use."""
    return _PLATFORMS.get(platform, platform or "unknown")


def device_address(device: str) -> str:
    """The page of a device."""
    return f"/device/{quote(device, safe='')}"


def state_html(state: str, word: str = "") -> str:
    """A state as a word with a mark: never by colour alone. `word` where it is called otherwise here."""
    return f'<span class="state {escape(state)}">{escape(word or STATE_WORDS.get(state, state))}</span>'


def local_time_html(time_ms: int, style: str = "both") -> str:
    """A time that the browser shows in its own zone. Styles: both, time."""
    return f'<local-time ms="{time_ms}" show="{style}"></local-time>'


def silenced_html(until_ms: int) -> str:
    """That nobody is told until then."""
    return f" · silenced until {local_time_html(until_ms)}"


def facts_html(facts: Iterable[tuple[str, str | None]]) -> str:
    """Name and value pairs for a description list; those without a value are left out."""
    return "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts if value)
