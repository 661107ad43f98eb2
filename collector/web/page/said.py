"""Log lines and events as the views show them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import urlencode

from collector.series.lines import LineRow
from collector.web.page import text

NOTHING = "Nothing. Agents forward events, warnings and worse; they keep the whole console themselves."


def lines_html(
    lines: Sequence[LineRow], nothing: str = NOTHING, *, name_device: bool = False, marked_ms: int = 0
) -> str:
    """The lines in the order given. The time of each leads to what its device said around it; the one nearest to
    `marked_ms` carries a mark."""
    if not lines:
        return f'<p class="quiet">{escape(nothing)}</p>'
    near = min(lines, key=lambda line: abs(line.time_ms - marked_ms)) if marked_ms else None
    return "".join(_line_html(line, name_device=name_device, is_marked=line is near) for line in lines)


def _line_html(line: LineRow, *, name_device: bool, is_marked: bool) -> str:
    head = f"{line.level} {line.module}".strip()
    words = f"{head}: {line.text}" if head and line.text else head or line.text
    around = f"/logs?{urlencode({'device': line.device, 'at': line.time_ms})}"
    time = f'<a class="time" href="{escape(around)}">{text.local_time_html(line.time_ms, "time")}</a>'
    device = f'<a href="{text.device_address(line.device)}">{escape(line.device)}</a> ' if name_device else ""
    mark = " marked" if is_marked else ""
    return f'<div class="{escape(line.level)}{mark}">{time}{device}{escape(words)}</div>'
