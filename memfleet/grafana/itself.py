"""The *memfleet itself* dashboard on InfluxDB: what reaches the store, and how the gateways are doing.

The collector's own counters stand at its `/metrics`: the PromQL set draws those.
"""

# ruff: noqa: S608 - these are texts for Grafana; nothing of a user's goes into them but the configured prefix
from __future__ import annotations

from typing import Any

from memfleet.grafana import panels
from memfleet.grafana.influxql import CHOSEN, by, every, fleet_variables
from memfleet.grafana.panels import Panel, target
from telemetry.readings import KINDS, MEMORY_KINDS

UID = "memfleet-itself"


def dashboard(prefix: str = "memfleet_", source: str = "memfleet") -> dict[str, Any]:
    """The dashboard as Grafana stores it; `prefix` as the collector's store has it, `source` the uid to begin with."""
    rows = [
        (9, [_stored(prefix)]),
        (8, [_gateways(prefix)]),
        (9, [_depth(prefix), _age(prefix)]),
        (9, [_evicted(prefix), _disk(prefix)]),
    ]
    return panels.dashboard((UID, "memfleet itself"), rows, fleet_variables(source))


def _stored(prefix: str) -> Panel:
    targets = [
        target(
            f'SELECT count("boot") FROM "{prefix}{kind}" WHERE {CHOSEN} GROUP BY time($__interval) fill(none)',
            alias=kind,
            ref=chr(ord("A") + number),
        )
        for number, kind in enumerate((*MEMORY_KINDS, "device", "event", "agent", "log"))
    ]
    return panels.time_series("Readings stored", "In each step, by kind.", targets, unit="short")


def _gateways(prefix: str) -> Panel:
    agent = KINDS["agent"]
    columns = ", ".join(f'last("{name}") AS "{name}"' for name in (*agent.numbers, *agent.texts))
    query = f'SELECT {columns} FROM "{prefix}agent" WHERE {CHOSEN} {by("device")}'
    text = "The newest word of each agent: what it has not delivered, what it had to drop, clock, disk and ports."
    units = {"oldest_age_ms": "ms", "disk_free": "bytes"}
    return panels.table("Gateways", text, [target(query, form="table")], units=units, order="-oldest_age_ms")


def _of_agents(prefix: str, title: str, text: str, field: str, unit: str) -> Panel:
    query = f'SELECT max("{field}") FROM "{prefix}agent" WHERE {CHOSEN} {every("device")}'
    return panels.time_series(title, text, [target(query, alias="$tag_device")], unit=unit)


def _depth(prefix: str) -> Panel:
    return _of_agents(prefix, "Outbox depth", "Frames that wait at each agent.", "outbox_depth", "short")


def _age(prefix: str) -> Panel:
    text = "Age of the oldest reading that the collector does not have yet: how far behind each agent is."
    return _of_agents(prefix, "Oldest reading waiting", text, "oldest_age_ms", "ms")


def _evicted(prefix: str) -> Panel:
    text = "Readings that an agent had to drop for want of room; each step up is a hole."
    return _of_agents(prefix, "Evicted", text, "evicted", "short")


def _disk(prefix: str) -> Panel:
    return _of_agents(prefix, "Disk free at agents", "Where the outbox stands.", "disk_free", "bytes")
