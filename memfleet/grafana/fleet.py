"""The *Fleet* dashboard: who is alive, who is worst off and for how long yet, what fires, and the curves behind it."""

# ruff: noqa: S608 - these are texts for Grafana; nothing of a user's goes into them but the configured prefix
from __future__ import annotations

from typing import Any

from memfleet.grafana import panels
from memfleet.grafana.influxql import (
    ANY_TIME,
    CHOSEN,
    THINGS,
    by,
    every,
    fleet_variables,
    incidents_as_annotations,
    last_states,
)
from memfleet.grafana.itself import gateways
from memfleet.grafana.panels import Panel, target
from telemetry.readings import KINDS, MEMORY_KINDS, MT3620_LIMIT

UID = "memfleet-fleet"

_TELLING = "|".join((*MEMORY_KINDS, "device"))


def dashboard(prefix: str = "memfleet_", source: str = "memfleet") -> dict[str, Any]:
    """The dashboard as Grafana stores it; `prefix` as the collector's store has it, `source` the uid to begin with."""
    rows = [
        (4, [_alive(prefix), _by_severity(prefix), _lowest_number(prefix), _fullest_number(prefix)]),
        (8, [_worst(prefix)]),
        (8, [_alerts(prefix), _silent(prefix)]),
        (8, [_lowest(prefix), _fullest(prefix)]),
        (9, [_free(prefix), _largest(prefix)]),
        (9, [_process(prefix), _stacks(prefix)]),
        (8, [_firmware(prefix), _holes(prefix)]),
        (8, [gateways(prefix)]),
        (8, [_events(prefix)]),
    ]
    return panels.dashboard((UID, "Fleet"), rows, fleet_variables(source), [incidents_as_annotations(prefix)])


def _alive(prefix: str) -> Panel:
    query = f'SELECT last("boot") AS "boot" FROM /^{prefix}({_TELLING})$/ WHERE {CHOSEN} GROUP BY "device"'
    text = "Devices that said anything in the chosen time."
    return panels.stat(
        "Devices alive", text, [target(query, form="table")], calculation="distinctCount", field="device"
    )


def _by_severity(prefix: str) -> Panel:
    firing = f'SELECT max("state") AS "worst" FROM ({last_states(prefix)}) WHERE "state" = 1 {by("device", "severity")}'
    query = f'SELECT count("worst") AS "devices" FROM ({firing}) GROUP BY "severity"'
    text = "Devices with a verdict that still holds, by its severity."
    panel = panels.stat("Devices in trouble", text, [target(query, alias="$tag_severity")], calculation="lastNotNull")
    panel["options"]["textMode"] = "value_and_name"
    del panel["transformations"]
    return panel


def _lowest_number(prefix: str) -> Panel:
    query = f'SELECT min("free") AS "free" FROM ({_last_free(prefix)})'
    panel = panels.stat("Lowest free heap", "Of all heaps, now.", [target(query)], calculation="lastNotNull")
    panel["fieldConfig"]["defaults"]["unit"] = "bytes"
    return panel


def _fullest_number(prefix: str) -> Panel:
    query = f'SELECT max("full") AS "full" FROM ({_last_full(prefix)})'
    text = "User-mode memory of the limit of 256 KiB, at which the MT3620 kills an application."
    panel = panels.stat("Fullest MT3620", text, [target(query)], calculation="lastNotNull")
    panel["fieldConfig"]["defaults"]["unit"] = "percent"
    return panel


def _worst(prefix: str) -> Panel:
    numbers = ("leak_hours_left", "leak_rate")
    query = (
        f'SELECT "leak_hours_left" AS "hours left", "leak_rate" AS "bytes/hour", "reason" '
        f'FROM ({last_states(prefix, *numbers)}) WHERE "state" = 1 AND "leak_rate" > 0 '
        f"{by('device', 'rule', 'firmware', *THINGS)}"
    )
    text = "What leaks, at which rate, and in how many hours its memory ends: the first one first."
    units = {"bytes/hour": "bytes", "hours left": "h"}
    return panels.table("Leaks", text, [target(query, form="table")], units=units, order="hours left")


def _alerts(prefix: str) -> Panel:
    query = (
        f'SELECT "state", "reason" FROM ({last_states(prefix)}) WHERE "state" = 1 '
        'GROUP BY "device", "severity", "rule", "kind", "heap", "thread"'
    )
    text = "Leaks, thin stacks and other verdicts that still hold, of the last 90 days whatever the chosen time."
    return panels.table("Verdicts", text, [target(query, form="table")], units={})


