"""Starting and stopping the page process where something is in its way."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path

import pytest

from collector.config import CollectorConfig, Page
from collector.web.process import run
from telemetry.errors import ConfigError, EnvironmentFault
from tests.collector.web.conftest import Running
from tests.collector.web.server import client_of, page_process


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(
            EnvironmentFault, match=rf"cannot listen on 127\.0\.0\.1 port {port}: Address already in use"
        ):
            run(CollectorConfig(page=Page(port=port)), tmp_path, threading.Event())
    assert not (tmp_path / "page.port").exists()


def test_a_missing_token_is_found_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can be reached from other machines"):
        run(CollectorConfig(page=Page(host="0.0.0.0", port=0)), tmp_path, threading.Event())


def test_without_series_the_api_says_so_and_the_page_still_comes(tmp_path: Path) -> None:
    with page_process(tmp_path) as address, client_of(address) as http:
        answer = http.get("/api/v1/devices")
        assert answer.status_code == 503
        assert answer.json() == {"error": "series.db is not there yet: its process is not running"}
        assert "No device has reported yet" in http.get("/").text
        for path in ("/device/meter-1", "/alerts", "/incidents", "/incident?key=k", "/firmware", "/logs", "/agents"):
            assert http.get(path).status_code == 200, path
        unknown = http.get("/no/such<view>")
        assert unknown.status_code == 404
        assert "There is no such view" in unknown.text
        assert "Skip to content" in unknown.text
        assert http.get("/_nicegui/none").status_code == 404
        assert "series is not running yet" in http.get("/readyz").text
        assert http.get("/metrics").status_code == 200
    assert not (tmp_path / "page.port").exists()


def test_a_browser_that_is_busy_for_ten_seconds_keeps_its_view(running: Running) -> None:
    """One that counts as gone gets the view anew: what was typed, sorted and selected in it is lost."""
    opened = running.http.get("/_nicegui_ws/socket.io/?EIO=4&transport=polling").text
    assert json.loads(opened.removeprefix("0"))["pingTimeout"] >= 10_000
