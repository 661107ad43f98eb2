"""The *Device* dashboard: everything that is read of one device, over the time line of its boots and new peaks."""

# ruff: noqa: S608 - these are texts for Grafana; nothing of a user's goes into them but the configured prefix
from __future__ import annotations

from typing import Any

from memfleet.grafana import panels
from memfleet.grafana.influxql import CHOSEN, alerts_as_annotations, annotation, every, fleet_variables
from memfleet.grafana.panels import Panel, target

UID = "memfleet-device"


def dashboard(prefix: str = "memfleet_", source: str = "memfleet") -> dict[str, Any]:
    """The dashboard as Grafana stores it; `prefix` as the collector's store has it, `source` the uid to begin with."""
    rows = [
        (9, [_process(prefix)]),
        (9, [_heaps(prefix), _fragmentation(prefix)]),
        (9, [_tasks(prefix), _stacks(prefix)]),
        (9, [_pools(prefix), _uptime(prefix)]),
        (8, [_boots(prefix), _events(prefix)]),
        (9, [_log(prefix)]),
    ]
    marks = [alerts_as_annotations(prefix), _new_peaks(prefix), _boot_marks(prefix)]
    return panels.dashboard((UID, "Device"), rows, fleet_variables(source, one_device=True), marks)


def _lines(prefix: str, kind: str, fields: tuple[str, ...], tags: tuple[str, ...], step: str) -> list[dict[str, Any]]:
    """One target a field: `step` (min, max, mean) of each step, one line for each value of the tags."""
    names = " ".join(f"$tag_{tag}" for tag in tags)
    return [
        target(
            f'SELECT {step}("{field}") FROM "{prefix}{kind}" WHERE {CHOSEN} {every("device", *tags)}',
            alias=f"{names} {field}".strip(),
            ref=chr(ord("A") + number),
        )
        for number, field in enumerate(fields)
    ]


def _process(prefix: str) -> Panel:
    targets = _lines(prefix, "process", ("total", "user_mode", "peak_user_mode"), (), "max")
    text = "Azure Sphere: total, user mode and its peak, as the profiler draws them; new peaks are marked."
    return panels.time_series("Process memory", text, targets, unit="bytes")


def _heaps(prefix: str) -> Panel:
    targets = _lines(prefix, "heap", ("free", "min_free", "largest_free"), ("heap",), "min")
    text = "Free, the least ever free, and the largest block that can still be had."
    return panels.time_series("Heaps", text, targets, unit="bytes")


def _fragmentation(prefix: str) -> Panel:
    query = (
        f'SELECT 100 - 100 * last("largest_free") / last("free") FROM "{prefix}heap" '
        f"WHERE {CHOSEN} {every('device', 'heap')}"
    )
    text = "The part of the free memory that lies outside of the largest block."
    return panels.time_series("Fragmentation", text, [target(query, alias="$tag_heap")], unit="percent")


def _tasks(prefix: str) -> Panel:
    targets = _lines(prefix, "task", ("current",), ("task", "heap"), "max")
    text = "What each task holds. A line that goes on after its task was deleted is memory that nobody will free."
    return panels.time_series("Tasks", text, targets, unit="bytes")


def _stacks(prefix: str) -> Panel:
    targets = _lines(prefix, "stack", ("min_free",), ("thread",), "min")
    return panels.time_series("Stacks", "What was never used of each stack.", targets, unit="bytes")


def _pools(prefix: str) -> Panel:
    targets = _lines(prefix, "pool", ("used", "max_used"), ("pool",), "max")
    return panels.time_series("Pools", "Memory pools, slabs and script engines.", targets, unit="bytes")


def _uptime(prefix: str) -> Panel:
    query = (
        f'SELECT max("uptime") FROM /^{prefix}(process|heap|task|stack|pool|device)$/ WHERE {CHOSEN} {every("device")}'
    )
    return panels.time_series("Uptime", "Each fall is a boot.", [target(query, alias="uptime")], unit="ms")


def _boots(prefix: str) -> Panel:
    columns = '"boot", "reset_reason", "firmware", "board"'
    query = f'SELECT {columns} FROM "{prefix}device" WHERE {CHOSEN} ORDER BY time DESC LIMIT 100'
    return panels.table("Boots and resets", "Newest first.", [target(query, form="table")], units={})


def _events(prefix: str) -> Panel:
    columns = '"type", "size", "caller", "code", "reason", "text"'
    query = f'SELECT {columns} FROM "{prefix}event" WHERE {CHOSEN} ORDER BY time DESC LIMIT 200'
    text = "Failed allocations, kills, panics, new peaks."
    return panels.table("Events", text, [target(query, form="table")], units={"size": "bytes"})


def _log(prefix: str) -> Panel:
    query = f'SELECT "level", "module", "text" FROM "{prefix}log" WHERE {CHOSEN} ORDER BY time DESC LIMIT 500'
    text = "Warnings and worse, and everything around an incident."
    return panels.table("Log", text, [target(query, form="table")], units={})


def _new_peaks(prefix: str) -> dict[str, Any]:
    query = f'SELECT "size", "device", "type" FROM "{prefix}event" WHERE {CHOSEN} AND "type" = \'new_peak\''
    return annotation("New peaks", "purple", query, "type", "device")


def _boot_marks(prefix: str) -> dict[str, Any]:
    query = f'SELECT "reset_reason", "device" FROM "{prefix}device" WHERE {CHOSEN}'
    return annotation("Boots", "blue", query, "reset_reason", "device")
