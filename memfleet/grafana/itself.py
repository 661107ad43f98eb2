"""The *memfleet itself* dashboard on InfluxDB: how collectors and gateways are doing, and what reaches the store."""

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
        (9, [_ingested(prefix), _stored(prefix)]),
        (9, [_journals(prefix), _lag(prefix)]),
        (9, [_refused(prefix), _pending(prefix)]),
        (8, [gateways(prefix)]),
        (9, [_depth(prefix), _age(prefix)]),
        (9, [_evicted(prefix), _disk(prefix)]),
    ]
    return panels.dashboard((UID, "memfleet itself"), rows, fleet_variables(source))


_OF_FLEET = '"fleet" =~ /^$fleet$/ AND $timeFilter'


def _ingested(prefix: str) -> Panel:
    query = (
        f'SELECT non_negative_derivative(max("accepted_rows"), 1s) FROM "{prefix}collector" '
        f"WHERE {_OF_FLEET} AND \"process\" = 'intake' {every('collector')}"
    )
    text = "Readings that each collector took in, a second."
    return panels.time_series("Ingest rate", text, [target(query, alias="$tag_collector")], unit="short")


def _of_processes(prefix: str, title: str, text: str, field: str, unit: str) -> Panel:
    query = f'SELECT max("{field}") FROM "{prefix}collector" WHERE {_OF_FLEET} {every("collector", "process")}'
    return panels.time_series(title, text, [target(query, alias="$tag_collector $tag_process")], unit=unit)


def _journals(prefix: str) -> Panel:
    text = "Frames held in the journal that each process writes."
    return _of_processes(prefix, "Journal depth", text, "journal_frames", "short")


def _lag(prefix: str) -> Panel:
    text = "Age of the oldest reading that each process has not read yet."
    return _of_processes(prefix, "Lag", text, "behind_ms", "ms")


def _pending(prefix: str) -> Panel:
    text = "Rows that each store has not taken for good yet."
    return _of_processes(prefix, "Waiting for stores", text, "pending_rows", "short")


def _refused(prefix: str) -> Panel:
    query = f'SELECT max("rows") FROM "{prefix}quarantine" WHERE {_OF_FLEET} {every("collector", "reason")}'
    text = "Rows in quarantine, by reason. `memfleet quarantine` shows them."
    return panels.time_series("Refused", text, [target(query, alias="$tag_collector $tag_reason")], unit="short")


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


def gateways(prefix: str) -> Panel:
    """The newest word of each agent; the *Fleet* dashboard has it, too."""
    agent = KINDS["agent"]
    columns = ", ".join(f'last("{name}") AS "{name}"' for name in (*agent.numbers, *agent.texts))
    query = f'SELECT {columns} FROM "{prefix}agent" WHERE {CHOSEN} {by("device")}'
    text = "The newest word of each agent: what it has not delivered, what it had to drop, clock, disk and ports."
    units = {"oldest_age_ms": "ms", "disk_free": "bytes"}
    return panels.table("Gateways", text, [target(query, form="table")], units=units, order="-oldest_age_ms")


def _of_agents(prefix: str, title: str, text: str, field: str, unit: str, worst: str = "max") -> Panel:
    query = f'SELECT {worst}("{field}") FROM "{prefix}agent" WHERE {CHOSEN} {every("device")}'
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
    return _of_agents(prefix, "Disk free at agents", "Where the outbox stands.", "disk_free", "bytes", "min")
