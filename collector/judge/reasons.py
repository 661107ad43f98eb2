"""Sentences with numbers, from templates in the rules. Pure.

    "Free heap is {free:size}[, {fill:percent} of it used][ in {names}][; {used:size} of {limit:size}|; {used:size}]."

`{column:format}` is replaced; a part in [brackets] is left out when a value in it is unknown or has no end, and of
several, [this|or that], stands the first of which all is known. Formats:
size (bytes), percent (of a ratio), ratio, rate (bytes/hour), hours, minutes, seconds, milliseconds, number, hex. Texts:
`{names}`, an event's own texts, `{suspect}`, and `{forecast}` of a leak.
"""

from __future__ import annotations

import math
import re
import string
from collections.abc import Callable, Mapping
from typing import NamedTuple

from collector.judge.expression import unknown_field

Value = float | str

_OPTIONAL = re.compile(r"\[([^\[\]]*)\]")
_TWO_STOPS = re.compile(r"(?<!\.)\.\.(?=\s|$)")
"""That of a text which a device said, and that of the sentence it stands in."""
_KIB = 1024


def size(bytes_: float) -> str:
    """Bytes as people say them: `512 bytes`, `22.0 KiB`, `3.9 MiB`."""
    if abs(bytes_) < _KIB:
        whole = round(bytes_)  # an int has no -0
        return f"{whole} byte{'' if whole == 1 else 's'}"
    if abs(bytes_) < _KIB * _KIB:
        return f"{bytes_ / _KIB:.1f} KiB"
    return f"{bytes_ / _KIB / _KIB:.1f} MiB"


def span(seconds: float) -> str:
    """A span as people say it: `45 s`, `12 min`, `3.5 hours`, `9.2 days`."""
    unit = _unit_of(seconds)
    return f"{unit.written(seconds)} {unit.name}"


def forecast(values: Mapping[str, Value]) -> str:
    """When memory ends, of the columns of a leak that was told: with its interval, in one unit, where that says more
    than the middle, and whether its largest free block ends it, or it ends where it ran out before (`ends_at`); ""
    where nothing is known."""
    left, low, high = (_seconds(values.get(f"leak_hours_{which}")) for which in ("left", "low", "high"))
    if not math.isfinite(left):
        return ""
    by_block = _is_known(values.get("leak_block_hours"))
    again = "" if by_block else _again(values)
    ends = "the largest free block is gone" if by_block else "memory ends"
    if left == 0:
        return f"{ends} already" if by_block else f"its peaks reach the limit already{again}"
    of_boots = _is_known(values.get("leak_boots")) or _is_known(values.get("leak_ended"))
    if left < _MINUTE_S:
        return f"{ends} within a minute{' of a start' if of_boots else ''}{again}"
    unit = _unit_of(left)
    middle, between = unit.written(left), tuple(unit.written(one) for one in (low, high))
    about = f"about {middle} {unit.name}" + _between(between, middle, unit.name)
    return (f"{ends} {about} after a start" if of_boots else f"{ends} in {about}") + again


def _again(values: Mapping[str, Value]) -> str:
    """With how many bytes used memory ran out before, where it is that which ends it."""
    ends_at, limit = values.get("ends_at"), values.get("limit")
    if not (isinstance(ends_at, float) and isinstance(limit, float) and ends_at < limit):
        return ""
    return f": it ran out before with {size(ends_at)} used"


class _Unit(NamedTuple):
    """A unit of time, what it is called, how many decimals it is told with, and from how many seconds on."""

    seconds: float
    name: str
    decimals: int
    least_s: float

    def written(self, seconds: float) -> str:
        """So many seconds in that unit."""
        number = f"{seconds / self.seconds:.{self.decimals}f}"
        return number.removesuffix(".0") if self.name == "days" else number


_MINUTE_S = 60.0
_UNITS = (_Unit(86_400, "days", 1, 172_800), _Unit(3_600, "hours", 1, 7_200), _Unit(60, "min", 0, 120))
_SECONDS = _Unit(1, "s", 0, 0)


def _unit_of(seconds: float) -> _Unit:
    return next((unit for unit in _UNITS if seconds >= unit.least_s), _SECONDS)


def _between(ends: tuple[str, ...], middle: str, unit: str) -> str:
    """The ends of an interval, where they are known and other than its middle."""
    if not all(_is_known(float(end)) for end in ends) or set(ends) == {middle}:
        return ""
    return f" ({' to '.join(ends)} {unit})"


