"""What the InfluxQL dashboards have in common: how a query is narrowed, grouped, and what still fires. Pure texts."""

# ruff: noqa: S608 - these are texts for Grafana; nothing of a user's goes into them but the configured prefix
from __future__ import annotations

from typing import Any

from memfleet.grafana import panels
from telemetry.readings import KINDS, MEMORY_KINDS

CHOSEN = '"fleet" =~ /^$fleet$/ AND "device" =~ /^$device$/ AND $timeFilter'

LONG_AGO = "time > now() - 90d"
"""Verdicts and boots are written when they happen, so an old one may still hold: the chosen time is no bound."""

ANY_TIME = CHOSEN.replace("$timeFilter", LONG_AGO)

THINGS = tuple(sorted({tag for kind in MEMORY_KINDS for tag in KINDS[kind].tags}))
"""Tags that name a thing on a device: heap, pool, task, thread."""


def by(*tags: str) -> str:
    """GROUP BY these tags."""
    return f"GROUP BY {', '.join(map(quoted, tags))}"


def every(*tags: str) -> str:
    """GROUP BY the step that the panel's width asks for and these tags; a step without readings stays empty."""
    return f"GROUP BY time($__interval), {', '.join(map(quoted, tags))} fill(none)"


def quoted(name: str) -> str:
    """A name as InfluxQL writes it."""
    return f'"{name}"'


def last_states(prefix: str, *numbers: str) -> str:
    """The newest verdict on each thing: its state (1: it fires), its sentence, and these numbers of it."""
    fields = ", ".join(map(quoted, ("reason", *numbers)))
    tags = by("device", "severity", "rule", "kind", "firmware", *THINGS)
    return f'SELECT last("state") AS "state", {fields} FROM "{prefix}verdict" WHERE {ANY_TIME} {tags}'


def fleet_variables(source: str, *, one_device: bool = False) -> list[dict[str, Any]]:
    """Source, fleet and device: all devices, or `one_device`."""
    devices = 'SHOW TAG VALUES WITH KEY = "device" WHERE "fleet" =~ /^$fleet$/'
    return [
        panels.source_variable(source),
        panels.choice("fleet", "Fleet", 'SHOW TAG VALUES WITH KEY = "fleet"'),
        panels.choice("device", "Device", devices, several=not one_device),
    ]


def annotation(name: str, color: str, query: str, text: str, tags: str, *, end: str = "") -> dict[str, Any]:
    """Marks on every curve: where the query's rows are, with the column `text` as their words; up to the time in the
    column `end`, ms, where it has one. The query stands in a target: without one, Grafana's InfluxDB asks nothing.
    """
    target = {
        "fromAnnotations": True,
        "limit": 100,
        "matchAny": False,
        "name": name,
        "query": query,
        "queryType": "tags",
        "refId": "annotation",
        "tags": [],
        "tagsColumn": tags,
        "textColumn": text,
        "timeEndColumn": end,
        "titleColumn": "",
        "type": "tags",
    }
    return {"datasource": panels.SOURCE, "enable": True, "iconColor": color, "name": name, "target": target}


def incidents_as_annotations(prefix: str) -> dict[str, Any]:
    """From the beginning of an incident to its end; one mark, on however many devices it is."""
    query = f'SELECT "reason", "rule", "severity", "devices", "end_ms" FROM "{prefix}incident" WHERE {CHOSEN}'
    return annotation("Incidents", "red", query, "reason", "rule,severity,devices", end="end_ms")


def alerts_as_annotations(prefix: str) -> dict[str, Any]:
    """Where an alert began."""
    query = f'SELECT "reason", "device", "rule" FROM "{prefix}verdict" WHERE {CHOSEN} AND "state" = 1'
    return annotation("Alerts", "red", query, "reason", "device,rule")
