"""Readings as NumPy columns, one set a series: for plots, scoring and backtests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from telemetry.readings import About, Reading


class Series(NamedTuple):
    """What a series is of: device, kind, and the values of the kind's own tags."""

    device: str
    kind: str
    names: tuple[str, ...]


class Columns(NamedTuple):
    """One series, one row a reading: `time_ms`, `boot`, `uptime_ms` (int64), and each numeric field as float64, NaN
    where a reading does not have it. Sizes are bytes."""

    time_ms: NDArray[np.int64]
    boot: NDArray[np.int64]
    uptime_ms: NDArray[np.int64]
    fields: Mapping[str, NDArray[np.float64]]


def columns_of(items: Iterable[About | Reading]) -> dict[Series, Columns]:
    """The series in what a fleet reported, in the order in which they began. Uptime is -1 where it is unknown."""
    rows: dict[Series, list[Reading]] = defaultdict(list)
    for item in items:
        if isinstance(item, Reading):
            rows[Series(item.device, item.kind, item.names)].append(item)
    return {series: _columns(readings) for series, readings in rows.items()}


def _columns(readings: list[Reading]) -> Columns:
    names = dict.fromkeys(name for one in readings for name, value in one.values.items() if isinstance(value, int))
    return Columns(
        np.array([one.time_ms for one in readings], dtype=np.int64),
        np.array([one.boot for one in readings], dtype=np.int64),
        np.array([-1 if one.uptime_ms is None else one.uptime_ms for one in readings], dtype=np.int64),
        {name: np.array([one.values.get(name, np.nan) for one in readings], dtype=np.float64) for name in names},
    )
