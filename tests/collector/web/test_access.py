"""Who may read and act: the rules by themselves, and on a page that really runs with tokens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from collector.config import Page
from collector.web.access import Access, Role, is_loopback, load_access
from telemetry.clock import wall_ms
from telemetry.errors import ConfigError
from tests.collector.web.conftest import Running
from tests.collector.web.server import client_of, page_process


@pytest.mark.parametrize(
    ("access", "token", "role"),
    [
        (Access("", "", True), "", Role.OPERATOR),
        (Access("r", "", True), "", Role.NOBODY),
        (Access("r", "", True), "r", Role.READER),
        (Access("r", "o", True), "o", Role.OPERATOR),
        (Access("r", "o", True), "x", Role.NOBODY),
        (Access("", "o", True), "", Role.READER),
        (Access("", "o", True), "o", Role.OPERATOR),
        (Access("r", "o", False), "", Role.NOBODY),
        (Access("", "o", False), "", Role.NOBODY),
        (Access("", "", False), "", Role.NOBODY),
    ],
)
def test_role(access: Access, token: str, role: Role) -> None:
    assert access.role(token) is role


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "fleet.example"])
def test_an_address_that_others_reach_wants_a_token(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(ConfigError, match=r"page\.read_token_file: missing"):
        load_access(Page(host=host))


def test_a_token_file_has_to_hold_one(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text("\n")
    with pytest.raises(ConfigError) as caught:
        load_access(Page(read_token_file=str(empty), operator_token_file=str(tmp_path / "missing")))
    assert len(caught.value.faults) == 2


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    directory = tmp_path_factory.mktemp("guarded")
    (directory / "read").write_text("reader-token\n")
    (directory / "act").write_text("operator-token\n")
    page = {
        "port": 0,
        "host": "0.0.0.0",
        "read_token_file": str(directory / "read"),
        "operator_token_file": str(directory / "act"),
    }
    with page_process(directory, {"page": page}) as address, client_of(address) as http:
        yield http


@pytest.mark.parametrize("path", ["/", "/alerts", "/metrics", "/api/v1/status", "/_nicegui_ws/socket.io/?EIO=4"])
def test_nothing_without_a_token(guarded: httpx.Client, path: str) -> None:
    assert guarded.get(path).status_code == 401


def test_health_needs_none(guarded: httpx.Client) -> None:
    assert guarded.get("/healthz").status_code == 200
    assert guarded.get("/readyz").status_code == 503  # nothing runs in an empty directory


def test_a_reader_reads_and_an_operator_acts(guarded: httpx.Client) -> None:
    reader = {"Authorization": "Bearer reader-token"}
    operator = {"Authorization": "Bearer operator-token"}
    wish = {"pattern": "a|b", "until_ms": wall_ms() + 60_000}
    assert guarded.get("/api/v1/status", headers=reader).status_code == 200
    refused = guarded.post("/api/v1/silences", json=wish, headers=reader)
    assert refused.status_code == 403
    assert "operator token" in refused.json()["error"]
    assert guarded.post("/api/v1/silences", json=wish, headers=operator).status_code == 202


def test_a_token_in_the_address_becomes_a_cookie(guarded: httpx.Client) -> None:
    answer = guarded.get("/alerts", params={"token": "reader-token", "x": "1"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/alerts?x=1"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert guarded.get("/alerts", headers={"cookie": cookie.split(";")[0]}).status_code == 200
    guarded.cookies.clear()
    asked = guarded.get("/alerts", params={"token": "wrong"})
    assert (asked.status_code, "That token is not the right one." in asked.text) == (401, True)
    assert "not the right one" not in guarded.get("/alerts").text
    refused = guarded.get("/api/v1/devices", headers={"Authorization": "Bearer wrong"})
    assert refused.json() == {"error": "this wants another token"}


def test_a_token_never_sends_a_browser_elsewhere(guarded: httpx.Client) -> None:
    answer = guarded.get(f"{guarded.base_url}//elsewhere.example/", params={"token": "reader-token"})
    guarded.cookies.clear()
    assert answer.request.url.raw_path.startswith(b"//elsewhere.example/")
    assert answer.headers["location"] == "/elsewhere.example/"


def test_other_sites_cannot_act_or_listen(running: Running) -> None:
    wish = {"key": "a|b"}
    foreign = running.http.post("/api/v1/alerts/acknowledge", json=wish, headers={"origin": "https://evil.example"})
    assert foreign.status_code == 403
    upgrade = {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "MDEyMzQ1Njc4OWFiY2RlZg==",
        "origin": "https://evil.example",
    }
    path = "/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
    assert running.http.get(path, headers=upgrade).status_code == 403


def test_an_open_page_answers_to_its_own_names_only(running: Running) -> None:
    assert running.http.get("/api/v1/devices", headers={"host": "rebound.example:8080"}).status_code == 403
    assert running.http.get("/api/v1/devices", headers={"host": "localhost:9999"}).status_code == 200
