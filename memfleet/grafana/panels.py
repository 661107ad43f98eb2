"""Panels and targets of Grafana's classic dashboard model, as plain mappings. Pure; knows nothing of memfleet.

A target is raw InfluxQL, within what InfluxDB 1, 2 and 3 all understand, or PromQL. The data source is the variable
`$ds`, of the one kind or the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SCHEMA_VERSION = 39
"""Of Grafana 10; later ones raise it when they load a dashboard."""

LABEL = "memfleet"
"""The tag by which memfleet knows its own dashboards."""

WIDTH = 24
SOURCE = {"type": "influxdb", "uid": "${ds}"}
METRICS = {"type": "prometheus", "uid": "${ds}"}

Panel = dict[str, Any]


def target(query: str, *, alias: str = "", form: str = "time_series", ref: str = "A") -> dict[str, Any]:
    """One query of a panel; `form`: `time_series` or `table`."""
    return {
        "alias": alias,
        "datasource": SOURCE,
        "query": query,
        "rawQuery": True,
        "refId": ref,
        "resultFormat": form,
    }


def expression(text: str, *, legend: str = "", now: bool = False, ref: str = "A") -> dict[str, Any]:
    """One PromQL query of a panel; `now` asks for a table of the newest values instead of lines over time."""
    return {
        "datasource": METRICS,
        "expr": text,
        "format": "table" if now else "time_series",
        "instant": now,
        "legendFormat": legend,
        "range": not now,
        "refId": ref,
    }


def time_series(title: str, text: str, targets: Sequence[Mapping[str, Any]], *, unit: str) -> Panel:
    """Lines over time."""
    options = {
        "legend": {"calcs": ["lastNotNull"], "displayMode": "table", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "asc"},
    }
    defaults = {"custom": {"fillOpacity": 0, "lineWidth": 1, "showPoints": "never", "spanNulls": False}, "unit": unit}
    return _panel("timeseries", title, text, targets, options, defaults)


def stat(title: str, text: str, targets: Sequence[Mapping[str, Any]], *, calculation: str, field: str = "") -> Panel:
    """One number: `calculation` over all rows of the target, of the field that is named or of the numbers."""
    options = {
        "colorMode": "value",
        "graphMode": "none",
        "reduceOptions": {"calcs": [calculation], "fields": f"/^{field}$/" if field else "", "values": False},
        "textMode": "value",
    }
    return _panel("stat", title, text, targets, options, {"noValue": "0"}) | {"transformations": [_MERGE]}


def table(
    title: str, text: str, targets: Sequence[Mapping[str, Any]], *, units: Mapping[str, str], order: str = ""
) -> Panel:
    """Rows; `units` gives the unit of columns that have one, `order` the column to sort by (`-` first: descending)."""
    overrides = [
        {"matcher": {"id": "byName", "options": column}, "properties": [{"id": "unit", "value": unit}]}
        for column, unit in units.items()
    ]
    options: dict[str, Any] = {"showHeader": True}
    if order:
        options["sortBy"] = [{"desc": order.startswith("-"), "displayName": order.removeprefix("-")}]
    panel = _panel("table", title, text, targets, options, {})
    panel["fieldConfig"]["overrides"] = overrides
    panel["transformations"] = [_MERGE]
    return panel


_MERGE = {"id": "merge", "options": {}}


def _panel(
    kind: str, title: str, text: str, targets: Sequence[Any], options: Mapping[str, Any], defaults: Mapping[str, Any]
) -> Panel:
    return {
        "datasource": targets[0]["datasource"],
        "description": text,
        "fieldConfig": {"defaults": dict(defaults), "overrides": []},
        "options": dict(options),
        "targets": list(targets),
        "title": title,
        "type": kind,
    }


def laid_out(rows: Sequence[tuple[int, Sequence[Panel]]]) -> list[Panel]:
    """Panels with their places: each row is (height, panels), the panels of a row share its width."""
    placed: list[Panel] = []
    top = 0
    for height, panels in rows:
        width = WIDTH // len(panels)
        for index, panel in enumerate(panels):
            place = {"h": height, "w": width, "x": index * width, "y": top}
            placed.append({**panel, "gridPos": place, "id": len(placed) + 1})
        top += height
    return placed


def source_variable(default: str, kind: str = SOURCE["type"]) -> dict[str, Any]:
    """`$ds`: which of the data sources of that kind."""
    current = {"selected": False, "text": default, "value": default}
    return {"current": current, "label": "Source", "name": "ds", "query": kind, "type": "datasource"}


def choice(name: str, label: str, query: Any, *, source: Mapping[str, str] = SOURCE, several: bool = True) -> Panel:
    """A variable whose values a query gives: `several`, all of them at first, used as `=~ /^$name$/`; or just one."""
    variable: dict[str, Any] = {
        "datasource": dict(source),
        "definition": query if isinstance(query, str) else query["query"],
        "includeAll": several,
        "label": label,
        "multi": several,
        "name": name,
        "query": query,
        "refresh": 2,
        "sort": 1,
        "type": "query",
    }
    everything = {"allValue": ".*", "current": {"selected": True, "text": ["All"], "value": ["$__all"]}}
    return variable | (everything if several else {})


def dashboard(
    identity: tuple[str, str],
    rows: Sequence[tuple[int, Sequence[Panel]]],
    variables: Sequence[Mapping[str, Any]],
    annotations: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """A dashboard as Grafana stores it. `identity`: its uid and title; `rows` as `laid_out` takes them."""
    uid, title = identity
    return {
        "annotations": {"list": list(annotations)},
        "editable": True,
        "graphTooltip": 1,
        "links": [_LINK],
        "panels": laid_out(rows),
        "refresh": "30s",
        "schemaVersion": SCHEMA_VERSION,
        "tags": [LABEL],
        "templating": {"list": list(variables)},
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "title": title,
        "uid": uid,
    }


_LINK = {
    "asDropdown": True,
    "icon": "external link",
    "includeVars": True,
    "keepTime": True,
    "tags": [LABEL],
    "targetBlank": False,
    "title": "memfleet",
    "tooltip": "",
    "type": "dashboards",
    "url": "",
}
