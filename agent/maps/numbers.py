"""What a map's `PATH [UNIT] [STEP]` texts mean, made ready to be read out of thousands of payloads a second."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agent.maps.paths import Captures, Keys, find, first_of, keys_of, starred
from agent.maps.report import Measure
from agent.maps.units import CLOCK, FRAGMENTED, SIZES, SPANS_MS, number, scaled
from telemetry.readings import KINDS

_UNITS = "|".join([*SIZES, *SPANS_MS, CLOCK, FRAGMENTED])
_NUMBER = re.compile(rf"(?P<path>\S.*?)(?:\s+(?P<unit>{_UNITS}))?(?:\s+(?P<step>\d+(?:\.\d+)?))?")
_PLAIN = 2**40
"""Whole numbers below this need no further look: no unit takes them out of 64 bits."""
_LIKE_UNIT = re.compile(r"\s[kKMG]?i?(?:[bB]|[bB]ytes?)$")
"""What somebody meant to be a unit: as a part of the path it would find nothing, silently."""


@dataclass(frozen=True, slots=True)
class Number:
    """Where a number stands and what it counts; `resolution` is the step of the source, bytes."""

    keys: Keys
    unit: str
    resolution: int


def number_of(text: str, units: tuple[str, ...], default: str) -> Number:
    """Read `PATH [UNIT] [STEP]`. ValueError names what is wrong."""
    found = _NUMBER.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r}: write PATH, or PATH UNIT")
    unit = found["unit"] or default
    if unit not in units:
        raise ValueError(f"{text!r}: the unit here is one of {', '.join(units)}")
    if _LIKE_UNIT.search(found["path"]):
        raise ValueError(
            f"{text!r}: the unit here is one of {', '.join(units)}; KB would be 1000 to one and 1024 to another"
        )
    step = float(found["step"] or 1)
    if step <= 0:
        raise ValueError(f"{text!r}: the step is more than nothing")
    resolution = -int(-SIZES.get(unit, 1) * step // 1)  # rounded up
    return Number(keys_of(found["path"]), unit, resolution)


class Thing:
    """One heap, stack, pool or process of a map: where its fields stand in a payload."""

    __slots__ = ("_estimate", "_fields", "_keys", "_name", "_starred", "kind")

    def __init__(self, kind: str, name: str, fields: Mapping[str, str]) -> None:
        known = KINDS[kind].numbers
        if unknown := sorted(fields.keys() - set(known)):
            raise ValueError(f"a {kind} has no {', '.join(unknown)}; it has {', '.join(known)}")
        if not fields:
            raise ValueError(f"the {kind} {name} has no field")
        numbers = {field: number_of(text, (*SIZES, FRAGMENTED), "B") for field, text in fields.items()}
        fragmented = [field for field, one in numbers.items() if one.unit == FRAGMENTED]
        if fragmented not in ([], ["largest_free"]) or (fragmented and "free" not in numbers):
            raise ValueError(f"{FRAGMENTED} is for largest_free, beside free")
        self.kind = kind
        self._estimate = numbers.pop("largest_free") if fragmented else None
        self._fields = [(field, one.keys, SIZES[one.unit], one.resolution) for field, one in numbers.items()]
        stars = [one.keys for one in numbers.values() if any("*" in key for key in one.keys)]
        self._starred = "*" in name
        if self._starred != bool(stars):
            raise ValueError(f"the name of {kind} {name} and the paths of its fields hold the same '*'")
        self._keys = stars[0] if stars else ()
        self._name = None if kind == "process" or self._starred else first_of(name)

    def measure(self, payload: Any, captures: Captures, found: list[Measure]) -> None:
        """Add what the payload says of it to `found`; nothing when it holds none of the fields."""
        if self._starred:
            for key in starred(payload, self._keys):
                self._measure(payload, (key,), found, key)
        elif self._name is None:
            self._measure(payload, (), found)
        else:
            self._measure(payload, (self._name(payload, captures),), found)

    def _measure(self, payload: Any, names: tuple[str, ...], found: list[Measure], star: str = "") -> None:
        values, step = {}, 1
        for field, keys, factor, resolution in self._fields:
            at = tuple(star if "*" in key else key for key in keys) if star else keys
            value = find(payload, at)
            if value is None:
                continue
            size = value * factor if type(value) is int and 0 <= value < _PLAIN else scaled(value, factor)
            if size or (size == 0 and self.kind != "process"):  # Azure Sphere's calls answer 0 when they fail
                values[field] = size
                if resolution > step:
                    step = resolution
        if not any(values.values()) and "size" in values:
            return  # what has no size is not there: a chip without external RAM says 0 of 0
        if values.get("size") == 0:
            del values["size"]
        if not values:
            return
        found.append(Measure(self.kind, names, values, step))
        if self._estimate is not None and "free" in values:
            found += self._estimated(payload, names, values["free"], step)

    def _estimated(self, payload: Any, names: tuple[str, ...], free: int, step: int) -> Iterator[Measure]:
        """The largest free block out of a rounded percentage: a reading of its own, as it is so much coarser."""
        percent = number(find(payload, self._estimate.keys)) if self._estimate else None
        if percent is not None and 0 <= percent <= 100:
            largest = int(free * (100 - percent) / 100)
            yield Measure(self.kind, names, {"largest_free": largest}, max(step, free // 100 + 1))
