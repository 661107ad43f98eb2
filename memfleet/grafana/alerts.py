"""Alert rules for Grafana, off unless asked for. What devices do wrong the collector tells people itself; these watch
the collector, which cannot say that it is dead. Who hears of them is the affair of Grafana's own policies.

Format: https://grafana.com/docs/grafana/latest/alerting/set-up/provision-alerting-resources/http-api-provisioning/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from memfleet.grafana import panels

GROUP = "memfleet"
_EXPRESSION = {"type": "__expr__", "uid": "__expr__"}
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class _Watch:
    """A query whose newest value is held against a limit, as `gt` or `lt`, over the last `range_s` seconds."""

    name: str
    title: str
    text: str
    query: str
    limit: tuple[str, float]
    lasts: str
    range_s: int = 600
    nothing: str = "OK"
    """What the rule is when the query finds nothing."""


def rule_group(kind: str, prefix: str, source: str, folder: str) -> dict[str, Any]:
    """The rules for that kind of store; `source` and `folder` are uids."""
    watches = _promql(prefix) if kind == "victoriametrics" else _influxql(prefix)
    rules = [_rule(watch, kind, source, folder) for watch in watches]
    return {"folderUid": folder, "interval": 60, "rules": rules, "title": GROUP}


_SILENT = ("silent", "A collector says nothing", "Nothing of it has reached the store for ten minutes.")
_BEHIND = ("behind", "A collector falls behind", "It has not read for a minute what it took in.")
_HELD = ("held", "A store waits for somebody to act", "`memfleet doctor` says what is to be done.")


def _influxql(prefix: str) -> list[_Watch]:
    table = f'FROM "{prefix}collector" WHERE $timeFilter'
    told = f'SELECT count("file_bytes") {table} AND "process" = \'intake\' GROUP BY time(5m), "collector" fill(0)'
    behind = f'SELECT max("behind_ms") {table} GROUP BY "collector"'
    held = f'SELECT max("held") {table} GROUP BY "collector", "process"'
    return [
        _Watch(*_SILENT, told, ("lt", 1), "10m", _DAY_S, "Alerting"),
        _Watch(*_BEHIND, behind, ("gt", 60_000), "5m"),
        _Watch(*_HELD, held, ("gt", 0), "10m"),
    ]


def _promql(prefix: str) -> list[_Watch]:
    metric = f"{prefix}collector"
    return [
        _Watch(*_SILENT, f'lag({metric}_file_bytes{{process="intake"}}[1d])', ("gt", 600), "1m", nothing="Alerting"),
        _Watch(*_BEHIND, f"max by (collector) ({metric}_behind_ms)", ("gt", 60_000), "5m"),
        _Watch(*_HELD, f"max by (collector, process) ({metric}_held)", ("gt", 0), "10m"),
    ]


def _rule(watch: _Watch, kind: str, source: str, folder: str) -> dict[str, Any]:
    asked = panels.expression(watch.query, now=True) if kind == "victoriametrics" else panels.target(watch.query)
    asked["datasource"] = {"type": asked["datasource"]["type"], "uid": source}
    evaluator = {"params": [watch.limit[1]], "type": watch.limit[0]}
    newest = {"expression": "A", "reducer": "last", "refId": "B", "type": "reduce"}
    limit = {"conditions": [{"evaluator": evaluator}], "expression": "B", "refId": "C", "type": "threshold"}
    return {
        "annotations": {"summary": watch.text},
        "condition": "C",
        "data": [
            _asked("A", source, asked, watch.range_s),
            _asked("B", "__expr__", newest | {"datasource": _EXPRESSION}, watch.range_s),
            _asked("C", "__expr__", limit | {"datasource": _EXPRESSION}, watch.range_s),
        ],
        "execErrState": "KeepLast",
        "folderUID": folder,
        "for": watch.lasts,
        "labels": {},
        "noDataState": watch.nothing,
        "orgID": 1,
        "ruleGroup": GROUP,
        "title": watch.title,
        "uid": f"{GROUP}-{watch.name}",
    }


def _asked(ref: str, source: str, model: dict[str, Any], range_s: int) -> dict[str, Any]:
    times = {"from": range_s, "to": 0}
    return {"datasourceUid": source, "model": model, "queryType": "", "refId": ref, "relativeTimeRange": times}
