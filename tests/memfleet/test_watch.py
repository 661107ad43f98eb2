"""The desk in one command: a board prints Zephyr's tutorial lines, the page shows it and its falling heap."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

from tests.memfleet.running import Terminal, get, memfleet, processes_of, run
from tests.servers import free_port
from tests.waiting import LIMIT_S, said, tail, wait_until

LINES = 8
LINE = (
    "Allocated 100 bytes (leaked)\nStack | Free: 432 bytes\r\nHeap  | Free: {free} bytes, Allocated: {used} bytes\r\n"
)


def path_without(program: str, folder: Path) -> str:
    """A PATH on which everything is found but one program."""
    seen = folder / "bin"
    seen.mkdir()
    for directory in os.environ["PATH"].split(os.pathsep):
        for file in Path(directory).iterdir() if os.access(directory, os.R_OK | os.X_OK) else ():
            if file.name != program and not (seen / file.name).exists():
                (seen / file.name).symlink_to(file)
    return str(seen)


class Desk:
    """`memfleet watch SOURCE` with its data in a folder of the test."""

    def __init__(self, folder: Path, source: str, *words: str, path: str = "") -> None:
        self.port, self.kept, self.log = free_port(), folder / "kept", folder / "watch.log"
        self.url = f"http://127.0.0.1:{self.port}/api/v1"
        self._words = ["watch", source, "--device", "bench-7", "--port", str(self.port), "--data", str(self.kept)]
        self._words += words
        self._environment = {**os.environ, "PATH": path or f"{os.environ['PATH']}:/usr/sbin"}

    def running(self, log: Path | None = None) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
        """The command, until the block ends."""
        return memfleet(*self._words, log=log or self.log, environment=self._environment)


def test_every_alert_of_the_board_is_said_in_full_where_nobody_looked_on(tmp_path: Path) -> None:
    terminal = Terminal()
    desk = Desk(tmp_path, terminal.path, "--for", "8s")
    with desk.running() as today:
        wait_until(lambda: _greet(terminal, desk.url), "the board is heard", desk.log)
        terminal.print(LINE.format(free=100, used=7_900).encode())
        today.wait(LIMIT_S)
    told = " ".join(said(desk.log).split())
    assert "1 device: 1 critical" in told
    assert "critical bench-7: Only 100 bytes of 7.8 KiB are free: allocations may fail next." in told


def test_a_board_on_the_desk_is_on_the_page(tmp_path: Path) -> None:
    terminal = Terminal()
    desk = Desk(tmp_path, terminal.path, "--relay")
    with desk.running() as today:
        wait_until(lambda: "Watching" in said(desk.log), "watch comes up", desk.log)
        wait_until(lambda: _greet(terminal, desk.url), "the board is heard")
        for number in range(LINES):
            terminal.print(LINE.format(free=8000 - 112 * number, used=108 * number).encode())
        points = wait_until(lambda: _points(desk.url), "the heap is on the page", desk.log)
        assert points["free"] == [8000 - 112 * number for number in range(LINES)]
        device = wait_until(lambda: get(f"{desk.url}/devices/bench-7"), "the page answers")
        assert device["platform"] == "zephyr"
        relay = desk.kept / "agent" / "relay" / "bench-7"
        relay.write_bytes(b"kernel heap\r")
        typed = bytearray()  # it may come in pieces

        def typed_at_the_board() -> bool:
            typed.extend(terminal.typed())
            return b"kernel heap" in typed

        wait_until(typed_at_the_board, "what is typed at the relay reaches the board")
        assert (desk.kept / "logs" / "broker.log").exists()
        assert f"http://127.0.0.1:{desk.port}" in said(desk.log)
        with desk.running(tmp_path / "second.log") as second:
            assert second.wait(LIMIT_S) == 2
        assert "another `memfleet watch` keeps its data in" in said(tmp_path / "second.log")
        wait_until(lambda: len(processes_of(desk.kept)) >= 7, "watch, broker and the parts of a collector run")
        today.kill()
        wait_until(lambda: not processes_of(desk.kept), "what is killed leaves nobody behind")
    with desk.running():
        points = wait_until(lambda: _points(desk.url), "what was seen is kept")
        assert points["free"][0] == 8000
    terminal.close()


def test_without_mosquitto_a_log_is_read_to_its_end(tmp_path: Path) -> None:
    source, path = tmp_path / "board.log", path_without("mosquitto", tmp_path)
    assert shutil.which("mosquitto", path=path) is None
    source.write_text("".join(LINE.format(free=8000 - 112 * n, used=108 * n) for n in range(LINES)))
    desk = Desk(tmp_path, str(source), path=path)
    with desk.running():
        wait_until(lambda: _points(desk.url), "the log is on the page", desk.log)
    kept = run("logs", "bench-7", "--data", str(desk.kept))  # its agent keeps it in a folder within
    assert kept.stdout.count("Heap ") == LINES, kept.stderr


def _points(url: str) -> dict[str, Any] | None:
    answer = get(f"{url}/points?device=bench-7&kind=heap&name=system")
    if answer is None:
        return None
    columns: dict[str, Any] = answer["values"]
    return columns if len(columns.get("free", [])) == LINES else None


def _greet(terminal: Terminal, url: str) -> Any:
    """What is printed before the port is opened is lost: print until somebody has heard it."""
    terminal.print(b"Stack | Free: 432 bytes\r\n")
    return get(f"{url}/devices/bench-7")


def test_ended_while_it_starts_the_demo_leaves_nothing_behind(tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin", "TMPDIR": str(tmp_path)}
    port, log, answers = free_port(), tmp_path / "demo.log", []
    words = ["demo", "--devices", "1", "--port", str(port)]
    with memfleet(*words, log=log, environment=environment) as demo:
        wait_until(lambda: processes_of(tmp_path), "the first process starts", log)
        demo.send_signal(signal.SIGTERM)
        wait_until(
            lambda: answers.append(get(f"http://127.0.0.1:{port}/healthz")) or demo.poll() is not None, "it ends", log
        )
        assert demo.returncode == 0, tail(log)
    assert not any(answers), "it did not wait for the page"
    assert processes_of(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["demo.log"]


def test_help_has_an_example() -> None:
    assert "memfleet watch /dev/ttyUSB0" in run("watch", "--help").stdout
