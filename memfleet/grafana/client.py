"""Grafana's HTTP API through grafana-api's transport: its traps end here, its data source and folder calls are not
used, since they go by numeric ids and names, which Grafana 13 no longer answers to."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import requests
from grafana_api.grafana_api import GrafanaAPI, GrafanaClientError, GrafanaException

from telemetry.errors import EnvironmentFault, UsageError

_HEADERS = {"X-Disable-Provenance": "true"}
"""Alert rules that are written stay open to edits in the browser, as dashboards are."""


class Grafana:
    """One Grafana server; `url` as a browser has it, with the path that it is served under if any."""

    def __init__(self, url: str, token: str, *, ca_file: str = "", timeout_s: float = 10.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"{url}: give Grafana's address as http://host:3000 or https://host/path")
        self.url = url.rstrip("/")
        path = parts.path.strip("/")
        self._api = GrafanaAPI(
            token,
            host=parts.netloc.rpartition("@")[2],
            url_path_prefix=f"{path}/" if path else "",  # without the slash it would be glued to "api"
            protocol=parts.scheme,
            verify=ca_file or True,
            timeout=timeout_s,
        )

    def get(self, path: str) -> dict[str, Any] | None:
        """What stands at that path; None when nothing does."""
        return self._asked("GET", path, None)

    def send(self, method: str, path: str, body: dict[str, Any]) -> None:
        """POST or PUT; EnvironmentFault says what Grafana has against it."""
        if self._asked(method, path, body) is None:
            raise EnvironmentFault(f"{self.url}: Grafana knows no {method} {path}; is it older than 9?", retry=False)

    def _asked(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any] | None:
        try:
            answer: dict[str, Any] = getattr(self._api, method)(path, json=body, headers=_HEADERS)
            return answer
        except requests.exceptions.JSONDecodeError:  # a success without a body
            return {}
        except GrafanaException as error:
            if error.status_code == 404:
                return None
            raise self._fault(error) from None
        except TypeError:  # the transport stumbles over an error page that is no JSON
            raise EnvironmentFault(
                f"{self.url}: what answers there is not Grafana, or a broken one", retry=True
            ) from None
        except requests.RequestException as error:
            reason = str(error.__cause__ or error)[:200]
            raise EnvironmentFault(f"{self.url}: Grafana cannot be reached: {reason}", retry=True) from None

    def _fault(self, error: GrafanaException) -> EnvironmentFault:
        if error.status_code in (401, 403):
            advice = "the token is refused; it needs a service account with the role Admin"
            return EnvironmentFault(f"{self.url}: {advice}", retry=False)
        retry = not isinstance(error, GrafanaClientError)
        return EnvironmentFault(f"{self.url}: Grafana says: {error.message}", retry=retry)
