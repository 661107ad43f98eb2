"""What systemd is told, at a socket like its own."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from memfleet.service import Service
from tests.memfleet.running import Collector
from tests.servers import mosquitto
from tests.waiting import wait_until

UNITS = sorted((Path(__file__).parents[2] / "deploy" / "systemd").glob("*.service"))


@pytest.fixture
def systemd(tmp_path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(str(tmp_path / "notify"))
    sock.setblocking(False)
    return sock


def heard(sock: socket.socket) -> list[str]:
    texts = []
    while True:
        try:
            texts.append(sock.recv(1000).decode())
        except BlockingIOError:
            return texts


def test_the_watchdog_is_fed_only_while_work_gets_done(tmp_path: Path, systemd: socket.socket) -> None:
    works, now = [False], [0.0]
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "8000000"}
    service = Service(environment, lambda: works[0], lambda: now[0])
    service.look()
    assert heard(systemd) == []
    works[0], now[0] = True, 2.0
    service.look()
    service.look()
    assert heard(systemd) == ["READY=1\nWATCHDOG=1"]
    now[0] = 4.0
    service.look()
    assert heard(systemd) == ["WATCHDOG=1"]
    works[0], now[0] = False, 6.0
    service.look()
    assert heard(systemd) == []
    service.stopping()
    assert heard(systemd) == ["STOPPING=1"]


def test_without_systemd_nothing_is_asked() -> None:
    Service({}, lambda: pytest.fail("nobody wants to know"), lambda: 1.0).look()


def test_a_collector_that_hangs_is_not_reported_alive(
    tmp_path: Path, systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    with mosquitto(tmp_path) as broker:
        collector = Collector(tmp_path, broker.url)
        with collector.running():
            said: list[str] = []
            wait_until(lambda: said.extend(heard(systemd)) or "READY=1\nWATCHDOG=1" in said, "ready")
            intake = pid_of_part(collector, "intake")
            subprocess.run(["kill", "-STOP", str(intake)], check=True)
            try:
                quiet = 0

                def starved() -> bool:
                    nonlocal quiet
                    quiet = 0 if heard(systemd) else quiet + 1
                    return quiet > 40  # two seconds of eight meals

                wait_until(starved, "the watchdog starves", pause_s=0.05)
            finally:
                subprocess.run(["kill", "-CONT", str(intake)], check=True)


def pid_of_part(collector: Collector, part: str) -> int:
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[-3:-1] == [b"--only", part.encode()] and str(collector.config).encode() in words:
            return int(entry.parent.name)
    raise AssertionError(f"{part} does not run")


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_units_are_good(tmp_path: Path, unit: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.fail("systemd-analyze is not installed: apt install systemd")
    text = unit.read_text()
    program = "/opt/memfleet/bin/memfleet"
    assert f"ExecStart={program} " in text
    here = tmp_path / unit.name
    here.write_text(text.replace(program, sys.executable))
    done = subprocess.run([verify, "verify", str(here)], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