def _silent(prefix: str) -> Panel:
    query = (
        f'SELECT "state", "reason" FROM ({last_states(prefix, "silent_s")}) WHERE "state" = 1 AND "silent_s" >= 0 '
        f"{by('device', 'rule')}"
    )
    return panels.table("Silent devices", "Devices that nobody hears.", [target(query, form="table")], units={})


def _lowest(prefix: str) -> Panel:
    query = f'SELECT bottom("free", "device", "heap", 10) AS "free" FROM ({_last_free(prefix)})'
    text = "The ten heaps with the least free memory now."
    return panels.table(
        "Heaps with the least free memory", text, [target(query, form="table")], units={"free": "bytes"}
    )


def _fullest(prefix: str) -> Panel:
    query = f'SELECT top("full", "device", 10) AS "full" FROM ({_last_full(prefix)})'
    text = "The ten MT3620 devices whose user-mode memory is nearest to 256 KiB."
    return panels.table("Fullest MT3620 user memory", text, [target(query, form="table")], units={"full": "percent"})


def _free(prefix: str) -> Panel:
    query = f'SELECT min("free") FROM "{prefix}heap" WHERE {CHOSEN} {every("device", "heap")}'
    text = "Least free memory in each step."
    return panels.time_series("Heap free", text, [target(query, alias="$tag_device $tag_heap")], unit="bytes")


def _largest(prefix: str) -> Panel:
    query = f'SELECT min("largest_free") FROM "{prefix}heap" WHERE {CHOSEN} {every("device", "heap")}'
    text = "No allocation above this succeeds. Falling while free memory stays: fragmentation."
    return panels.time_series("Largest free block", text, [target(query, alias="$tag_device $tag_heap")], unit="bytes")


def _process(prefix: str) -> Panel:
    targets = [
        target(
            f'SELECT max("{field}") FROM "{prefix}process" WHERE {CHOSEN} {every("device")}',
            alias=f"$tag_device {field}",
            ref=ref,
        )
        for ref, field in zip("ABC", ("total", "user_mode", "peak_user_mode"), strict=True)
    ]
    return panels.time_series("MT3620 memory", "Total, user mode and its peak.", targets, unit="bytes")


def _stacks(prefix: str) -> Panel:
    query = f'SELECT min("min_free") FROM "{prefix}stack" WHERE {CHOSEN} {every("device", "thread")}'
    text = "What was never used of each stack."
    return panels.time_series("Stack never used", text, [target(query, alias="$tag_device $tag_thread")], unit="bytes")


def _firmware(prefix: str) -> Panel:
    last = f'SELECT last("boot") AS "boot" FROM "{prefix}device" WHERE {ANY_TIME} {by("device", "firmware")}'
    query = f'SELECT count("boot") AS "devices" FROM ({last}) GROUP BY "firmware"'
    text = "Devices that have run each firmware in the last 90 days."
    return panels.table("Firmware", text, [target(query, form="table")], units={}, order="-devices")


def _holes(prefix: str) -> Panel:
    gaps = (
        f'SELECT elapsed("boot", 1s) AS "gap" FROM /^{prefix}({"|".join(MEMORY_KINDS)})$/ WHERE {CHOSEN} '
        f"{by('device', *THINGS)}"
    )
    query = f'SELECT max("gap") AS "gap" FROM ({gaps}) GROUP BY "device"'
    text = "The longest time without a reading, within the chosen time."
    return panels.table("Holes", text, [target(query, form="table")], units={"gap": "s"}, order="-gap")


def _events(prefix: str) -> Panel:
    event = KINDS["event"]
    columns = ", ".join(f'"{name}"' for name in ("device", *event.tags, "size", "caller", "code", "reason", "text"))
    query = f'SELECT {columns} FROM "{prefix}event" WHERE {CHOSEN} ORDER BY time DESC LIMIT 200'
    text = "Failed allocations, kills, panics, resets."
    return panels.table("Events", text, [target(query, form="table")], units={"size": "bytes"})


def _last_free(prefix: str) -> str:
    return f'SELECT last("free") AS "free" FROM "{prefix}heap" WHERE {CHOSEN} GROUP BY "device", "heap"'


def _last_full(prefix: str) -> str:
    share = f'last("user_mode") * 100.0 / {MT3620_LIMIT}.0 AS "full"'
    return f'SELECT {share} FROM "{prefix}process" WHERE {CHOSEN} AND "platform" = \'mt3620\' GROUP BY "device"'
