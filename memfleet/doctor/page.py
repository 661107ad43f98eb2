"""The page of a collector: does it answer, is it this collector's, and does all behind it do its work."""

from __future__ import annotations

from pathlib import Path

import httpx

from collector.config import CollectorConfig
from collector.web.files import PORT_FILE
from memfleet.doctor.finding import Found

_PATIENCE_S = 5.0
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def check_page(config: CollectorConfig) -> Found:
    """Ask the address where the page is or would be."""
    port_file = Path(config.data_dir) / PORT_FILE
    listens = port_file.exists()
    port = int(port_file.read_text()) if listens else config.page.port
    if not port:
        return _away("the page takes any free port, and none by now")
    host = _EVERYWHERE.get(config.page.host, config.page.host)
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    try:
        answer = httpx.get(f"{address}/readyz", timeout=_PATIENCE_S, trust_env=False)
    except httpx.ConnectError:
        return _away(f"nobody answers at {address}")
    except httpx.HTTPError as error:
        return _taken(address, f"{error or type(error).__name__}")
    reasons = answer.text.splitlines()
    if not listens or answer.status_code not in (200, 503) or not reasons:
        return _taken(address, f"HTTP {answer.status_code}")
    if answer.status_code == 200:
        return Found("page", "ok", f"{address} answers, and every process does its work")
    return Found("page", "wrong", f"{address} answers: {'; '.join(reasons)}", "the collector's own log says why")


def _away(sentence: str) -> Found:
    return Found("page", "doubtful", f"{sentence}: the collector does not run", "start it with memfleet collect")


def _taken(address: str, why: str) -> Found:
    advice = "stop that program, or give this collector another page.port"
    return Found("page", "wrong", f"another program answers at {address}: {why}", advice)
