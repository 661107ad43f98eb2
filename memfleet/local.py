"""A whole collector on this machine, on loopback: broker, parts and page under one supervisor. For demo and watch."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from collector.config import CollectorConfig
from memfleet.broker import DemoBroker, demo_broker, free_port, lacks_port
from memfleet.lifeline import bound
from memfleet.part import Asked, part_names
from memfleet.supervisor import Supervisor
from telemetry.errors import EnvironmentFault
from telemetry.files import make_folder

_LOG = logging.getLogger("memfleet")

START_S = 300.0
"""After so long it is better to say that nothing comes; what can never run is told at once."""
TRIES = 5

_COLLECTOR = """\
fleet = "{fleet}"
data_dir = {data_dir}
silent_after_s = {silent_after_s}

[intake]
suspected_every_s = {suspected_every_s}

[broker]
url = "{url}"
protocol = "{protocol}"

[page]
port = {port}
"""


class LocalCollector:
    """Starts everything that a desk needs in `directory`.

    `port` is where the page should be; when another program has that port, any free one is taken and said. Seconds:
    after how many a device is silent, and how often a suspicious one is read.
    """

    def __init__(
        self, directory: Path, fleet: str, port: int, silent_after_s: int = 300, suspected_every_s: int = 10
    ) -> None:
        self.directory = directory
        self.fleet = fleet
        self.config_file = directory / "collector.toml"
        self._pace = {"silent_after_s": silent_after_s, "suspected_every_s": suspected_every_s}
        make_folder(directory)
        self.port = port if _is_free(port) else free_port()
        if self.port != port:
            _LOG.warning("port %d is taken by another program; the page is at %s", port, self.url)
        self.broker = self._configured()
        self._supervisor: Supervisor | None = None

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, extra: Callable[[DemoBroker], Mapping[str, Sequence[str]]], stop: threading.Event) -> None:
        """Start all processes, and wait until broker and page answer or `stop` is set. `extra`: further commands to
        supervise, told where the broker is.

        EnvironmentFault with the reason when they do not come up.
        """
        deadline = time.monotonic() + START_S
        for _ in range(TRIES):
            if self._comes_up(extra(self.broker), stop, deadline):
                return
            self.close()
            self.broker = self._configured()
        raise EnvironmentFault(f"other programs took each of {TRIES} ports before the broker had it", retry=False)

    def _configured(self) -> DemoBroker:
        """A broker on a port that was free just now, and everything else set up for it."""
        broker = demo_broker(self.directory)
        text = _COLLECTOR.format(
            fleet=self.fleet,
            data_dir=json.dumps(str(self.directory)),
            url=broker.settings.url,
            protocol=broker.settings.protocol,
            port=self.port,
            **self._pace,
        )
        self.config_file.write_text(text)
        return broker

    def _comes_up(self, extra: Mapping[str, Sequence[str]], stop: threading.Event, deadline: float) -> bool:
        """Whether it is up, or nobody waits for it any more; False when the broker's port was taken meanwhile."""
        commands: dict[str, Sequence[str]] = {"broker": bound(self.broker.command)}
        for part in part_names(CollectorConfig()):
            commands[part] = Asked(self.config_file).command(part)
        logs = self.directory / "logs"
        (logs / "broker.log").unlink(missing_ok=True)  # what an earlier one said is not said of this one
        supervisor = self._supervisor = Supervisor(commands | dict(extra), logs)
        while time.monotonic() < deadline:
            self.watch()
            if lacks_port(supervisor.log_tail("broker")):
                return False
            if (_answers(self.broker.port) and self.get("/healthz") is not None) or stop.wait(0.1):
                return True
        late = "page" if _answers(self.broker.port) else "broker"
        raise EnvironmentFault(
            f"the {late} did not come up in {START_S / 60:.0f} minutes: is the machine very busy, or the disk of "
            f"{self.directory} very slow? It said: {supervisor.log_tail(late, 500).strip() or 'nothing'}",
            retry=False,
        )

    def watch(self) -> None:
        """Keep the processes running. EnvironmentFault when one of them cannot run at all."""
        if self._supervisor is not None:
            self._supervisor.watch()
            for name in self._supervisor.failed:
                tail = self._supervisor.log_tail(name, 500).strip()
                raise EnvironmentFault(f"{name} cannot run: {tail}", retry=False)

    def get(self, path: str) -> Any:
        """An answer of the page's API, or None while it gives none."""
        with contextlib.suppress(urllib.error.URLError, OSError, ValueError):
            with urllib.request.urlopen(self.url + path, timeout=5) as answer:  # noqa: S310 - our own loopback address
                body = answer.read()
            return json.loads(body) if body[:1] in (b"{", b"[") else body.decode()
        return None

    def close(self) -> None:
        """End every process."""
        if self._supervisor is not None:
            self._supervisor.close()


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
