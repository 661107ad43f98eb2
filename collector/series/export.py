"""Every reading of some devices over a span of time: series by series, oldest first.

Rolled-up hours are left out: they are no readings any more.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from collector.devices import read_abouts
from collector.series.boots import firmware_of_boots
from collector.series.schema import BODY_KINDS, fields
from telemetry.readings import FLAGS, KINDS, About, Reading

_json = msgspec.json.decode


def export(
    db: sqlite3.Connection, span_ms: tuple[int, int], devices: Sequence[str] = (), kinds: Sequence[str] = ()
) -> Iterator[tuple[Reading, About]]:
    """Readings from start to end (wall ms, both included), each with its device; of all devices and kinds where none
    is named. A reading stands beside the firmware of its boot; else a device is called what is known of it now."""
    abouts, ran = read_abouts(db), firmware_of_boots(db)
    for id_, device, kind, names in db.execute("SELECT id, device, kind, names FROM series ORDER BY device, id"):
        if (devices and device not in devices) or (kinds and kind not in kinds):
            continue
        about = abouts.get(device) or About(device, 0)
        of_boot = {boot: _with_firmware(about, boot, firmware) for boot, firmware in ran.get(device, {}).items()}
        for reading in _readings(db, id_, (device, kind, tuple(_json(names))), span_ms):
            yield reading, of_boot.get(reading.boot, about)


def _with_firmware(about: About, boot: int, firmware: str) -> About:
    if about.texts.get("firmware", "") == firmware:
        return about
    return About(about.device, boot, {**about.texts, "firmware": firmware}, about.limits)


def _readings(
    db: sqlite3.Connection, series: int, of: tuple[str, str, tuple[str, ...]], span_ms: tuple[int, int]
) -> Iterator[Reading]:
    device, kind, names = of
    own = fields(KINDS[kind])
    found = db.execute(
        f"SELECT t, boot, uptime, flags, resolution, {', '.join(own)} FROM {kind} "  # noqa: S608 - names of ours
        "WHERE series = ? AND t BETWEEN ? AND ? ORDER BY t",
        (series, *span_ms),
    )
    for t, boot, uptime, bits, resolution, *cells in found:
        flags = tuple(flag for bit, flag in enumerate(FLAGS) if bits >> bit & 1)
        yield Reading(device, kind, names, t, _values(kind, own, cells, uptime), boot, uptime, flags, resolution)


def _values(kind: str, own: Sequence[str], cells: Sequence[Any], uptime: int | None) -> Mapping[str, Any]:
    if kind in BODY_KINDS:
        values: Mapping[str, Any] = _json(cells[0])
        return values
    known = {name: cell for name, cell in zip(own, cells, strict=True) if cell is not None}
    return known | {"uptime": uptime} if kind == "device" and uptime is not None else known
