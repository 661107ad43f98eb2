"""What memfleet owns in a Grafana, and the writes that are missing to bring it about. A second run finds none.

Owned are one data source a kind of store, one folder, the dashboards that carry memfleet's tag and, where they are
asked for, the group of alert rules of its name in that folder; nothing else is touched. A dashboard carries a tag with
its fingerprint, which tells another version of it; one whose newest version somebody else saved was edited by hand and
is kept unless `force` is given.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from memfleet.grafana import promql
from memfleet.grafana.client import Grafana
from memfleet.grafana.panels import LABEL

FOLDER = "memfleet"
SOURCE = "memfleet"
METRICS_SOURCE = promql.SOURCE
MESSAGE = "memfleet grafana apply"
"""What Grafana's history of a dashboard says of our versions."""


@dataclass(frozen=True, slots=True)
class Source:
    """How Grafana reaches the collector's InfluxDB. `api` as in the collector's store; `secret`: token or password."""

    url: str
    database: str
    api: int = 1
    username: str = ""
    secret: str = field(default="", repr=False)

    def body(self) -> dict[str, Any]:
        """The data source as Grafana stores it; InfluxQL in all three cases."""
        options: dict[str, Any] = {
            "dbName": self.database,
            "httpMode": "POST",
            "maxSeries": 5000,
            "timeInterval": "10s",
        }
        secrets = {}
        if self.secret and self.api == 2:
            options["httpHeaderName1"] = "Authorization"
            secrets["httpHeaderValue1"] = f"Token {self.secret}"
        elif self.secret:
            secrets["password"] = self.secret
        user = self.username or ("memfleet" if self.api == 3 else "")  # API 3 wants some user and ignores which
        return {
            "access": "proxy",
            "jsonData": options,
            "name": SOURCE,
            "secureJsonData": secrets,
            "type": "influxdb",
            "uid": SOURCE,
            "url": self.url,
            "user": user,
        }


@dataclass(frozen=True, slots=True)
class Metrics:
    """How Grafana reaches the collector's VictoriaMetrics, as the Prometheus that it answers as."""

    url: str

    def body(self) -> dict[str, Any]:
        """The data source as Grafana stores it."""
        return {
            "access": "proxy",
            "jsonData": {"httpMode": "POST", "prometheusType": "Prometheus", "timeInterval": "10s"},
            "name": METRICS_SOURCE,
            "secureJsonData": {},
            "type": "prometheus",
            "uid": METRICS_SOURCE,
            "url": self.url,
            "user": "",
        }


@dataclass(frozen=True, slots=True)
class Change:
    """One write and why it is needed, with what differs, line by line; or, `kept`, one that is not to be made."""

    why: str
    method: str
    path: str
    body: dict[str, Any]
    difference: tuple[str, ...] = ()
    kept: bool = False


def changes(
    grafana: Grafana,
    source: Source | Metrics,
    dashboards: list[dict[str, Any]],
    alerts: dict[str, Any] | None = None,
    *,
    force: bool = False,
) -> Iterator[Change]:
    """The writes that are missing, in the order in which they have to be made. Only reads. `alerts`: rules to have."""
    yield from _source(grafana, source.body(), force)
    if grafana.get(f"/folders/{FOLDER}") is None:
        yield Change(f"folder {FOLDER}: new", "POST", "/folders", {"title": FOLDER, "uid": FOLDER})
    for model in dashboards:
        yield from _dashboard(grafana, model, force)
    if alerts is not None:
        yield from _alerts(grafana, alerts, force)


def _alerts(grafana: Grafana, group: dict[str, Any], force: bool) -> Iterator[Change]:
    """The rules carry the fingerprint as a label: Grafana fills in what a rule leaves out, so that says nothing."""
    stamp = fingerprint(group)
    rules = [{**rule, "labels": {**rule["labels"], LABEL: stamp}} for rule in group["rules"]]
    path = f"/v1/provisioning/folder/{group['folderUid']}/rule-groups/{group['title']}"
    found = grafana.get(path)
    held = sorted(rule.get("labels", {}).get(LABEL, "") for rule in found["rules"]) if found else None
    if force or held != [stamp] * len(rules):
        why = "new" if not found else "written again" if force else "of another version"
        yield Change(f"alert rules {group['title']}: {why}", "PUT", path, {**group, "rules": rules})


