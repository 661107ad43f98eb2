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
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from collector.config import CollectorConfig
from memfleet.broker import DemoBroker, demo_broker, free_port
from memfleet.lifeline import bound
from memfleet.parts import part_names
from memfleet.supervisor import Supervisor, own_command
from telemetry.errors import EnvironmentFault
from telemetry.journal import make_folder

_LOG = logging.getLogger("memfleet")

START_S = 60.0

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
    """Starts everything that a desk needs in `directory`; `extra` are further commands to supervise.

    `port` is where the page should be; when another program has that port, any free one is taken and said. Seconds:
    after how many a device is silent, and how often a suspicious one is read.
    """

    def __init__(
        self, directory: Path, fleet: str, port: int, silent_after_s: int = 300, suspected_every_s: int = 10
    ) -> None:
        self.directory = directory
        self.fleet = fleet
        make_folder(directory)
        self.broker: DemoBroker = demo_broker(directory)
        self.port = port if _is_free(port) else free_port()
        if self.port != port:
            _LOG.warning("port %d is taken by another program; the page is at %s", port, self.url)
        self.config_file = directory / "collector.toml"
        text = _COLLECTOR.format(
            fleet=fleet,
            data_dir=json.dumps(str(directory)),
            silent_after_s=silent_after_s,
            suspected_every_s=suspected_every_s,
            url=self.broker.settings.url,
            protocol=self.broker.settings.protocol,
            port=self.port,
        )
        self.config_file.write_text(text)
        self._supervisor: Supervisor | None = None

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, extra: Mapping[str, Sequence[str]], stop: threading.Event) -> None:
        """Start all processes, and wait until the page answers or `stop` is set.

        EnvironmentFault with the reason when the page does not come up.
        """
        commands: dict[str, Sequence[str]] = {"broker": bound(self.broker.command)}
        for part in part_names(CollectorConfig()):
            commands[part] = own_command("collect", "--config", str(self.config_file), "--only", part)
        self._supervisor = Supervisor(commands | dict(extra), self.directory / "logs")
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            self.watch()
            if self.get("/healthz") is not None:
                return
            if stop.wait(0.1):
                return
        raise EnvironmentFault(f"the page did not come up: {self._supervisor.log_tail('page', 500)}", retry=False)

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


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
