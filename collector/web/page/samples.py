"""The table under the profiler's chart: the same samples, with events and new peaks, to be selected and copied."""

from __future__ import annotations

import json
from bisect import bisect_right
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

FIELDS = {"total": "Total", "user_mode": "User", "peak_user_mode": "Peak"}


_PEAK = list(FIELDS).index("peak_user_mode")
_TOGETHER_MS = 2_000  # one look at a device is printed over some lines


class Sample(NamedTuple):
    """One row: a reading (`sizes` in bytes by the order of the columns) or an event; `said` is what happened then."""

    time_ms: int
    boot: int
    sizes: tuple[int | None, ...]
    said: str


def samples_of(points: Points, events: Sequence[EventRow], heaps: Sequence[Points] = ()) -> list[Sample]:
    """Readings and events of a span, newest first. `heaps` are sums over tracked heaps: a further column each."""
    nothing = [None] * len(points.t)
    columns = [points.values.get(field) or nothing for field in FIELDS]
    peaks = set(charts.new_peaks(points.t, points.boot, columns[-1]))
    marks = dict(charts.boot_marks(points.t, points.boot))
    rows = []
    for index, (time, boot) in enumerate(zip(points.t, points.boot, strict=True)):
        sizes = [value if isinstance(value, int) else None for value in (column[index] for column in columns)]
        sizes += [_heap_at(heap, time, boot) for heap in heaps]
        words = [f"boot {boot}"] * (time in marks) + ["new peak"] * (index in peaks)
        rows.append(Sample(time, boot, tuple(sizes), ", ".join(words)))
    rows += [Sample(one.time_ms, one.boot, (), event_words(one)) for one in events if one.type != "new_peak"]
    return sorted(rows, key=lambda row: row.time_ms, reverse=True)[:MOST]


def _heap_at(heap: Points, time_ms: int, boot: int) -> int | None:
    """What was held at that time, as it was last read in that boot."""
    index = bisect_right(heap.t, time_ms + _TOGETHER_MS) - 1
    if index < 0 or heap.boot[index] != boot:
        return None
    (column,) = heap.values.values()
    value = column[index]
    return value if isinstance(value, int) else None


def event_words(event: EventRow) -> str:
    """An event and its values as a sentence."""
    values = ", ".join(f"{name} {value}" for name, value in event.values.items())
    return event.type + (f": {values}" if values else "")


def samples_html(samples: Sequence[Sample], labels: Sequence[str]) -> str:
    """The table. What a cell is copied as stands in `data-copy` where that is not what it shows."""
    heads = "".join(f'<th scope="col" class="number">{label}, KiB</th>' for label in labels)
    ends = '<th scope="col">Time</th><th scope="col">Boot</th>', '<th scope="col">What happened</th>'
    body = "".join(_row_html(sample, len(labels)) for sample in samples)
    return f"<table><thead><tr>{ends[0]}{heads}{ends[1]}</tr></thead><tbody>{body}</tbody></table>"


def _row_html(sample: Sample, columns: int) -> str:
    stamp = datetime.fromtimestamp(sample.time_ms / 1000, UTC).isoformat(timespec="milliseconds")
    numbers = "".join(
        "<td></td>" if size is None else f'<td class="number" data-copy="{size / 1024:g}">{text.kib(size)}</td>'
        for size in sample.sizes or (None,) * columns
    )
    time = f'<td data-copy="{stamp}">{text.local_time_html(sample.time_ms)}</td>'
    return f"<tr>{time}<td>{sample.boot}</td>{numbers}<td>{escape(sample.said)}</td></tr>"


class SampleTable:
    """The table as one browser sees it. It stands still while somebody selects in it; a new peak is announced."""

    def __init__(self, samples: Sequence[Sample], heaps: Sequence[str] = ()) -> None:
        self._labels = (*FIELDS.values(), *heaps)
        self._newest = self._announced = _newest(samples)
        with ui.element("section").classes("card wide").props('aria-label="Samples and events"'):
            markup("Samples and events", "h2")
            markup("Click into the table; Ctrl+A selects all of it, Ctrl+C copies it for a spreadsheet.", "p").classes(
                "quiet"
            )
            self._table = markup(samples_html(samples, self._labels)).classes("samples")
            self._table.props('tabindex=0 role=region aria-label="Samples, newest first"')
            self._said = markup("").classes("unseen").props("role=status")

    def wants(self, newest_ms: int) -> bool:
        """Whether there is something newer than what it shows."""
        return newest_ms > self._newest

    def show(self, samples: Sequence[Sample]) -> None:
        """Bring it to this state."""
        self._newest = _newest(samples)
        self._table.client.run_javascript(
            f"memfleetSamples({self._table.id}, {json.dumps(samples_html(samples, self._labels))})"
        )
        peaks = [one for one in samples if "new peak" in one.said and one.time_ms > self._announced]
        if peaks:
            self._announced = peaks[0].time_ms
            self._said.content = f"New peak: {text.kib(peaks[0].sizes[_PEAK])} KiB"


def _newest(samples: Sequence[Sample]) -> int:
    return samples[0].time_ms if samples else 0
