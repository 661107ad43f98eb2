"""A client of a collector's HTTP API, for the commands that list and act."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from memfleet.options import DEFAULT_URL, JsonOption, TokenOption, UrlOption
from telemetry.errors import EnvironmentFault, UsageError

__all__ = ["DEFAULT_URL", "Client", "JsonOption", "TokenOption", "UrlOption"]

_PAGE = 1_000
_LONG_S = 600
_NO_STEPS = ("", ".", "..")
"""Names that whoever reads an address takes for a way, not for a name."""


class Client:
    """Calls with one clear sentence for each way in which they can go wrong."""

    def __init__(self, url: str, token_file: Path | None = None, environment: Mapping[str, str] = os.environ) -> None:
        self._url = url.rstrip("/")
        token = _token(token_file, environment)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with self._reaching():
            self._http = httpx.Client(base_url=self._url, headers=headers, timeout=30, follow_redirects=False)

    def get(self, path: str, **query: Any) -> Any:
        """The answer of GET /api/v1/PATH; a query value of None is left out."""
        return self._call("GET", path, params={name: value for name, value in query.items() if value is not None})

    def of_device(self, name: str, part: str = "") -> Any:
        """What is known of a device, or a part of it. UsageError for a name that an address cannot hold, too."""
        if name in _NO_STEPS:
            raise UsageError(f"{name!r} is no device's name; 'memfleet devices' lists them")
        return self.get(f"devices/{quote(name, safe='')}{part}")

    def get_all(self, path: str, key: str, **query: Any) -> list[Any]:
        """All items of a list that is answered in parts."""
        items: list[Any] = []
        while True:
            answer = self.get(path, limit=_PAGE, offset=len(items), **query)
            items += answer[key]
            if not answer[key] or len(items) >= answer["total"]:
                return items

    def must_know(self, name: str) -> None:
        """UsageError when nobody heard of a device or an agent of that name: "nothing is wrong" would be read as an
        all-clear of another one."""
        try:
            self.of_device(name)
        except UsageError:
            if name not in {one["agent"] for one in self.get("agents")["agents"]}:
                raise

    def get_bytes(self, path: str) -> bytes:
        """The body of GET /api/v1/PATH as it is."""
        return self._answer("GET", path).content

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The answer of POST /api/v1/PATH."""
        return self._call("POST", path, json=body)

    @contextlib.contextmanager
    def lines(self, path: str, **query: Any) -> Iterator[Iterator[bytes]]:
        """The lines of a long answer of GET /api/v1/PATH, as they come; EnvironmentFault when it breaks off."""
        asked = {name: value for name, value in query.items() if value is not None}
        with self._reaching(), self._http.stream("GET", f"/api/v1/{path}", params=asked, timeout=_LONG_S) as answer:
            if not answer.is_success:
                answer.read()
                raise _fault(self._url, answer)
            yield _split(answer.iter_bytes())

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        answer = self._answer(method, path, **arguments)
        try:
            return answer.json()
        except ValueError:
            raise EnvironmentFault(
                f"{self._url} is not a collector's page: it does not answer JSON", retry=False
            ) from None

    def _answer(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        with self._reaching():
            answer = self._http.request(method, f"/api/v1/{path}", **arguments)
        if answer.is_success:
            return answer
        raise _fault(self._url, answer)

    @contextlib.contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise UsageError(f"--url {self._url} is not an address; it looks like {DEFAULT_URL}") from None
        except httpx.RemoteProtocolError as error:
            raise EnvironmentFault(f"{self._url} broke off its answer: {error}", retry=True) from None
        except httpx.HTTPError as error:
            raise EnvironmentFault(
                f"no collector answers at {self._url} ({_why(error)}); start one with 'memfleet collect' or "
                "'memfleet demo', or name another with --url",
                retry=True,
            ) from None


def _split(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Lines as JSON means them: texts may hold what Python takes for the end of a line."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
    if rest:
        yield rest


def _fault(url: str, answer: httpx.Response) -> EnvironmentFault | UsageError:
    try:
        sentence = str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return EnvironmentFault(f"{url} is not a collector's page: status {answer.status_code}", retry=False)
    if answer.status_code == 401:
        advice = "set MEMFLEET_TOKEN or give --token-file"
        given = "authorization" in answer.request.headers
        return UsageError(f"{url} wants {'another' if given else 'a'} token: {advice}")
    if answer.status_code in (400, 403, 404):
        return UsageError(sentence)
    return EnvironmentFault(sentence, retry=answer.status_code == 503)


def _token(file: Path | None, environment: Mapping[str, str]) -> str:
    if file is None:
        return environment.get("MEMFLEET_TOKEN", "")
    try:
        return file.read_text().strip()
    except OSError as error:
        raise UsageError(f"--token-file {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"--token-file {file}: is no text (UTF-8)") from None


def _why(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "no answer within 30 s"
    return str(error).split("] ")[-1].lower() or type(error).__name__
