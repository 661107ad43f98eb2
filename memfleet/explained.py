"""Why things are told or are not, for people: one series after the other, a table of conditions a question. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from math import isinf, isnan
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collector.judge.explaining import Condition, Explanation, Window
    from collector.judge.explaining_device import Explained

_BLOCKS = "▁▂▃▄▅▆▇█"
_QUESTIONS = {
    "said": "anything that a detector could judge",
    "leak": "a leak since the device started",
    "block": "a leak that takes the largest free block",
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
_NO_VERDICTS = ("peers",)
"""Questions of which a yes tells nothing yet."""
_FINER: Mapping[str, Callable[[float], str]] = {
    "size": lambda bytes_: f"{bytes_:.0f} bytes",
    "rate": lambda rate: f"{rate:.2f} bytes/h",
    "percent": lambda ratio: f"{100 * ratio:.2g} %",
    "ratio": lambda ratio: f"{ratio:.4f}",
    "number": lambda number: f"{number:.6g}",
}
_TEXT, _NUMBER = 74, 11
"""Widths of the columns of a table."""


def sentences(found: Iterable[Explained]) -> Iterator[str]:
    """The lines to print."""
    for (device, kind, names), every in groupby(found, key=lambda one: (one.device, one.kind, one.names)):
        title = f"{device}: {kind} {' / '.join(name for name in names if name)}".rstrip()
        yield f"{title:<{_TEXT + 9}} {'measured':>{_NUMBER}}  asked".rstrip()
        views: dict[str, list[Explained]] = {}
        for one in every:
            views.setdefault(one.why.question, []).append(one)
        answers = [_best_of(of_question) for of_question in views.values()]
        told = [_asked(one.why) for one in answers if one.told and one.why.question not in _NO_VERDICTS]
        yield f"  told: {', '.join(told) or 'nothing'}"
        for one in answers:
            yield from _of_question(one.why)
        yield ""


def _best_of(views: Sequence[Explained]) -> Explained:
    """The view that says most: one that tells it, else the one that is nearest to it."""
    return max(views, key=lambda one: (one.told, *_nearness(one.why)))


def _nearness(why: Explanation) -> tuple[float, float]:
    """Which part of the conditions holds, and how long its buckets are."""
    held = [condition.held for condition in why.conditions]
    return sum(held) / max(1, len(held)), why.window.bucket_hours if why.window else 0.0


def _asked(why: Explanation) -> str:
    question = _QUESTIONS.get(why.question, why.question)
    return f"{question} ({why.state})" if why.state else question


def _of_question(why: Explanation) -> Iterator[str]:
    question = _QUESTIONS.get(why.question, why.question)
    missing = sum(not condition.held for condition in why.conditions)
    of = f", {missing} of {len(why.conditions)} conditions do not hold" if len(why.conditions) > 1 else ""
    verdict = f"no{of}" if missing else "yes"
    yield f"  {question}: {verdict}{f' ({why.state})' if why.state else ''}"
    if why.window is not None:
        yield from _of_window(why.window)
    yield from _of_conditions(why.conditions)


def _of_conditions(conditions: Sequence[Condition], indent: str = "") -> Iterator[str]:
    """All that were asked; but of those that nothing could be measured for only the first, and only where no other
    says why not."""
    why_not, left_out = False, 0
    for condition in conditions:
        nothing_known = condition.measured is None and bool(condition.relation) and not condition.parts
        if nothing_known and (condition.held or why_not):
            left_out += not condition.held
            continue
        yield from _of_condition(condition, indent)
        why_not = why_not or not condition.held
    if left_out:
        more, whose = ("condition cannot", "its") if left_out == 1 else ("conditions cannot", "their")
        yield f"    NO   {indent}{left_out} more {more} be checked: too little was read to know {whose} numbers"


def _of_window(window: Window) -> Iterator[str]:
    known, line = _known(window.buckets), _known(window.envelope)
    scale = min(known + line), max(known + line)
    yield f"    {_looked_at(window, known)}"
    yield f"    {'points' if window.values else 'buckets':<9} {_drawn(window.buckets, scale)}  {_range(known)}"
    if window.sight and line:
        yield f"    line      {_drawn(window.envelope, scale)}  {_range(line)}, through the {window.sight}"
    elif line and not window.values:
        yield f"    envelope  {_drawn(window.envelope, scale)}"
    if not isnan(window.slope):
        slope, low, high = (_written(one, "rate") for one in (window.slope, window.slope_low, window.slope_high))
        yield f"    slope     {slope}, 95 % interval {low} to {high}"


def _looked_at(window: Window, known: Sequence[float]) -> str:
    apart = _written(window.bucket_hours, "hours")
    if window.values:
        return f"{len(known)} points, {apart} apart, laid through {window.values} known values, the newer the closer"
    dropped = sum(value is not None and not kept for value, kept in zip(window.buckets, window.kept, strict=True))
    of = "the least of 24 hours up to each" if window.of_whole_days else "the least used memory of each"
    kept = f"{len(known) - dropped} kept, {dropped} dropped as given back later"
    return f"{len(known)} bucket{'' if len(known) == 1 else 's'} of {apart} ({of}): {kept}"


def _of_condition(condition: Condition, indent: str) -> Iterator[str]:
    measured, asked = _both(condition.measured, condition.asked, condition.form)
    text, held = f"{indent}{condition.what}", "yes" if condition.held else "NO "
    if condition.parts:
        yield f"    {held}  {text}{': ' if condition.what else ''}{condition.relation}"
        yield from _of_conditions(condition.parts, indent + "  ")
    elif condition.relation:
        if condition.held and not asked:
            held, asked = " - ", "not asked"
        else:
            asked = f"{condition.relation} {asked or '(unknown)'}"
        yield f"    {held}  {text:<{_TEXT}} {measured or 'unknown':>{_NUMBER}}  {asked}"
    else:
        yield f"    {held}  {text}"


def _both(one: float | None, other: float | None, form: str) -> tuple[str, str]:
    """Two numbers in that form; finer where they would look alike and are not."""
    texts = _written(one, form), _written(other, form)
    if texts[0] != texts[1] or one == other or form not in _FINER:
        return texts
    return _FINER[form](one or 0.0), _FINER[form](other or 0.0)


def _written(value: float | None, form: str) -> str:
    from collector.judge.reasons import written

    if value is None:
        return ""
    if isinf(value):
        return "without end" if value > 0 else "nothing"
    value += 0.0  # nothing is not less than nothing
    return f"{value:.2f}".rstrip("0").rstrip(".") if form == "number" else written(value, form)


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _range(values: Sequence[float]) -> str:
    return " to ".join(_both(min(values), max(values), "size"))


def _drawn(values: Sequence[float | None], scale: tuple[float, float]) -> str:
    least, most = scale
    parts = (None if value is None else (value - least) / ((most - least) or 1.0) for value in values)
    return "".join("·" if part is None else _BLOCKS[int(part * (len(_BLOCKS) - 1))] for part in parts)
