"""One InfluxDB and one VictoriaMetrics with the same hour of a made-up fleet, for all tests of queries."""

from __future__ import annotations

import time
import urllib.parse
from collections.abc import Iterator

import pytest

from memfleet.grafana.sample import HOUR_MS, lines
from tests.memfleet.grafana.seeded import Seeded, post
from tests.servers import VictoriaMetrics, influxd, victoria_metrics


@pytest.fixture(scope="package")
def start_ms() -> int:
    return time.time_ns() // 1_000_000 - HOUR_MS


@pytest.fixture(scope="package")
def seeded(tmp_path_factory: pytest.TempPathFactory, start_ms: int) -> Iterator[Seeded]:
    with influxd(tmp_path_factory.mktemp("grafana")) as server:
        post(server, "/query?" + urllib.parse.urlencode({"q": "CREATE DATABASE memfleet"}), "")
        post(server, "/write?db=memfleet&precision=ms", "\n".join(lines(start_ms, "lab", "memfleet_")))
        yield Seeded(server, start_ms)


@pytest.fixture(scope="package")
def metrics(tmp_path_factory: pytest.TempPathFactory, start_ms: int) -> Iterator[VictoriaMetrics]:
    """VictoriaMetrics with the same hour."""
    with victoria_metrics(tmp_path_factory.mktemp("grafana")) as server:
        post(server, "/write?precision=ms", "\n".join(lines(start_ms, "lab", "memfleet_", numbers_only=True)))
        yield server
