"""The forms in which readings are exported. Each is a function from readings to lines without their ends."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from collector.stores.lineprotocol import Encoder
from telemetry import ndjson
from telemetry.readings import FLAGS, KINDS, About, Kind, Reading
from telemetry.wire import Rows

Readings = Iterable[tuple[Reading, About]]
Form = Callable[[Readings], Iterator[bytes]]

_CSV_HEAD = ("time", "device", "platform", "firmware", "boot", "uptime_ms")


def ndjson_lines(readings: Readings) -> Iterator[bytes]:
    """Lines of JSON, as `telemetry.ndjson` describes them."""
    return (ndjson.encode(reading, about) for reading, about in readings)


def csv_lines(kind: Kind) -> Form:
    """Comma-separated values of one kind, RFC 4180 but for the line ends: names of columns first, times in UTC, sizes
    in bytes. What an event holds beyond its listed fields stands in `more`, as JSON."""
    own = (*(name for name in (*kind.numbers, *kind.texts) if name not in _CSV_HEAD),)
    more = ("more",) if kind.open_fields else ()

    def row(reading: Reading, about: About) -> list[Any]:
        stamp = datetime.fromtimestamp(reading.time_ms / 1000, UTC).isoformat(timespec="milliseconds")
        texts, values = about.texts, reading.values
        head = (stamp, reading.device, texts.get("platform"), texts.get("firmware"), reading.boot, reading.uptime_ms)
        rest = {name: value for name, value in values.items() if name not in own and name not in _CSV_HEAD}
        tail = (msgspec.json.encode(rest).decode(),) if more else ()
        return [*head, *reading.names, *(values.get(name) for name in own), *tail, " ".join(reading.flags)]

    def lines(readings: Readings) -> Iterator[bytes]:
        yield _csv((*_CSV_HEAD, *kind.tags, *own, *more, "flags"))
        for reading, about in readings:
            yield _csv(row(reading, about))

    return lines


def line_protocol_lines(fleet: str, prefix: str) -> Form:
    """InfluxDB's line protocol as the stores write it, times in milliseconds; what it cannot write is a comment."""

    def lines(readings: Readings) -> Iterator[bytes]:
        known: dict[str, About] = {}
        encoder = Encoder(fleet, prefix, known.__getitem__)
        for reading, about in readings:
            known[reading.device] = about
            written, refused = encoder.rows(_block(reading))
            yield from (line.encode() for line in written)
            yield from (f"# left out: {what}: {why}".encode() for what, why in refused)

    return lines


def form_of(name: str, kinds: list[str], fleet: str) -> Form | None:
    """The form of that name; None for CSV of anything but one kind, since each has columns of its own."""
    if name == "csv":
        return csv_lines(KINDS[kinds[0]]) if len(kinds) == 1 else None
    return ndjson_lines if name == "ndjson" else line_protocol_lines(fleet, "memfleet_")


def _csv(cells: Iterable[Any]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue().encode()


def _block(reading: Reading) -> Rows:
    flags = sum(1 << FLAGS.index(flag) for flag in reading.flags)
    values = reading.values
    return Rows(
        reading.device, reading.boot, reading.kind, reading.names, flags, reading.resolution, reading.time_ms,
        reading.uptime_ms, tuple(values), [[0, 0, *values.values()]],
    )  # fmt: skip
