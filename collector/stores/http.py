"""Requests through influxdb-client's transport, answers as values: no exception for what a server or network says."""

from __future__ import annotations

import gzip
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException
from influxdb_client.service.write_service import WriteService
from urllib3.exceptions import HTTPError, NewConnectionError

from collector.config import StoreConfig
from collector.stores.delivery import NO_ANSWER, Answer, retry_after
from telemetry.errors import EnvironmentFault

TIMEOUT_MS = (5_000, 30_000)
"""To connect, and to answer."""

_LINES = {"Content-Type": "text/plain; charset=utf-8", "Content-Encoding": "gzip"}
_GZIP_LEVEL = 1  # ten times as fast as the client's own 9, and as small on such text


class Connection:
    """A kept-alive connection to one server, logged in as the store's configuration says.

    API 1 takes user and password by basic authentication (the token scheme came with 1.8), API 3 a bearer token.
    """

    def __init__(self, config: StoreConfig, timeout_ms: tuple[int, int] = TIMEOUT_MS) -> None:
        self._config = config
        token: Any = None
        if config.username:
            token = f"{config.username}:{secret(config.password_file)}"
        elif config.token_file and config.api != 3:
            token = secret(config.token_file)
        timeout: Any = timeout_ms
        self._client: Any = InfluxDBClient(
            url=config.url.rstrip("/"),
            token=token,
            org=config.org or "-",
            timeout=timeout,
            auth_basic=bool(config.username),
        )
        self._writer: Any = WriteService(self._client.api_client)  # type: ignore[no-untyped-call]  # untyped there
        self._bearer = secret(config.token_file) if config.api == 3 else ""

    def post_lines(self, path: str, parameters: Sequence[tuple[str, str]], lines: bytes) -> Answer:
        """Write lines to a path with these query parameters."""
        login = {"Authorization": f"Bearer {self._bearer}"} if self._bearer else {}
        return self._asked(
            lambda: self._client.api_client.call_api(
                path,
                "POST",
                query_params=list(parameters),
                header_params={**_LINES, **login},
                body=_packed(lines),
                _return_http_data_only=True,
            )
        )

    def post_bucket(self, lines: bytes) -> Answer:
        """Write lines by API 2 to the configuration's bucket."""
        return self._asked(
            lambda: self._writer.post_write(
                org=self._config.org or "-",
                bucket=self._config.bucket,
                body=_packed(lines),
                precision="ms",
                content_type=_LINES["Content-Type"],
                content_encoding=_LINES["Content-Encoding"],
            )
        )

    def post_form(self, path: str, **fields: str) -> Answer:
        """Send a form."""
        return self._asked(
            lambda: self._client.api_client.call_api(
                path,
                "POST",
                post_params=list(fields.items()),
                header_params={"Content-Type": "application/x-www-form-urlencoded"},
                _return_http_data_only=True,
            )
        )

    def get(self, path: str) -> Answer:
        """Fetch a text."""
        return self._asked(
            lambda: self._client.api_client.call_api(
                path, "GET", header_params={"Accept": "text/plain"}, response_type="str", _return_http_data_only=True
            )
        )

    def _asked(self, request: Callable[[], Any]) -> Answer:
        try:
            result = request()
        except ApiException as error:
            headers: Any = error.headers or {}
            text = " ".join(str(error.body or error.reason or "").split())[:500]
            if not error.status:  # a certificate that does not hold, for example
                return Answer(NO_ANSWER, f"no answer from {self._config.url}: {text}")
            return Answer(int(error.status), text, retry_after(headers.get("Retry-After"), time.time()))
        except (HTTPError, OSError) as error:
            text = f"no answer from {self._config.url}: {_plain(error)}"
            return Answer(NO_ANSWER, text, refused=isinstance(error, NewConnectionError))
        return Answer(200, result if isinstance(result, str) else "")

    def close(self) -> None:
        """Let go of it."""
        self._client.close()


def secret(path: str) -> str:
    """The secret in a file, without the line break at its end; empty for no file."""
    if not path:
        return ""
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise EnvironmentFault(f"{path}: {error.strerror}", retry=False) from None


def _packed(lines: bytes) -> bytes:
    return gzip.compress(lines, _GZIP_LEVEL, mtime=0)


def _plain(error: Exception) -> str:
    """The sentence in urllib3's wrapped errors, without the names of its objects."""
    return re.sub(r"^.*?\): ", "", str(error)) or type(error).__name__
