"""What a platform can tell about its memory at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from telemetry.readings import Value


class Measure(NamedTuple):
    """A reading without device and time; see `telemetry.readings` for kinds, names and fields."""

    kind: str
    names: tuple[str, ...]
    values: Mapping[str, Value]
    resolution: int = 1
