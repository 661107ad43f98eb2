"""Real servers for tests, each on a free port of loopback and with its data in `tmp_path`.

    with mosquitto(tmp_path) as broker, influxd(tmp_path) as influx, victoria_metrics(tmp_path) as victoria:
        broker.url, broker.port ; influx.query("SHOW DATABASES") ; victoria.promql("heap_free")

Each waits until the server answers. `kill` (SIGKILL), `stop` and `start` act out outages: the port and the data stay.
A server that is not installed fails the test and says what to install.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import LIMIT_S

HOST = "127.0.0.1"
FIRST_PORT, PORTS_A_WORKER, WORKERS = 12_000, 5_000, 4
"""Below the ports that the kernel gives to outgoing connections."""


def free_port() -> int:
    """A port of loopback that nobody has, be it for TCP or UDP, and that nobody else in these tests will be given."""
    return next(port for port in _ports() if _is_free(port))


@functools.cache
def _ports() -> Iterator[int]:
    """The ports of this worker of pytest's, in turn: no two workers pick the same, no port is soon picked again."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
    first, start = FIRST_PORT + worker * PORTS_A_WORKER, os.getpid() % PORTS_A_WORKER
    return itertools.cycle(first + (start + turn) % PORTS_A_WORKER for turn in range(PORTS_A_WORKER))


def _is_free(port: int) -> bool:
    with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        try:
            stream.bind((HOST, port))
            datagrams.bind((HOST, port))
        except OSError:
            return False
        return True