def _seconds(hours: Value | None) -> float:
    return hours * 3600 if isinstance(hours, float) else math.nan


_FORMATS: Mapping[str, Callable[[float], str]] = {
    "size": size,
    "percent": lambda ratio: f"{ratio * 100:.0f} %",
    "ratio": lambda ratio: f"{ratio:.2f}",
    "rate": lambda rate: f"{size(rate)}/h",
    "hours": lambda hours: span(hours * 3600),
    "minutes": lambda minutes: span(minutes * 60),
    "seconds": span,
    "milliseconds": lambda milliseconds: span(milliseconds / 1000),
    "number": lambda number: f"{number:.15g}" if number.is_integer() else f"{number:g}",
    "hex": lambda number: f"{int(number):#x}" if math.isfinite(number) else f"{number:g}",
}


_ALSO: Mapping[str, tuple[str, ...]] = {
    "size": ("number", "hex"),
    "hex": ("number",),
    "percent": ("ratio", "number"),
    "rate": ("size", "number"),
    "number": ("ratio", "hex"),
}
"""As what else a number may be written than what it is; one of another unit would be a false statement."""


def template_faults(template: str, known: Mapping[str, str]) -> list[str]:
    """Why a template cannot be filled from columns and texts of those names, each with the format of its unit (any, of
    a text: ""); empty where it can."""
    try:
        parts = [part for part in string.Formatter().parse(template) if part[1] is not None]
    except ValueError as error:
        return [f"cannot be read: {error}"]
    faults = [unknown_field(name, known) for name in names_in(template) if name not in known]
    faults += [f"{{{name}!{way}}}: write {{{name}}} or {{{name}:FORMAT}}" for _, name, _, way in parts if way]
    odd = [(name, form) for name, form in forms_in(template) if form not in _FORMATS]
    faults += [f"{{{name}:{form}}}: formats are {', '.join(_FORMATS)}" for name, form in odd]
    faults += [fault for name, form in forms_in(template) if (fault := _unit_fault(name, form, known.get(name, "")))]
    if re.search(r"[\[\]]", _OPTIONAL.sub("", template)):
        faults.append("[brackets] come in pairs, none within another")
    return faults


def _unit_fault(name: str, form: str, own: str) -> str:
    """Why a number of a unit cannot be written in that format; "" where it can."""
    fits = (own, *_ALSO.get(own, ("number",)))
    if not own or form in fits or form not in _FORMATS:
        return ""
    return f"{{{name}:{form}}}: {name} is no {form}: write {{{name}:{own}}}"


def names_in(template: str) -> tuple[str, ...]:
    """The columns and texts that a template names."""
    return tuple(dict.fromkeys(name for name, _ in forms_in(template)))


def forms_in(template: str) -> tuple[tuple[str, str], ...]:
    """The columns and texts that a template names, each with how it is to be written."""
    parts = string.Formatter().parse(template)
    return tuple(dict.fromkeys((name, form or "number") for _, name, form, _ in parts if name is not None))


def fill(template: str, values: Mapping[str, Value]) -> str:
    """The sentence. What is unknown outside of brackets is called so."""
    sentence = _fill(_OPTIONAL.sub(lambda part: _fill_optional(part[1], values), template), values)
    return _TWO_STOPS.sub(".", sentence)


def _fill_optional(parts: str, values: Mapping[str, Value]) -> str:
    """The first of the parts of which all is known; "" where there is none."""
    known = (part for part in parts.split("|") if all(_is_known(values.get(name)) for name in names_in(part)))
    return _fill(next(known, ""), values)


def _fill(template: str, values: Mapping[str, Value]) -> str:
    pieces = []
    for literal, name, form, _ in string.Formatter().parse(template):
        pieces.append(literal)
        if name is not None:
            pieces.append(_formatted(values.get(name), form or "number"))
    return "".join(pieces)


def _formatted(value: Value | None, form: str) -> str:
    if isinstance(value, str):
        return value.replace("{", "(").replace("}", ")").replace("[", "(").replace("]", ")") or "unknown"
    return written(value, form)


def written(value: float | None, form: str) -> str:
    """One number in that format."""
    return _FORMATS[form](value) if value is not None and not math.isnan(value) else "unknown"


def _is_known(value: Value | None) -> bool:
    return bool(value) if isinstance(value, str) else value is not None and math.isfinite(value)
