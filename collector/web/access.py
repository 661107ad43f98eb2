"""Who may read and who may act. Loopback without tokens is open; any other address wants tokens.

A token comes as `Authorization: Bearer ...`, as the cookie that the page keeps, or once as `?token=...`, which sets the
cookie. A browser's request from another site is refused whatever it carries.
"""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass
from enum import IntEnum
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from collector.config import Page
from telemetry.errors import ConfigError

COOKIE = "memfleet_token"
OPEN_PATHS = ("/healthz", "/readyz")
_LOOPBACK_NAMES = {"localhost", "127.0.0.1", "[::1]"}
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

# Everything the page needs comes from this server: a browser is told to load nothing from elsewhere.
_HEADERS = {
    "content-security-policy": "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Role(IntEnum):
    """What a caller may do; each includes the ones before."""

    NOBODY = 0
    READER = 1
    OPERATOR = 2


@dataclass(frozen=True, slots=True)
class Access:
    """The tokens in force; an empty one is not configured. `loopback`: no other machine can reach us."""

    read_token: str
    operator_token: str
    loopback: bool

    def role(self, token: str) -> Role:
        """What the bearer of this token (empty: none) may do."""
        if self.operator_token and _equal(token, self.operator_token):
            return Role.OPERATOR
        if self.read_token and _equal(token, self.read_token):
            return Role.READER
        if self.read_token or not self.loopback:
            return Role.NOBODY
        return Role.READER if self.operator_token else Role.OPERATOR

    def host_is_ours(self, host: str) -> bool:
        """Whether a Host header may stand: an open loopback answers to its own names only (DNS rebinding)."""
        if self.read_token or not self.loopback:
            return True
        name = host if host.endswith("]") else host.rsplit(":", 1)[0] if ":" in host else host
        return name.lower() in _LOOPBACK_NAMES


def load_access(page: Page) -> Access:
    """Read the token files that a configuration names; ConfigError lists what is missing."""
    faults: list[str] = []
    reading = read_token("page.read_token_file", page.read_token_file, faults)
    operating = read_token("page.operator_token_file", page.operator_token_file, faults)
    loopback = is_loopback(page.host)
    if not loopback and not page.read_token_file:
        faults.append(
            f"page.read_token_file: missing; {page.host} can be reached from other machines, so put a long random "
            "text into a file and name it here (or set page.host to 127.0.0.1)"
        )
    if faults:
        raise ConfigError("settings", faults)
    return Access(reading, operating, loopback)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach that address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_token(setting: str, file: str, faults: list[str]) -> str:
    """The token in the file that a setting names, empty where it names none; adds to `faults` what is wrong with it."""
    if not file:
        return ""
    try:
        token = Path(file).read_text().strip()
    except OSError as error:
        faults.append(f"{setting}: {file} cannot be read: {error.strerror}")
        return ""
    if not token:
        faults.append(f"{setting}: {file} is empty; it should hold one line with the token")
    return token


def _equal(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


class Guard:
    """ASGI middleware in front of API, page and their web socket."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through with its role in `state.role`, or answer it here."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        answer = self._answer(HTTPConnection(scope), scope)
        if answer is None:
            await self._app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await answer(scope, receive, _with_headers(send))

    def _answer(self, connection: HTTPConnection, scope: Scope) -> Response | None:
        host = connection.headers.get("host", "")
        method = scope.get("method", "WEBSOCKET")
        path = scope["path"]
        if not self._access.host_is_ours(host):
            return _refusal(403, f"this page answers to localhost and 127.0.0.1, not to {host[:80]!r}")
        if method not in _SAFE_METHODS and not _same_origin(connection.headers.get("origin"), host):
            return _refusal(403, "requests from other sites are refused")
        if path in OPEN_PATHS:
            return None
        once = connection.query_params.get("token")
        if once and method == "GET" and self._access.role(once) > Role.NOBODY:
            return _keep_token(scope, once)
        token = _token_of(connection)
        role = self._access.role(token)
        scope.setdefault("state", {})["role"] = role
        if role is Role.NOBODY:
            return _wants_token(path, given=bool(token or once))
        if method not in _SAFE_METHODS and path.startswith("/api/") and role < Role.OPERATOR:
            return _refusal(403, "this wants the operator token (page.operator_token_file)")
        return None


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(_HEADERS)
        await send(message)

    return send_with_headers


def _same_origin(origin: str | None, host: str) -> bool:
    """Programs send no Origin; a browser sends the page's own, or that of the site that abuses it."""
    return origin is None or urlsplit(origin).netloc.lower() == host.lower()


def _token_of(connection: HTTPConnection) -> str:
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    try:
        cookie = SimpleCookie(connection.headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return cookie.value if cookie else ""


def _keep_token(scope: Scope, token: str) -> Response:
    """Send the browser to the same address without the token, which goes into a cookie: not into history or logs."""
    query = [(name, value) for name, value in parse_qsl(scope["query_string"].decode()) if name != "token"]
    path = "/" + scope["path"].lstrip("/")  # two slashes would name another host
    answer = RedirectResponse(path + (f"?{urlencode(query)}" if query else ""), 303)
    answer.set_cookie(
        COOKIE, token, max_age=30 * 86400, httponly=True, samesite="strict", secure=scope.get("scheme") == "https"
    )
    return answer


def _wants_token(path: str, *, given: bool) -> Response:
    sentence = "this wants another token" if given else "this wants a token: send it as 'Authorization: Bearer ...'"
    if path.startswith("/api/") or path == "/metrics":
        return JSONResponse({"error": sentence}, 401, {"WWW-Authenticate": "Bearer"})
    return HTMLResponse(_ASK_PAGE.replace("WRONG", "<p>That token is not the right one.</p>" if given else ""), 401)


def _refusal(status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, status)


_ASK_PAGE = """<!doctype html><html lang="en"><title>memfleet</title>
<meta name="viewport" content="width=device-width"><style>
body{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1rem;color-scheme:light dark}
input,button{font:inherit;padding:.5rem .75rem}</style>
<main><h1>memfleet</h1><p>This page wants a token. Whoever runs the collector can give you one.</p>
WRONG<form method="get"><label for="token">Token</label><br>
<input id="token" name="token" type="password" autocomplete="current-password" required>
<button>Open</button></form></main></html>"""
