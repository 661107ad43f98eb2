"""The run's time line above the charts: a bar for each boot, a mark for each event that ends or begins one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from collector.series.rows import EventRow
from collector.series.runs import RunRow
from collector.web.page import text
from collector.web.page.samples import event_words
from telemetry.readings import FAILURES

_MARKED = FAILURES | {"boot", "reset"}
_MOST_MARKS = 200


def timeline_html(runs: Sequence[RunRow], events: Sequence[EventRow], between: tuple[int, int]) -> str:
    """Bars and marks from the start to the end of the range; a bar zooms to its boot when it is pressed."""
    start, end = between
    shown = [run for run in runs if run.to_ms >= start and run.from_ms <= end]
    marks = [one for one in events if start <= one.time_ms <= end and one.type in _MARKED][-_MOST_MARKS:]
    if not shown and not marks:
        return '<p class="quiet">No reading in this stretch of time.</p>'
    return "".join([*(_bar(run, between) for run in shown), *(_mark(event, between) for event in marks)])


def _bar(run: RunRow, between: tuple[int, int]) -> str:
    left, right = _share(run.from_ms, between), _share(run.to_ms, between)
    words = f"boot {run.boot}" + (f" · {run.firmware}" if run.firmware else "")
    why = f"{words} · {text.span(run.to_ms - run.from_ms)}" + (f" · began by {run.reason}" if run.reason else "")
    return (
        f'<button style="left:{left:.3%};width:{max(0.0, right - left):.3%}" title="{escape(why)}" '
        f'data-from="{run.from_ms}" data-to="{run.to_ms}">{escape(words)}</button>'
    )


def _mark(event: EventRow, between: tuple[int, int]) -> str:
    bad = ' class="bad"' if event.type in FAILURES else ""
    return f'<i{bad} style="left:{_share(event.time_ms, between):.3%}" title="{escape(event_words(event))}"></i>'


def _share(time_ms: int, between: tuple[int, int]) -> float:
    start, end = between
    return min(1.0, max(0.0, (time_ms - start) / max(1, end - start)))