class Server:
    """One server process. `command` makes its command line for a port; `answers` says whether it is ready."""

    scheme = "http"

    def __init__(self, log: Path, command: Callable[[int], Sequence[str]], environment: Mapping[str, str]) -> None:
        self.log = log
        self.port = 0
        self._command = command
        self._environment = {**os.environ, **environment}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its base address."""
        return f"{self.scheme}://{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        """The number of its process."""
        assert self._process is not None, "the server is not running"
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it was started and not ended since."""
        return self._process is not None

    def start(self) -> None:
        """Start it, on the port it had before if any, and wait until it answers. One that ends at once is tried on
        another port: a free one may be taken by another program before the server binds it."""
        for _ in range(1 if self.port else 5):
            port = self.port or free_port()
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    self._command(port), stdout=log, stderr=log, env=self._environment, start_new_session=True
                )
            if self._ready(port):
                self.port = port
                return
            hangs = self._process.poll() is None
            self.kill()
            if hangs:
                break
        pytest.fail(f"{self._command(0)[0]} does not answer; its log ends:\n{self.log.read_text()[-2000:]}")

    def _ready(self, port: int) -> bool:
        assert self._process is not None
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            if self.answers(port):
                return self._process.poll() is None
            time.sleep(0.02)
        return False

    def answers(self, port: int) -> bool:
        """Whether it takes connections at that port."""
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=5):
            return True
        return False

    def stop(self) -> None:
        """End it in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Let it hang: connections stay open and nothing answers (SIGSTOP)."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        os.kill(self.pid, signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)  # a paused one could not act on the next signal
        self._process.send_signal(how)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def get(self, path: str, **parameters: str) -> str:
        """The body that a GET of that path answers."""
        query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
        with urllib.request.urlopen(f"{self.url}{path}{query}", timeout=60) as answer:
            text: str = answer.read().decode()
            return text


class Mosquitto(Server):
    """An MQTT broker."""

    scheme = "mqtt"


class InfluxDB(Server):
    """InfluxDB 1.x."""

    def answers(self, port: int) -> bool:
        """Whether /ping is answered."""
        return _http_ok(f"http://{HOST}:{port}/ping")

    def query(self, text: str, database: str = "", epoch: str = "ms", **parameters: str) -> list[dict[str, Any]]:
        """The rows of all series that an InfluxQL query answers, each a mapping of columns and tags. No such database:
        no rows."""
        answer = json.loads(self.get("/query", q=text, db=database, epoch=epoch, **parameters))
        rows = []
        for result in answer["results"]:
            if "database not found" in result.get("error", ""):
                continue
            if "error" in result:
                raise AssertionError(f"{text}: {result['error']}")
            for series in result.get("series", []):
                tags = {"measurement": series.get("name"), **series.get("tags", {})}
                rows += [{**tags, **dict(zip(series["columns"], row, strict=True))} for row in series.get("values", [])]
        return rows


class VictoriaMetrics(Server):
    """VictoriaMetrics, single node."""

    def answers(self, port: int) -> bool:
        """Whether /health is answered."""
        return _http_ok(f"http://{HOST}:{port}/health")

    def promql(self, query: str, time_ms: int | None = None) -> list[dict[str, Any]]:
        """The result list of an instant query; the samples written so far are made visible first."""
        self.get("/internal/force_flush")
        at = {} if time_ms is None else {"time": f"{time_ms / 1000:.3f}"}
        result: list[dict[str, Any]] = json.loads(self.get("/api/v1/query", query=query, **at))["data"]["result"]
        return result

    def export(self, match: str) -> list[dict[str, Any]]:
        """Every stored sample of the matching series: {"metric", "values", "timestamps"} each, duplicates included."""
        self.get("/internal/force_flush")
        lines = self.get("/api/v1/export", **{"match[]": match, "reduce_mem_usage": "1"}).splitlines()
        return [json.loads(line) for line in lines]


@contextlib.contextmanager
def mosquitto(tmp_path: Path, *, configuration: str = "", port: int = 0) -> Iterator[Mosquitto]:
    """A broker that lets anybody in; `configuration` adds lines to its file. `port` 0: a free one."""
    program = _require("mosquitto", "mosquitto")
    home = _home(tmp_path, "mosquitto")

    def command(port: int) -> list[str]:
        file = home / "mosquitto.conf"
        file.write_text(_MOSQUITTO.format(host=HOST, port=port) + configuration)
        return [program, "-c", str(file)]

    yield from _running(Mosquitto(home / "log", command, {}), port)


_MOSQUITTO = """\
listener {port} {host}
allow_anonymous true
user root
max_inflight_messages 2000
max_queued_messages 1000000
max_queued_bytes 0
max_packet_size 65536
persistent_client_expiration 7d
set_tcp_nodelay true
"""


@contextlib.contextmanager
def influxd(tmp_path: Path, *, port: int = 0, **environment: str) -> Iterator[InfluxDB]:
    """An InfluxDB 1.x without users; further settings as its environment variables (INFLUXDB_HTTP_AUTH_ENABLED=...).
    `port` 0: a free one."""
    program = _require("influxd", "influxdb")
    home = _home(tmp_path, "influxd")

    def command(port: int) -> list[str]:
        file = home / "influxdb.conf"
        file.write_text(_INFLUXDB.format(home=home, host=HOST, port=port, rpc=free_port()))
        return [program, "-config", str(file)]

    yield from _running(InfluxDB(home / "log", command, environment), port)


_INFLUXDB = """\
reporting-disabled = true
bind-address = "{host}:{rpc}"
[meta]
dir = "{home}/meta"
[data]
dir = "{home}/data"
wal-dir = "{home}/wal"
query-log-enabled = false
[http]
bind-address = "{host}:{port}"
log-enabled = false
[monitor]
store-enabled = false
"""


@contextlib.contextmanager
def victoria_metrics(tmp_path: Path, *flags: str, dedup: bool = True) -> Iterator[VictoriaMetrics]:
    """A VictoriaMetrics that keeps all times and shows samples at once; `dedup` sets what memfleet asks for."""
    program = _require("victoria-metrics", "victoria-metrics")
    home = _home(tmp_path, "victoria-metrics")
    asked = ["-dedup.minScrapeInterval=1ms"] if dedup else []

    def command(port: int) -> list[str]:
        return [
            program,
            f"-httpListenAddr={HOST}:{port}",
            f"-storageDataPath={home}/data",
            "-retentionPeriod=100y",
            "-search.latencyOffset=0s",
            "-search.disableCache",
            "-memory.allowedBytes=128MB",
            *asked,
            *flags,
        ]

    yield from _running(VictoriaMetrics(home / "log", command, {}))


def _running(server: Any, port: int = 0) -> Iterator[Any]:
    server.port = port
    server.start()
    try:
        yield server
    finally:
        server.kill()


def _home(tmp_path: Path, name: str) -> Path:
    number = 1
    while (home := tmp_path / f"{name}-{number}").exists():
        number += 1
    home.mkdir(parents=True)
    return home


def _require(program: str, package: str) -> str:
    path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if path is None:
        pytest.fail(f"{program} is not installed and this test needs the real server: apt install {package}")
    return path


def _http_ok(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return 200 <= int(answer.status) < 300
    except (OSError, urllib.error.URLError):
        return False
