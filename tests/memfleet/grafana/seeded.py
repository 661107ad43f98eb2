"""What the tests of dashboards share: the dashboards, and servers that are asked as Grafana asks them."""

from __future__ import annotations

import re
import urllib.request
from typing import Any

from memfleet.grafana.sample import HOUR_MS
from memfleet.grafana.sets import SETS
from tests.servers import InfluxDB, Server, VictoriaMetrics

ALL = {model["uid"]: model for make in SETS.values() for model in make()}
INFLUXQL = {model["uid"]: model for model in SETS["influxdb"]()}
METRICS = {model["uid"]: model for model in SETS["victoriametrics"]()}
QUERIES_OF = "(azure|esp|zephyr|gateway)-[12]"


def panel_of(uid: str, title: str) -> dict[str, Any]:
    (found,) = [panel for panel in ALL[uid]["panels"] if panel["title"] == title]
    return found


class Seeded:
    """A real InfluxDB with an hour of a fleet, asked as Grafana asks it."""

    def __init__(self, server: InfluxDB, start_ms: int) -> None:
        self._server = server
        self._range = f"time >= {start_ms}ms and time <= {start_ms + HOUR_MS}ms"

    def rows(self, query: str, device: str = ".*") -> list[dict[str, Any]]:
        for variable, value in {
            "$timeFilter": self._range, "$__interval": "10m", "$fleet": "(lab)", "$device": device, "$firmware": ".*",
        }.items():  # fmt: skip
            query = query.replace(variable, value)
        assert not re.search(r"\$[a-z_{]", query), query
        return self._server.query(query, "memfleet")

    def panel(self, title: str, uid: str = "memfleet-fleet") -> list[list[dict[str, Any]]]:
        return [self.rows(target["query"]) for target in panel_of(uid, title)["targets"]]


def ask(metrics: VictoriaMetrics, query: str, start_ms: int) -> list[dict[str, Any]]:
    """An answer at the end of the hour that starts then."""
    for variable, value in {
        "$fleet": "(lab)", "$device": QUERIES_OF, "$__interval": "2h", "$__range": "1h", "$__rate_interval": "10m",
    }.items():  # fmt: skip
        query = query.replace(variable, value)
    assert not re.search(r"\$[a-z_{]", query), query
    return metrics.promql(query, start_ms + HOUR_MS)


def post(server: Server, path: str, body: str) -> None:
    request = urllib.request.Request(server.url + path, data=body.encode())
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status in (200, 204)
