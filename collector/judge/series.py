"""The newest values of all series of one kind, as columns: one row a series, rows are never given away again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from collector.judge.columns import EXHAUSTED_AT, SETTLED, derive, stored_columns
from collector.judge.expression import Columns, Numbers, Truths
from telemetry.readings import KINDS

Rows = npt.NDArray[np.int64]
Names = tuple[str, ...]

T = TypeVar("T", bound=np.generic)

_OF_THE_DEVICE = ("limit", "silent_after_s", EXHAUSTED_AT)
_FIRST_CAPACITY = 64
_MOST_FIELD_LISTS = 1000


def grown(array: npt.NDArray[T], capacity: int, blank: float) -> npt.NDArray[T]:
    """The array with room for `capacity` rows, the new ones holding `blank`."""
    larger = np.full((capacity, *array.shape[1:]), blank, dtype=array.dtype)
    larger[: len(array)] = array
    return larger


class RowSet:
    """Numbers of rows, each once and in their order: a mark a row, so that many are put in at once."""

    def __init__(self) -> None:
        self._marks = np.zeros(_FIRST_CAPACITY, dtype=np.bool_)

    def __iter__(self) -> Iterator[int]:
        return iter(self.rows().tolist())

    def rows(self) -> Rows:
        """All of them."""
        return np.flatnonzero(self._marks)

    def marks(self, capacity: int) -> npt.NDArray[np.bool_]:
        """Whether each of so many rows is one of them; a copy."""
        return grown(self._marks, max(capacity, len(self._marks)), False)

    def add(self, row: int) -> None:
        """One more."""
        if row >= len(self._marks):
            self._marks = grown(self._marks, 2 * row, False)
        self._marks[row] = True

    def update(self, rows: Rows | list[int]) -> None:
        """Any number more."""
        if len(rows):
            self.add(int(max(rows) if isinstance(rows, list) else rows.max()))
            self._marks[rows] = True

    def clear(self) -> None:
        """None any more."""
        self._marks[:] = False


class _Chosen(Mapping[str, Numbers]):
    """Lines of a table's values, by the names of the columns, each taken out when it is first asked for. `expired` are
    those of the first columns that count as unknown, None where none do."""

    def __init__(self, values: Numbers, rows: Rows, place: Mapping[str, int], expired: Truths | None = None) -> None:
        self._values, self._rows, self._place, self._expired = values, rows, place, expired
        self._taken: dict[str, Numbers] = {}

    def __getitem__(self, name: str) -> Numbers:
        column = self._taken.get(name)
        if column is None:
            place = self._place[name]
            column = self._values[self._rows, place]
            if self._expired is not None and place < self._expired.shape[1]:
                column = np.where(self._expired[:, place], np.nan, column)
            self._taken[name] = column
        return column

    def __iter__(self) -> Iterator[str]:
        return iter(self._place)

    def __len__(self) -> int:
        return len(self._place)


class Table:
    """Series of one kind. Unknown values are NaN; a value stays until a newer one of the same boot replaces it.

    `time_ms` is the sample's time, `heard_ms` when the newest live one was received (0: none yet), `boot` the boot it
    belongs to, `resolution` that of its source in bytes; `outdated` rows are of a boot that is over. `touched` are the
    rows with news since the last tick, `changed` those that differ from what is on disk,
    where the first `saved` series are known. `told_ms` is when each field of the kind was last said (0: not yet), kept
    where a rule asks for how long it was not.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.columns = stored_columns(kind)
        self.devices: list[str] = []
        self.names: list[Names] = []
        self.texts: list[dict[str, str]] = []
        self.touched = RowSet()
        self.changed = RowSet()
        self.saved = 0
        self.values: npt.NDArray[np.float64] = np.full((_FIRST_CAPACITY, len(self.columns)), np.nan)
        self.time_ms, self.heard_ms, self.resolution, self.boot = (
            np.zeros(_FIRST_CAPACITY, dtype=np.int64) for _ in range(4)
        )
        self.outdated = np.zeros(_FIRST_CAPACITY, dtype=np.bool_)
        self.told_ms: Rows | None = None
        self._place = {name: place for place, name in enumerate(self.columns)}
        self._places_of: dict[tuple[str, ...], list[tuple[str, int | None]]] = {}
        self._index: dict[tuple[str, Names], int] = {}

    def __len__(self) -> int:
        return len(self.devices)

    @property
    def capacity(self) -> int:
        """How many rows there is room for; arrays that run beside this table are grown to it."""
        return len(self.values)

    def find(self, device: str, names: Names) -> int | None:
        """The row of a series, None when there is none."""
        return self._index.get((device, names))

    def add(self, device: str, names: Names) -> int:
        """A row for a new series."""
        row = len(self.devices)
        if row == self.capacity:
            self._grow()
        self.devices.append(device)
        self.names.append(names)
        self.texts.append({})
        self._index[device, names] = row
        self.resolution[row] = 1
        return row

    def begin_boot(self, row: int, boot: int) -> None:
        """Forget what the earlier boot said; limits are the device's and stay."""
        kept = {name: self.get(row, name) for name in _OF_THE_DEVICE if name in self._place}
        self.values[row] = np.nan
        for name, value in kept.items():
            self.set(row, name, value)
        self.texts[row] = {}
        if self.told_ms is not None:
            self.told_ms[row] = 0
        self.time_ms[row] = self.heard_ms[row] = 0
        self.boot[row] = boot

    def set(self, row: int, name: str, value: float) -> None:
        """Set one value."""
        self.values[row, self._place[name]] = value

    def get(self, row: int, name: str) -> float:
        """One value, NaN when unknown."""
        return float(self.values[row, self._place[name]])

    def places(self, fields: tuple[str, ...]) -> list[tuple[str, int | None]]:
        """Each of these fields with the number of its column; None where it has none."""
        known = self._places_of.get(fields)
        if known is None:
            if len(self._places_of) >= _MOST_FIELD_LISTS:  # events may carry any field
                self._places_of.clear()
            known = self._places_of[fields] = [(name, self._place.get(name)) for name in fields]
        return known

    def has(self, name: str) -> bool:
        """Whether there is such a column."""
        return name in self._place

    def column(self, name: str) -> Numbers:
        """A whole column, to read or to write to."""
        return self.values[: len(self), self._place[name]]

    def view(self, rows: Rows) -> Columns:
        """All columns that a rule may read, for those rows, as they stand when they are asked for."""
        return derive(self.kind, _Chosen(self.values, rows, self._place))

    def keep_told(self) -> None:
        """Keep from now on when each field was last said."""
        self.told_ms = np.zeros((self.capacity, len(KINDS[self.kind].numbers)), dtype=np.int64)

    def fresh_view(self, rows: Rows, now_ms: int, patience_ms: int) -> Columns:
        """As `view`; what was not said for so long is unknown, though the series spoke meanwhile. 0: nothing is."""
        if self.told_ms is None or not patience_ms:
            return self.view(rows)
        told_ms = self.told_ms[rows]
        expired = (told_ms > 0) & (told_ms < self.time_ms[rows, None]) & (now_ms - told_ms >= patience_ms)
        expired[:, [self._place[name] for name in SETTLED & self._place.keys()]] = False
        return derive(self.kind, _Chosen(self.values, rows, self._place, expired))

    def _grow(self) -> None:
        capacity = 2 * self.capacity
        self.values = grown(self.values, capacity, np.nan)
        self.outdated = grown(self.outdated, capacity, False)
        if self.told_ms is not None:
            self.told_ms = grown(self.told_ms, capacity, 0)
        self.time_ms, self.heard_ms, self.resolution, self.boot = (
            grown(array, capacity, 0) for array in (self.time_ms, self.heard_ms, self.resolution, self.boot)
        )
