"""Dashboards and alert rules fit the schema that Grafana publishes."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from memfleet.grafana.alerts import rule_group
from memfleet.grafana.sets import SETS
from tests.memfleet.grafana.published import faults, faults_of_rules
from tests.memfleet.grafana.seeded import ALL


@pytest.mark.parametrize("uid", ALL)
def test_every_dashboard_fits_grafanas_published_schema(uid: str) -> None:
    assert faults(ALL[uid]) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("pannels",), []),
        (("graphTooltip",), 7),
        (("panels", 0, "gridPos", "w"), "wide"),
        (("panels", 0, "options", "reduceOptions", "calcs"), "last"),
        (("panels", -1, "options", "sort"), []),
        (("panels", 0, "fieldConfig", "defaults", "noValue"), 0),
        (("panels", 9, "fieldConfig", "defaults", "custom", "showPoints"), "sometimes"),
        (("templating", "list", 0, "type"), "source"),
        (("links", 0), {"title": "memfleet"}),
    ],
)
def test_what_does_not_fit_the_schema_is_found(path: tuple[Any, ...], value: Any) -> None:
    model = copy.deepcopy(ALL["memfleet-fleet"])
    place: Any = model
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert faults(model)


@pytest.mark.parametrize("kind", SETS)
def test_alert_rules_fit_the_published_schema(kind: str) -> None:
    group = rule_group(kind, "memfleet_", "memfleet", "memfleet")
    assert faults_of_rules(group) == []
    group["rules"][0]["noDataState"] = "Quiet"
    assert faults_of_rules(group)
