"""InfluxDB 2 answers InfluxQL only where a database is mapped to a bucket (DBRP): look for the mapping, make it.

The newer of them map a bucket to a database of its name by themselves, marked `virtual`. API:
https://docs.influxdata.com/influxdb/v2/api/v2/#tag/DBRPs
"""

from __future__ import annotations

import contextlib
from typing import Any

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from collector.config import StoreConfig
from telemetry.errors import EnvironmentFault
from telemetry.secrets import read_secret

_TIMEOUT_MS = 10_000


class Mappings:
    """The mappings of a store's InfluxDB 2, by the collector's own token."""

    def __init__(self, store: StoreConfig) -> None:
        self._store = store
        token = read_secret(store.token_file) if store.token_file else ""
        self._client: Any = InfluxDBClient(store.url.rstrip("/"), token, org=store.org, timeout=_TIMEOUT_MS)

    def missing(self) -> bool:
        """Whether no database of the bucket's name is mapped to it. EnvironmentFault when nobody will say."""
        found = self._call("GET", "/api/v2/dbrps", {"org": self._store.org, "db": self._store.bucket})
        return not found.get("content")

    def make(self) -> None:
        """Map the database of the bucket's name to it. EnvironmentFault when that is not allowed."""
        named = self._call("GET", "/api/v2/buckets", {"org": self._store.org, "name": self._store.bucket})
        buckets = named.get("buckets") or []
        if not buckets:
            raise EnvironmentFault(f"{self._store.url}: there is no bucket {self._store.bucket}", retry=False)
        mapping = {
            "bucketID": buckets[0]["id"],
            "database": self._store.bucket,
            "default": True,
            "org": self._store.org,
            "retention_policy": "autogen",
        }
        self._call("POST", "/api/v2/dbrps", {}, mapping)

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _call(self, method: str, path: str, query: dict[str, str], body: Any = None) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = self._client.api_client.call_api(
                path,
                method,
                query_params=list(query.items()),
                header_params={"Accept": "application/json", "Content-Type": "application/json"},
                body=body,
                response_type="object",
                _return_http_data_only=True,
            )
        except ApiException as error:
            if error.status in (401, 403):
                raise EnvironmentFault(f"{self._store.url}: {self._not_allowed()}", retry=False) from None
            reason = " ".join(str(error.body or error.reason).split())[:200]
            raise EnvironmentFault(f"{self._store.url}: {reason}", retry=True) from None
        except (HTTPError, OSError) as error:
            raise EnvironmentFault(f"{self._store.url}: InfluxDB cannot be reached: {error}", retry=True) from None
        return answer or {}

    def _not_allowed(self) -> str:
        bucket = self._store.bucket
        return (
            f"the collector's token may not see the mappings of bucket {bucket}; where there is none, make one: "
            f"influx v1 dbrp create --db {bucket} --rp autogen --default --bucket-id ..."
        )


def mappings_of(store: StoreConfig) -> contextlib.closing[Mappings]:
    """The mappings, closed at the end of a `with`."""
    return contextlib.closing(Mappings(store))
