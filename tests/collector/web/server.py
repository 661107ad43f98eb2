"""The page process as it really runs, in a process of its own, on a free port."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from tests.waiting import LIMIT_S, wait_until

SILENT_AFTER_S = 800
"""Longer than all tests take: what is seeded once stays as it was seeded, also for the last test that looks."""

_PROGRAM = """
import signal, sys, threading
from pathlib import Path
import msgspec
from collector.config import CollectorConfig
from collector.web.process import run
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
run(msgspec.json.decode(sys.argv[2], type=CollectorConfig), Path(sys.argv[1]), stop)
"""


@contextlib.contextmanager
def page_process(directory: Path, settings: Mapping[str, Any] | None = None) -> Iterator[str]:
    """The address of a running page on that data directory; it has to end in order when told to."""
    document = {"fleet": "test", "page": {"port": 0}, "silent_after_s": SILENT_AFTER_S, **(settings or {})}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(directory), json.dumps(document)], env=environment
    ) as process:
        try:
            yield wait_until(lambda: _address(directory, process), "the page process answers")
        finally:
            process.terminate()
            assert process.wait(timeout=LIMIT_S) == 0


def client_of(address: str) -> httpx.Client:
    """A client that waits for an answer as long as tests wait for anything."""
    return httpx.Client(base_url=address, timeout=LIMIT_S)


def _address(directory: Path, process: subprocess.Popen[bytes]) -> str:
    """Where the page answers; empty while it does not."""
    assert process.poll() is None, "the page process ended"
    with contextlib.suppress(OSError, httpx.HTTPError):
        address = f"http://127.0.0.1:{(directory / 'page.port').read_text().strip()}"
        httpx.get(f"{address}/healthz").raise_for_status()
        return address
    return ""
