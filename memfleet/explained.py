"""Why a leak is told or is not, for people: one series after the other, the view that says most of each. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from memfleet.spans import span_text
from memfleet.tables import kib

if TYPE_CHECKING:
    from collector.judge.backtest import Explained
    from collector.judge.explaining import Condition

_BLOCKS = "▁▂▃▄▅▆▇█"


def sentences(found: Iterable[Explained]) -> Iterator[str]:
    """The lines to print."""
    for (device, kind, names), views in groupby(found, key=lambda one: (one.device, one.kind, one.names)):
        yield from _of_series(f"{device}: {kind} {' / '.join(name for name in names if name)}".rstrip(), list(views))
        yield ""


def _of_series(title: str, views: Sequence[Explained]) -> Iterator[str]:
    best = max(
        views, key=lambda one: (one.told, sum(each.held for each in one.window.conditions), one.window.bucket_hours)
    )
    window = best.window
    known = [value for value in window.buckets if value is not None]
    dropped = sum(value is not None and not kept for value, kept in zip(window.buckets, window.kept, strict=True))
    bucket = span_text(window.bucket_hours * 3600)
    yield f"{title}: {'a leak' if best.told else 'no leak'}"
    of = "the least of 24 hours up to each" if window.of_whole_days else "the least used memory of each"
    line = f"line of {window.sight}" if window.sight else "envelope"
    yield f"  seen in {len(known)} buckets of {bucket} ({of}); {dropped} were given back later"
    yield f"  buckets   {_drawn(window.buckets, known)}"
    yield f"  {line:<9} {_drawn(window.envelope, known)}  {kib(min(known))} to {kib(max(known))} KiB"
    low, high = kib(window.slope_low), kib(window.slope_high)
    yield f"  slope     {kib(window.slope)} KiB/h, 95 % interval {low} to {high}"
    for condition in window.conditions:
        yield from _of_condition(condition, "  ")


def _of_condition(condition: Condition, indent: str) -> Iterator[str]:
    yield f"{indent}{'yes' if condition.held else 'NO '}  {condition.text}"
    for one in condition.one_of:
        yield from _of_condition(one, indent + "     ")


def _drawn(values: Sequence[float | None], known: Sequence[float]) -> str:
    least, spread = min(known), max(known) - min(known) or 1.0
    parts = (None if value is None else min(1.0, max(0.0, (value - least) / spread)) for value in values)
    return "".join("·" if part is None else _BLOCKS[int(part * (len(_BLOCKS) - 1))] for part in parts)
