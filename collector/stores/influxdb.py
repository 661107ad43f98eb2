"""InfluxDB 1, 2 and 3 as stores. They differ in path, parameters and login; the lines are the same."""

from __future__ import annotations

from collections.abc import Sequence

from collector.config import StoreConfig
from collector.stores.delivery import Answer, Outcome, deliver
from collector.stores.http import Connection


class InfluxDB:
    """A database (API 1 and 3) or bucket (API 2). On API 1 the database is made when it is missing."""

    def __init__(self, config: StoreConfig) -> None:
        self.name = config.name
        self._config = config
        self._connection = Connection(config)

    def write(self, lines: Sequence[str]) -> Outcome:
        """Write a batch."""
        return deliver(self._send, lines)

    def life(self) -> str | None:
        """InfluxDB answers once the points are in its log: it forgets nothing."""
        return ""

    def warning(self) -> str:
        """Nothing to warn of."""
        return ""

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _send(self, lines: bytes) -> Answer:
        answer = self._post(lines)
        if answer.status == 404 and self._config.api == 1 and "database not found" in answer.text:
            made = self._create_database()
            if made.status != 200:
                return Answer(made.status or 404, f"{answer.text}, and it cannot be made: {made.text}")
            return self._post(lines)
        return answer

    def _post(self, lines: bytes) -> Answer:
        if self._config.api == 1:
            return self._connection.post_lines("/write", [("db", self._config.database), ("precision", "ms")], lines)
        if self._config.api == 2:
            return self._connection.post_bucket(lines)
        parameters = [("db", self._config.database), ("precision", "millisecond")]
        return self._connection.post_lines("/api/v3/write_lp", parameters, lines)

    def _create_database(self) -> Answer:
        name = self._config.database.replace("\\", "\\\\").replace('"', '\\"')
        return self._connection.post_form("/query", q=f'CREATE DATABASE "{name}"')
