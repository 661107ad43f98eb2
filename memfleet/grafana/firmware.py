"""The *Firmware* dashboard: the releases of a fleet side by side, by what the judge and the devices said of each."""

# ruff: noqa: S608 - these are texts for Grafana; nothing of a user's goes into them but the configured prefix
from __future__ import annotations

from typing import Any

from memfleet.grafana import panels
from memfleet.grafana.influxql import ANY_TIME, CHOSEN, alerts_as_annotations, by, every, fleet_variables, last_states
from memfleet.grafana.panels import Panel, target
from telemetry.readings import FAILURES

UID = "memfleet-firmware"


def dashboard(prefix: str = "memfleet_", source: str = "memfleet") -> dict[str, Any]:
    """The dashboard as Grafana stores it; `prefix` as the collector's store has it, `source` the uid to begin with."""
    rows = [
        (8, [_devices(prefix), _verdicts(prefix)]),
        (9, [_leaks(prefix), _failures(prefix)]),
        (9, [_boots(prefix), _events(prefix)]),
    ]
    variables = [
        *fleet_variables(source),
        panels.choice("firmware", "Firmware", 'SHOW TAG VALUES WITH KEY = "firmware" WHERE "fleet" =~ /^$fleet$/'),
    ]
    return panels.dashboard((UID, "Firmware comparison"), rows, variables, [alerts_as_annotations(prefix)])


_OF_FIRMWARE = '"firmware" =~ /^$firmware$/'


def _devices(prefix: str) -> Panel:
    last = f'SELECT last("boot") AS "boot" FROM "{prefix}device" WHERE {ANY_TIME} AND {_OF_FIRMWARE} '
    query = f'SELECT count("boot") AS "devices" FROM ({last}{by("device", "firmware")}) GROUP BY "firmware"'
    text = "Devices that have run each firmware in the last 90 days."
    return panels.table("Devices", text, [target(query, form="table")], units={}, order="-devices")


def _verdicts(prefix: str) -> Panel:
    query = (
        f'SELECT count("state") AS "firing", mean("leak_rate") AS "mean bytes/hour", '
        f'min("leak_hours_left") AS "least hours left" FROM ({last_states(prefix, "leak_rate", "leak_hours_left")}) '
        f'WHERE "state" = 1 AND {_OF_FIRMWARE} {by("firmware", "rule")}'
    )
    text = "Verdicts that still hold on devices of each firmware. `memfleet compare` says what is chance."
    units = {"mean bytes/hour": "bytes", "least hours left": "h"}
    return panels.table("Verdicts by firmware", text, [target(query, form="table")], units=units, order="-firing")


def _leaks(prefix: str) -> Panel:
    query = f'SELECT max("leak_rate") FROM "{prefix}verdict" WHERE {CHOSEN} AND {_OF_FIRMWARE} {every("firmware")}'
    text = "The fastest leak that was told of each firmware, bytes an hour."
    return panels.time_series("Fastest leak", text, [target(query, alias="$tag_firmware")], unit="bytes")


def _failures(prefix: str) -> Panel:
    query = (
        f'SELECT count("boot") FROM "{prefix}event" WHERE {CHOSEN} AND {_OF_FIRMWARE} '
        f'AND "type" =~ /^({"|".join(sorted(FAILURES))})$/ {every("firmware", "type")}'
    )
    text = "Failed allocations, kills, panics and corrupt heaps in each step."
    return panels.time_series("Failures", text, [target(query, alias="$tag_firmware $tag_type")], unit="short")


def _boots(prefix: str) -> Panel:
    query = f'SELECT count("boot") FROM "{prefix}device" WHERE {CHOSEN} AND {_OF_FIRMWARE} {every("firmware")}'
    return panels.time_series("Boots", "In each step.", [target(query, alias="$tag_firmware")], unit="short")


def _events(prefix: str) -> Panel:
    query = (
        f'SELECT count("boot") AS "events" FROM "{prefix}event" WHERE {CHOSEN} AND {_OF_FIRMWARE} '
        f"{by('firmware', 'type')}"
    )
    text = "Events of the chosen time, by firmware and type."
    return panels.table("Events by firmware", text, [target(query, form="table")], units={}, order="-events")
