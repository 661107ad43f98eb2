"""Why things are told or are not, for people: one series after the other, a table of conditions a question. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from math import isinf
from typing import TYPE_CHECKING

from memfleet.spans import span_text
from memfleet.tables import kib

if TYPE_CHECKING:
    from collector.judge.explaining import Condition, Explanation, Window
    from collector.judge.explaining_device import Explained

_BLOCKS = "▁▂▃▄▅▆▇█"
_QUESTIONS = {
    "leak": "a leak since the device started",
    "rush": "most of the memory taken in a few samples",
    "quiet": "a leak of memory that never falls",
    "boots": "a leak in each of several boots",
    "night": "a leak within one night",
    "kernel": "sockets that are not closed",
    "fragmentation": "fragmentation",
    "step": "memory taken at once and kept",
    "peers": "enough peers to compare it with",
    "restarts": "restarts for want of memory",
}
_TEXT, _NUMBER = 74, 11
"""Widths of the columns of a table."""


def sentences(found: Iterable[Explained]) -> Iterator[str]:
    """The lines to print."""
    for (device, kind, names), every in groupby(found, key=lambda one: (one.device, one.kind, one.names)):
        title = f"{device}: {kind} {' / '.join(name for name in names if name)}".rstrip()
        yield f"{title:<{_TEXT + 9}} {'measured':>{_NUMBER}}  asked".rstrip()
        for _, views in groupby(every, key=lambda one: one.why.question):
            yield from _of_question(list(views))
        yield ""


def _of_question(views: Sequence[Explained]) -> Iterator[str]:
    """The view that says most: one that tells it, else the one that is nearest to it."""
    best = max(views, key=lambda one: (one.told, *_nearness(one.why)))
    why = best.why
    question = _QUESTIONS.get(why.question, why.question)
    missing = sum(not condition.held for condition in why.conditions)
    of = f", {missing} of {len(why.conditions)} conditions do not hold" if len(why.conditions) > 1 else ""
    verdict = f"no{of}" if missing else "yes"
    yield f"  {question}: {verdict}{f' ({why.state})' if why.state else ''}"
    if why.window is not None:
        yield from _of_window(why.window)
    for condition in _worth_showing(why.conditions):
        yield from _of_condition(condition, "")


def _worth_showing(conditions: Sequence[Condition]) -> Iterator[Condition]:
    """All, but of those that nothing could be measured for only the first, and only where no other says why not."""
    why_not = False
    for condition in conditions:
        if condition.held or condition.measured is not None or condition.parts or not why_not:
            yield condition
        why_not = why_not or not condition.held


def _nearness(why: Explanation) -> tuple[float, float]:
    """Which part of the conditions holds, and how long its buckets are."""
    held = [condition.held for condition in why.conditions]
    return sum(held) / max(1, len(held)), why.window.bucket_hours if why.window else 0.0


def _of_window(window: Window) -> Iterator[str]:
    known = [value for value in window.buckets if value is not None]
    dropped = sum(value is not None and not kept for value, kept in zip(window.buckets, window.kept, strict=True))
    bucket = span_text(window.bucket_hours * 3600)
    of = "the least of 24 hours up to each" if window.of_whole_days else "the least used memory of each"
    kept = f"{len(known) - dropped} kept, {dropped} dropped as given back later"
    yield f"    {len(known)} buckets of {bucket} ({of}): {kept}"
    yield f"    buckets   {_drawn(window.buckets, known)}  {kib(min(known))} to {kib(max(known))} KiB"
    drawn = f"line through the {window.sight}" if window.sight else ""
    yield f"    {'line' if drawn else 'envelope':<9} {_drawn(window.envelope, known)}  {drawn}".rstrip()
    low, high = kib(window.slope_low), kib(window.slope_high)
    yield f"    slope     {kib(window.slope)} KiB/h, 95 % interval {low} to {high}"


def _of_condition(condition: Condition, indent: str) -> Iterator[str]:
    measured, asked = (_written(value, condition.form) for value in (condition.measured, condition.asked))
    text, held = f"{indent}{condition.what}", "yes" if condition.held else "NO "
    if condition.parts:
        yield f"    {held}  {text}{': ' if condition.what else ''}{condition.relation}"
    elif condition.relation:
        asked = f"{condition.relation} {asked or '(unknown)'}" if asked or not condition.held else "not asked"
        yield f"    {held}  {text:<{_TEXT}} {measured or 'unknown':>{_NUMBER}}  {asked}"
    else:
        yield f"    {held}  {text}"
    for part in condition.parts:
        yield from _of_condition(part, indent + "  ")


def _written(value: float | None, form: str) -> str:
    from collector.judge.reasons import written

    if value is None:
        return ""
    if isinf(value):
        return "without end" if value > 0 else "nothing"
    return f"{value:.2f}".rstrip("0").rstrip(".") if form == "number" else written(value, form)


def _drawn(values: Sequence[float | None], known: Sequence[float]) -> str:
    least, spread = min(known), max(known) - min(known) or 1.0
    parts = (None if value is None else min(1.0, max(0.0, (value - least) / spread)) for value in values)
    return "".join("·" if part is None else _BLOCKS[int(part * (len(_BLOCKS) - 1))] for part in parts)
