"""Running memfleet as its users do: what runs for long in a process of its own, what answers and ends in this one."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
import tty
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

from memfleet.cli import main
from tests.servers import free_port
from tests.waiting import wait_until


@contextlib.contextmanager
def memfleet(*words: str, log: Path, environment: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """`memfleet WORDS` until the block ends; what it says goes to `log`."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "memfleet", *words],
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
            env=dict(os.environ if environment is None else environment),
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def run(*words: object, data: bytes = b"", columns: int = 80) -> subprocess.CompletedProcess[str]:
    """`memfleet WORDS` from its entry point to its exit status, `data` on its input; for commands that answer and end.

    In this process: starting a Python for each of hundreds of calls would take minutes of the whole suite.
    """
    given = [str(word) for word in words]
    source = io.TextIOWrapper(io.BufferedReader(io.BytesIO(data)), "utf-8")
    out, complaints = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    status: object = 0
    with (
        mock.patch.multiple(sys, argv=["memfleet", *given], stdin=source, stdout=out, stderr=complaints),
        mock.patch.dict(os.environ, COLUMNS=str(columns)),
    ):
        try:
            main()
        except SystemExit as ended:
            status = ended.code or 0
    said, complained = (stream.buffer.getvalue().decode() for stream in (out, complaints))
    return subprocess.CompletedProcess(given, status if isinstance(status, int) else 1, said, complained)


def processes_of(folder: Path) -> list[int]:
    """Every process in whose command line that folder, or a file in it, is named."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if str(folder).encode() in entry.read_bytes():
                found.append(int(entry.parent.name))
    return found


class Terminal:
    """A pseudo-terminal in the board's place: the tests print, memfleet reads `path`."""

    def __init__(self) -> None:
        self.master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)

    def print(self, data: bytes) -> None:
        """Print as a board does."""
        while data:
            data = data[os.write(self.master, data) :]

    def typed(self) -> bytes:
        """What was typed to the board, without waiting."""
        return os.read(self.master, 4096) if select.select([self.master], [], [], 0)[0] else b""

    def close(self) -> None:
        """Unplug."""
        os.close(self.master)
        os.close(self._slave)


class Collector:
    """A collector's configuration and folder for a test, and a look at its API."""

    def __init__(self, folder: Path, broker_url: str, stores: str = "", fleet: str = "plant") -> None:
        self.folder = folder
        self.port = free_port()
        self.config = folder / "collector.toml"
        self.data = folder / "collector"
        self.log = folder / "collector.log"
        self.config.write_text(
            f'fleet = "{fleet}"\ndata_dir = {json.dumps(str(self.data))}\n{stores}\n'
            f'[broker]\nurl = "{broker_url}"\n[page]\nport = {self.port}\n'
        )

    def running(self) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
        """The collector, until the block ends."""
        return memfleet("collect", "--config", str(self.config), log=self.log)

    def get(self, path: str) -> Any:
        """An answer of the API, None while it gives none."""
        return get(f"http://127.0.0.1:{self.port}{path}")

    def answer(self, path: str) -> Any:
        """The same, once there is one: a file that is busy just then is not told."""
        return wait_until(lambda: self.get(path), f"{path} is answered", self.log)

    def counters(self) -> dict[str, dict[str, int]]:
        """The counters of every process. A file that is busy just then is not told: ask again."""

        def all_told() -> dict[str, dict[str, int]] | None:
            found = (self.get("/api/v1/status") or {}).get("processes", [])
            told = {one["process"]: one["counters"] for one in found if one["running"]}
            return told if found and len(told) == len(found) else None

        told: dict[str, dict[str, int]] = wait_until(all_told, "every process tells its counters", self.log)
        return told

    def wait_ready(self) -> None:
        """Wait until the page answers."""
        wait_until(lambda: self.get("/healthz"), "the page answers", self.log)


def get(url: str) -> Any:
    """JSON or text at an address, None while there is nothing."""
    with contextlib.suppress(urllib.error.URLError, OSError):
        with urllib.request.urlopen(url, timeout=60) as answer:
            body = answer.read()
        return json.loads(body) if body[:1] in (b"{", b"[") else body.decode()
    return None
