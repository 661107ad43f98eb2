"""What memfleet owns in a Grafana, and the writes that are missing to bring it about. A second run finds none.

Owned are one data source, one folder and the dashboards that carry memfleet's tag; nothing else is touched. A dashboard
carries a tag with its fingerprint, so one edited by hand is kept until a new version comes or `force` is given.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from memfleet.grafana.client import Grafana

FOLDER = "memfleet"
SOURCE = "memfleet"


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
class Change:
    """One write, and why it is needed."""

    why: str
    method: str
    path: str
    body: dict[str, Any]


def changes(
    grafana: Grafana, source: Source, dashboards: list[dict[str, Any]], *, force: bool = False
) -> Iterator[Change]:
    """The writes that are missing, in the order in which they have to be made. Only reads."""
    yield from _source(grafana, source.body(), force)
    if grafana.get(f"/folders/{FOLDER}") is None:
        yield Change(f"folder {FOLDER}: new", "POST", "/folders", {"title": FOLDER, "uid": FOLDER})
    for model in dashboards:
        yield from _dashboard(grafana, model, force)


def _source(grafana: Grafana, wanted: dict[str, Any], force: bool) -> Iterator[Change]:
    path = f"/datasources/uid/{SOURCE}"
    found = grafana.get(path)
    if found is None:
        yield Change(f"data source {SOURCE}: new", "POST", "/datasources", wanted)
        return
    different = sorted(_different(wanted, found))
    if different or force:
        yield Change(f"data source {SOURCE}: {', '.join(different) or 'written again'}", "PUT", path, wanted)


def _different(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    """Settings that Grafana holds otherwise. Secrets are never given back: it only says which it has."""
    for name, value in wanted.items():
        if name == "secureJsonData":
            held = found.get("secureJsonFields") or {}
            yield from (secret for secret in value if not held.get(secret))
        elif name == "jsonData":
            held = found.get(name) or {}
            yield from (option for option in value if held.get(option) != value[option])
        elif found.get(name, "") != value:
            yield name


def _dashboard(grafana: Grafana, model: dict[str, Any], force: bool) -> Iterator[Change]:
    stamp = f"memfleet-{fingerprint(model)}"
    found = grafana.get(f"/dashboards/uid/{model['uid']}")
    if found is not None and stamp in found["dashboard"].get("tags", []) and not force:
        return
    body = {
        "dashboard": {**model, "id": None, "tags": [*model["tags"], stamp]},
        "folderUid": FOLDER,
        "message": "memfleet grafana apply",
        "overwrite": True,
    }
    why = "new" if found is None else "written again" if force else "of another version"
    yield Change(f"dashboard {model['title']}: {why}", "POST", "/dashboards/db", body)


def fingerprint(model: dict[str, Any]) -> str:
    """Eight digits that change with the dashboard."""
    return hashlib.sha256(json.dumps(model, sort_keys=True).encode()).hexdigest()[:8]
