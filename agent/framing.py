"""Readings into frame bodies. Pure. A body closes at 500 rows, at its byte limit, or when the caller says so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from telemetry.readings import About, Reading
from telemetry.wire import (
    HEADER_BYTES,
    MAX_FRAME,
    MAX_NAME,
    MAX_TEXT,
    Block,
    Clock,
    Rows,
    clean_text,
    encode_body,
    flag_bits,
)

CLOSE_ROWS = 500
CLOSE_BYTES = MAX_FRAME - HEADER_BYTES - 8_000
"""A body is closed at this estimate, which leaves room for one more reading of the largest kind."""

_Key = tuple[str, int, str, tuple[str, ...], tuple[str, ...], int, tuple[str, ...], bool]


class Framer:
    """Collects descriptions and readings; `close` gives the body with the number of its rows.

    Two readings of one series never share a timestamp: the later one is moved on by a millisecond. `clock` stands at
    the head of every body of a sender whose time is monotonic.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock
        self._blocks: list[Block] = []
        self._open: dict[_Key, Rows] = {}
        self._rows = 0
        self._bytes = 0
        self._last_ms: dict[tuple[str, str, tuple[str, ...]], tuple[int, int]] = {}

    @property
    def full(self) -> bool:
        """Whether the body must be closed before anything more is added."""
        return self._rows >= CLOSE_ROWS or self._bytes >= CLOSE_BYTES

    def add(self, item: About | Reading) -> None:
        """Add one description or reading. The caller closes a full body first."""
        if isinstance(item, About):
            self._open = {key: rows for key, rows in self._open.items() if key[0] != item.device}  # keeps the order
            self._blocks.append(item)
            self._bytes += 64 + sum(len(k) + 4 * len(v) for k, v in item.texts.items()) + 40 * len(item.limits)
            return
        numbers = _only_numbers(item)
        item = _fit(item, numbers)
        time_ms = self._own_time(item)
        uptime, fields = item.uptime_ms, tuple(item.values)
        key = (
            item.device, item.boot, item.kind, item.names, item.flags, item.resolution, fields, uptime is None,
        )  # fmt: skip
        block = self._open.get(key)
        if block is None or time_ms < block.t0 or (uptime or 0) < (block.u0 or 0):
            block = self._begin(item, time_ms, fields, key)
        if uptime is not None and block.u0 is not None:
            uptime -= block.u0
        values = item.values.values()
        block.rows.append([time_ms - block.t0, uptime, *values])
        self._rows += 1
        self._bytes += 8 + 9 * len(values)
        if not numbers:
            self._bytes += sum(4 * len(value) for value in values if isinstance(value, str))

    def _own_time(self, item: Reading) -> int:
        """The reading's time, or the millisecond after the one before it when both came in one tick."""
        series = (item.device, item.kind, item.names)
        source_ms, given_ms = self._last_ms.get(series, (-1, -1))
        time_ms = given_ms + 1 if source_ms <= item.time_ms <= given_ms else item.time_ms
        self._last_ms[series] = (item.time_ms, time_ms)
        return time_ms

    def _begin(self, item: Reading, time_ms: int, fields: tuple[str, ...], key: _Key) -> Rows:
        block = Rows(
            item.device, item.boot, item.kind, item.names, flag_bits(item.flags) if item.flags else 0, item.resolution,
            time_ms, item.uptime_ms, fields, [],
        )  # fmt: skip
        self._open[key] = block
        self._blocks.append(block)
        self._bytes += 60 + len(item.device) + sum(4 * len(name) for name in item.names) + 12 * len(fields)
        return block

    def close(self) -> tuple[bytes, int] | None:
        """The body and its row count; None when nothing was added. A new body begins."""
        if not self._blocks:
            return None
        head: list[Block] = [self.clock] if self.clock else []
        body, rows = encode_body(head + self._blocks), self._rows
        self._blocks, self._open, self._rows, self._bytes = [], {}, 0, 0
        return body, rows


def _fit(item: Reading, numbers: bool) -> Reading:
    """The reading as the wire can carry it: texts without control characters and cut, numbers of 64 bits.

    A number that does not fit is no size of anything; it goes on as text, and the collector quarantines its block.
    """
    names = _clean_names(item.names)
    if numbers and names == item.names:
        return item
    values = {
        field: value if isinstance(value, int) and -(2**63) <= value < 2**63 else clean_text(str(value), MAX_TEXT)
        for field, value in item.values.items()
    }
    return replace(item, names=names, values=values)


def _only_numbers(item: Reading) -> bool:
    for value in item.values.values():  # noqa: SIM110 - a loop takes half the time of all()
        if isinstance(value, str) or not -(2**63) <= value < 2**63:
            return False
    return True


@lru_cache(maxsize=4096)
def _clean_names(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(clean_text(name, MAX_NAME) for name in names)


def bodies(items: Iterable[About | Reading], framer: Framer) -> list[tuple[bytes, int]]:
    """Add all items; the bodies that became full on the way. What is left stays in the framer."""
    closed = []
    for item in items:
        framer.add(item)
        if framer.full and (body := framer.close()):
            closed.append(body)
    return closed
