"""Panels and targets of Grafana's classic dashboard model, as plain mappings. Pure; knows nothing of memfleet.

Queries are raw InfluxQL within what InfluxDB 1, 2 and 3 all understand. The data source is the variable `$ds`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SCHEMA_VERSION = 39
"""Of Grafana 10; later ones raise it when they load a dashboard."""

WIDTH = 24
SOURCE = {"type": "influxdb", "uid": "${ds}"}

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


def table(title: str, text: str, targets: Sequence[Mapping[str, Any]], *, units: Mapping[str, str]) -> Panel:
    """Rows; `units` gives the unit of columns that have one."""
    overrides = [
        {"matcher": {"id": "byName", "options": column}, "properties": [{"id": "unit", "value": unit}]}
        for column, unit in units.items()
    ]
    panel = _panel("table", title, text, targets, {"showHeader": True}, {})
    panel["fieldConfig"]["overrides"] = overrides
    panel["transformations"] = [_MERGE]
    return panel


_MERGE = {"id": "merge", "options": {}}


def _panel(
    kind: str, title: str, text: str, targets: Sequence[Any], options: Mapping[str, Any], defaults: Mapping[str, Any]
) -> Panel:
    return {
        "datasource": SOURCE,
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


def source_variable(default: str) -> dict[str, Any]:
    """`$ds`: which InfluxDB."""
    current = {"selected": False, "text": default, "value": default}
    return {"current": current, "label": "Source", "name": "ds", "query": "influxdb", "type": "datasource"}


def tag_variable(name: str, label: str, query: str) -> dict[str, Any]:
    """A variable of many values, all of them chosen at first; use it as `=~ /^$name$/`."""
    return {
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "datasource": SOURCE,
        "definition": query,
        "includeAll": True,
        "label": label,
        "multi": True,
        "name": name,
        "query": query,
        "refresh": 2,
        "sort": 1,
        "type": "query",
    }
