"""Asking a store as Grafana would: variables filled in, each query of each panel sent. InfluxDB 1, 2, 3 and PromQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from collector.config import StoreConfig
from memfleet.grafana.sample import HOUR_MS
from memfleet.grafana.sets import SETS
from telemetry.errors import EnvironmentFault
from telemetry.secrets import read_secret

_TIMEOUT_S = 30.0


class Asking:
    """A connection that reads what the collector has written to a store."""

    def __init__(self, store: StoreConfig, start_ms: int, fleet: str) -> None:
        self._store = store
        self._end_ms = start_ms + HOUR_MS
        self._texts = {
            "$timeFilter": f"time >= {start_ms}ms and time <= {self._end_ms}ms",
            "$__rate_interval": "10m",
            "$__interval": "2h" if store.kind == "victoriametrics" else "10m",
            "$__range": "1h",
            "$fleet": f"({fleet})",
            "$device": ".*",
            "$firmware": ".*",
        }
        self.http = httpx.Client(
            base_url=store.url.rstrip("/"), headers=_login(store), auth=_user(store), timeout=_TIMEOUT_S
        )

    def found(self, query: str) -> int:
        """How many series or rows a panel's query answers. EnvironmentFault when the server will not say."""
        for variable, value in self._texts.items():
            query = query.replace(variable, value)
        if self._store.kind == "victoriametrics":
            at = f"{self._end_ms / 1000:.3f}"
            answer = self.get("/api/v1/query", {"query": query, "time": at, "nocache": "1"})
            return len(answer["data"]["result"])
        database = self._store.bucket if self._store.api == 2 else self._store.database
        answer = self.get("/query", {"db": database, "q": query, "epoch": "ms"})
        if error := answer["results"][0].get("error"):
            raise EnvironmentFault(str(error), retry=False)
        return sum(len(series.get("values", ())) for series in answer["results"][0].get("series", ()))

    def get(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        """JSON at a path; EnvironmentFault when there is none."""
        try:
            answer = self.http.get(path, params=query)
            if answer.is_success:
                found: dict[str, Any] = answer.json()
                return found
        except (httpx.HTTPError, ValueError) as error:
            raise EnvironmentFault(f"{self._store.url}{path}: {error}", retry=True) from None
        raise EnvironmentFault(
            f"{self._store.url}{path}: {answer.status_code} {answer.text[:200].strip()}", retry=False
        )

    def close(self) -> None:
        """Let go of the connection."""
        self.http.close()


def panel_queries(kind: str, prefix: str) -> Iterator[tuple[str, str]]:
    """Every query of every dashboard for that kind of store, with the dashboard's and the panel's titles."""
    for model in SETS[kind](prefix):
        for panel in model["panels"]:
            for target in panel["targets"]:
                yield f"{model['title']}: {panel['title']}", target.get("query") or target["expr"]


def _login(store: StoreConfig) -> dict[str, str]:
    if store.username or not store.token_file:
        return {}
    return {"Authorization": f"{'Bearer' if store.api == 3 else 'Token'} {read_secret(store.token_file)}"}


def _user(store: StoreConfig) -> tuple[str, str] | None:
    return (store.username, read_secret(store.password_file) if store.password_file else "") if store.username else None
