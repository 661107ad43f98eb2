"""The table under the profiler's chart: the same samples, with events and new peaks, to be selected and copied."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from typing import NamedTuple

from nicegui import ui

from collector.series.rows import EventRow, Points
from collector.web.page import charts, text
from collector.web.page.parts import markup

MOST = 500
"""Rows shown; of a longer range the least and most of each stretch."""

FIELDS = {"total": "Total, KiB", "user_mode": "User, KiB", "peak_user_mode": "Peak, KiB"}


class Sample(NamedTuple):
    """One row: a reading (`sizes` in bytes by the order of FIELDS) or an event; `said` is what happened then."""

    time_ms: int
    boot: int
    sizes: tuple[int | None, ...]
    said: str


def samples_of(points: Points, events: Sequence[EventRow]) -> list[Sample]:
    """Readings and events of a span, newest first."""
    nothing = [None] * len(points.t)
    columns = [points.values.get(field) or nothing for field in FIELDS]
    peaks = set(charts.new_peaks(points.t, points.boot, columns[-1]))
    marks = dict(charts.boot_marks(points.t, points.boot))
    rows = []
    for index, (time, boot) in enumerate(zip(points.t, points.boot, strict=True)):
        sizes = tuple(value if isinstance(value, int) else None for value in (column[index] for column in columns))
        words = [f"boot {boot}"] * (time in marks) + ["new peak"] * (index in peaks)
        rows.append(Sample(time, boot, sizes, ", ".join(words)))
    rows += [Sample(one.time_ms, one.boot, (), event_words(one)) for one in events if one.type != "new_peak"]
    return sorted(rows, key=lambda row: row.time_ms, reverse=True)[:MOST]


def event_words(event: EventRow) -> str:
    """An event and its values as a sentence."""
    values = ", ".join(f"{name} {value}" for name, value in event.values.items())
    return event.type + (f": {values}" if values else "")


def table_html(samples: Sequence[Sample]) -> str:
    """The table. What a cell is copied as stands in `data-copy` where that is not what it shows."""
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("Time", "Boot", *FIELDS.values(), "What happened"))
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(map(_row_html, samples))}</tbody></table>"


def _row_html(sample: Sample) -> str:
    stamp = datetime.fromtimestamp(sample.time_ms / 1000, UTC).isoformat(timespec="milliseconds")
    sizes = sample.sizes or (None,) * len(FIELDS)
    numbers = "".join(
        "<td></td>" if size is None else f'<td class="number" data-copy="{size / 1024:g}">{text.kib(size)}</td>'
        for size in sizes
    )
    time = f'<td data-copy="{stamp}">{text.local_time_html(sample.time_ms)}</td>'
    return f"<tr>{time}<td>{sample.boot}</td>{numbers}<td>{escape(sample.said)}</td></tr>"


class SampleTable:
    """The table as one browser sees it. It stands still while somebody selects in it; a new peak is announced."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._newest = self._announced = _newest(samples)
        with ui.element("section").classes("card wide").props('aria-label="Samples and events"'):
            markup("Samples and events", "h2")
            markup("Click into the table; Ctrl+A selects all of it, Ctrl+C copies it for a spreadsheet.", "p").classes(
                "quiet"
            )
            self._table = markup(table_html(samples)).classes("samples")
            self._table.props('tabindex=0 role=region aria-label="Samples, newest first"')
            self._said = markup("").classes("unseen").props("role=status")

    def wants(self, newest_ms: int) -> bool:
        """Whether there is something newer than what it shows."""
        return newest_ms > self._newest

    def show(self, samples: Sequence[Sample]) -> None:
        """Bring it to this state."""
        self._newest = _newest(samples)
        self._table.client.run_javascript(f"memfleetSamples({self._table.id}, {json.dumps(table_html(samples))})")
        peaks = [one for one in samples if "new peak" in one.said and one.time_ms > self._announced]
        if peaks:
            self._announced = peaks[0].time_ms
            self._said.content = f"New peak: {text.kib(peaks[0].sizes[-1])} KiB"


def _newest(samples: Sequence[Sample]) -> int:
    return samples[0].time_ms if samples else 0
