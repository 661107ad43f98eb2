"""The dashboards in PromQL, on a real VictoriaMetrics."""

from __future__ import annotations

import json
import re

import pytest

from memfleet.grafana.sample import HOUR_MS
from tests.memfleet.grafana.seeded import ALL, METRICS, ask, panel_of
from tests.servers import VictoriaMetrics

METRICS_PANELS = [(uid, panel["title"]) for uid, model in METRICS.items() for panel in model["panels"]]


@pytest.mark.parametrize(("uid", "title"), METRICS_PANELS)
def test_every_promql_query_returns_samples(metrics: VictoriaMetrics, start_ms: int, uid: str, title: str) -> None:
    for target in panel_of(uid, title)["targets"]:
        assert ask(metrics, target["expr"], start_ms), target["expr"]


@pytest.mark.parametrize("uid", METRICS)
def test_every_mark_in_promql_has_samples_when_it_happened(metrics: VictoriaMetrics, start_ms: int, uid: str) -> None:
    for mark in METRICS[uid]["annotations"]["list"]:
        found = [ask(metrics, mark["expr"], start_ms - HOUR_MS + minute * 60_000) for minute in (0, 30)]
        assert any(found), mark["expr"]


@pytest.mark.parametrize("uid", METRICS)
def test_every_variable_in_promql_has_values(metrics: VictoriaMetrics, start_ms: int, uid: str) -> None:
    for variable in METRICS[uid]["templating"]["list"]:
        if variable["type"] == "query":
            selector, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"]).groups()
            asked = {"match[]": selector.replace("$fleet", "(lab)"), "start": str(start_ms // 1000)}
            assert json.loads(metrics.get(f"/api/v1/label/{label}/values", **asked))["data"]


def test_the_marks_are_the_same_in_both_languages() -> None:
    for name in ("fleet", "device"):
        influxql, promql = (
            {mark["name"] for mark in ALL[f"memfleet-{name}{end}"]["annotations"]["list"]} for end in ("", "-metrics")
        )
        assert influxql - {"Alerts"} == promql


def test_promql_finds_the_leak_and_the_silent_device(metrics: VictoriaMetrics, start_ms: int) -> None:
    def found(title: str) -> list[tuple[str, str]]:
        (target,) = panel_of("memfleet-fleet-metrics", title)["targets"]
        return [(row["metric"]["device"], row["value"][1]) for row in ask(metrics, target["expr"], start_ms)]

    assert found("Hours left") == [("esp-2", "9.5")]
    assert found("Leaks") == [("esp-2", "12000")]
    assert found("Silent devices") == [("zephyr-2", "1")]
    assert {device for device, _ in found("Verdicts")} == {"esp-2", "zephyr-2", "azure-2"}