def _source(grafana: Grafana, wanted: dict[str, Any], force: bool) -> Iterator[Change]:
    name = f"data source {wanted['name']}"
    path = f"/datasources/uid/{wanted['uid']}"
    found = grafana.get(path)
    if found is None:
        yield Change(f"{name}: new", "POST", "/datasources", wanted)
        return
    different = sorted(_different(wanted, found))
    if different or force:
        said = tuple(line for _, line in different if line)
        names = ", ".join(setting for setting, _ in different)
        yield Change(f"{name}: {names or 'written again'}", "PUT", path, wanted, said)


def _different(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Settings that Grafana holds otherwise, each with a line that says how. Secrets are never given back: it only
    says which it has."""
    for name, value in wanted.items():
        held = found.get(name)
        if name == "secureJsonData":
            has = found.get("secureJsonFields") or {}
            yield from ((secret, "") for secret in value if not has.get(secret))
        elif name == "jsonData":
            options = held or {}
            for option in value:
                if options.get(option) != value[option]:
                    yield option, f"{option}: {options.get(option)!r} -> {value[option]!r}"
        elif (held or "") != value:
            yield name, f"{name}: {held!r} -> {value!r}"


def _dashboard(grafana: Grafana, model: dict[str, Any], force: bool) -> Iterator[Change]:
    stamp = f"{LABEL}-{fingerprint(model)}"
    wanted = {**model, "id": None, "tags": [*model["tags"], stamp]}
    body = {"dashboard": wanted, "folderUid": FOLDER, "message": MESSAGE, "overwrite": True}
    name, call = f"dashboard {model['title']}", ("POST", "/dashboards/db", body)
    answer = grafana.get(f"/dashboards/uid/{model['uid']}")
    if answer is None:
        yield Change(f"{name}: new", *call)
        return
    found = answer["dashboard"]
    tags = found.get("tags") or []
    if LABEL not in tags:
        yield Change(f"{name}: has lost the tag {LABEL}, so it is somebody else's now", *call, kept=True)
        return
    difference = tuple(_difference(found, wanted))
    if force:
        yield Change(f"{name}: written again", *call, difference)
    elif by_hand := _edited_by(grafana, model["uid"]):
        yield Change(f"{name}: edited by hand, {by_hand}; --force writes over it", *call, difference, kept=True)
    elif stamp not in tags:
        yield Change(f"{name}: of another version", *call, difference)


def _edited_by(grafana: Grafana, uid: str) -> str:
    """Who saved the newest version of a dashboard and why, empty when it was us. What it holds says nothing: Grafana
    itself brings an older model up to date when it is read."""
    answer: Any = grafana.get(f"/dashboards/uid/{uid}/versions?limit=1") or {}
    versions = answer.get("versions", []) if isinstance(answer, dict) else answer  # a list before Grafana 11
    if not versions or versions[0].get("message") == MESSAGE:
        return ""
    newest = versions[0]
    return " ".join(f"version {newest.get('version')} by {newest.get('createdBy')} {newest.get('message', '')}".split())


def _difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    """What a write would change, as lines with - and +; what Grafana counts by itself is left out."""
    before, after = (
        json.dumps({k: v for k, v in model.items() if k not in _GRAFANAS}, indent=1, sort_keys=True).splitlines()
        for model in (found, wanted)
    )
    lines = difflib.unified_diff(before, after, n=0, lineterm="")
    return (line for line in lines if not line.startswith(("---", "+++", "@@")))


_GRAFANAS = ("id", "version", "schemaVersion", "iteration")


def fingerprint(model: dict[str, Any]) -> str:
    """Eight digits that change with the dashboard."""
    return hashlib.sha256(json.dumps(model, sort_keys=True).encode()).hexdigest()[:8]
