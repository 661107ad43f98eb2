"""VictoriaMetrics, single node, as a store: it takes line protocol, and keeps numbers alone.

Its 204 says "in memory": what it accepted in the last seconds is gone when it dies. So the runner keeps what it wrote
until it has settled, and writes it again to a new life of the server. It stores what is written twice twice, unless
`-dedup.minScrapeInterval=1ms` is set: that is checked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from collector.config import StoreConfig
from collector.stores.delivery import Answer, Outcome, deliver
from collector.stores.http import Connection

_START = re.compile(r"^vm_app_start_timestamp (\S+)$", re.MULTILINE).search
_DEDUP = re.compile(r'^-dedup\.minScrapeInterval="?([^"\n]*)"?$', re.MULTILINE).search
_ADVICE = "start it with -dedup.minScrapeInterval=1ms, else what is written again after an outage is counted twice"


class VictoriaMetrics:
    """A VictoriaMetrics server; `api` 2 writes to /api/v2/write, 1 to /write. Keep to one: labels differ."""

    def __init__(self, config: StoreConfig) -> None:
        self.name = config.name
        self._config = config
        self._connection = Connection(config)
        origin = "/".join(config.url.split("/")[:3])  # of a cluster, too, whose writes go below a tenant's path
        self._about = Connection(msgspec.structs.replace(config, url=origin))

    def write(self, lines: Sequence[str]) -> Outcome:
        """Write a batch."""
        return deliver(self._send, lines)

    def life(self) -> str | None:
        """When the server started, as it says."""
        found = _START(self._about.get("/metrics").text)
        return found[1] if found else None

    def warning(self) -> str:
        """What is wrong with its deduplication."""
        answer = self._about.get("/flags")
        if answer.status != 200:
            return ""  # out of reach: the writes say so
        found = _DEDUP(answer.text)
        value = found[1] if found else "0s"
        return "" if value == "1ms" else f"deduplication is set to {value}: {_ADVICE}"

    def close(self) -> None:
        """Let go of the connections."""
        self._connection.close()
        self._about.close()

    def _send(self, lines: bytes) -> Answer:
        if self._config.api == 2:
            return self._connection.post_bucket(lines)
        return self._connection.post_lines("/write", [("db", self._config.database), ("precision", "ms")], lines)
