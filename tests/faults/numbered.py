"""Readings that prove themselves: each carries its number, and every other value follows from the number."""

from __future__ import annotations

from collections.abc import Mapping

from telemetry.readings import Reading

KIND, NAME = "heap", "numbered"
SIZE = 2**31


def reading(device: str, number: int, start_ms: int) -> Reading:
    """The reading of that number; numbers are a millisecond apart, so each has a time of its own."""
    return Reading(device, KIND, (NAME,), start_ms + number, values(number), 1, number)


def values(number: int) -> dict[str, int]:
    """What a reading of that number holds."""
    return {"size": SIZE, "free": (number * 2_654_435_761) % SIZE, "used": number}


def whole(number: int, found: Mapping[str, int]) -> bool:
    """Whether what a store gives is what was sent."""
    return all(found.get(field) == value for field, value in values(number).items())
