"""docs/api.md names every route and metric there is."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from collector.stores.report import StoreReport
from collector.web.metrics import render
from collector.web.status import ProcessStatus
from tests.collector.web.conftest import Running

TEXT = (Path(__file__).parents[3] / "docs" / "api.md").read_text()


def test_routes(running: Running) -> None:
    paths = running.http.get("/api/v1/openapi.json").json()["paths"]
    served = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert set(re.findall(r"`((?:GET|POST) /api/v1/[^`]*)`", TEXT)) == served


def test_metrics() -> None:
    store = StoreReport("influx", "ok", "", "", 0, 0, {})
    counters = {"frames": 1, "quarantined_crc": 1, "quarantined_rows": 1}
    processes = [
        ProcessStatus("intake", "readings.journal", running=True, frames=1, counters=counters),
        ProcessStatus("store:influx", "store-influx.db", running=True, store=store, lag_frames={"readings": 1}),
    ]
    families = text_string_to_metric_families(render(processes, {"ok": 1}, {"info": 1}).decode())
    served = {f"{sample.name}{{{','.join(sorted(sample.labels))}}}" for family in families for sample in family.samples}
    assert set(re.findall(r"^\| `(memfleet_[^`]*)`", TEXT, re.M)) == served
