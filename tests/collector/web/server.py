"""The page process as it really runs, in a process of its own, on a free port."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

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
def page_process(directory: Path, settings: Mapping[str, Any] | None = None, ready_s: float = 60) -> Iterator[str]:
    """The address of a running page on that data directory; it has to end in order when told to."""
    document = {"fleet": "test", "page": {"port": 0}, **(settings or {})}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(directory), json.dumps(document)], env=environment
    ) as process:
        try:
            yield _address(directory, process, ready_s)
        finally:
            process.terminate()
            assert process.wait(timeout=20) == 0


def _address(directory: Path, process: subprocess.Popen[bytes], ready_s: float) -> str:
    deadline = time.monotonic() + ready_s
    while time.monotonic() < deadline:
        assert process.poll() is None, "the page process ended"
        with contextlib.suppress(OSError, httpx.HTTPError):
            address = f"http://127.0.0.1:{(directory / 'page.port').read_text().strip()}"
            httpx.get(f"{address}/healthz").raise_for_status()
            return address
        time.sleep(0.05)
    raise AssertionError("the page process did not answer")
