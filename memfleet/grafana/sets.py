"""Which dashboards there are for which kind of store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from memfleet.grafana import device, firmware, fleet, itself, promql


def influxql(prefix: str = "memfleet_", source: str = "memfleet") -> list[dict[str, Any]]:
    """The dashboards for InfluxDB 1, 2 and 3."""
    return [module.dashboard(prefix, source) for module in (fleet, device, firmware, itself)]


SETS: Mapping[str, Callable[..., list[dict[str, Any]]]] = {"influxdb": influxql, "victoriametrics": promql.dashboards}
"""By the kind of store; each takes the store's prefix and the data source's uid."""
