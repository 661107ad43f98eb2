"""The desk in one command: a board prints Zephyr's tutorial lines, the page shows it and its falling heap."""

from __future__ import annotations

import os
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.memfleet.running import Terminal, get, memfleet, processes_of, run, tail, wait_until
from tests.servers import free_port

LINES = 8
LINE = (
    "Allocated 100 bytes (leaked)\nStack | Free: 432 bytes\r\nHeap  | Free: {free} bytes, Allocated: {used} bytes\r\n"
)


def path_without(program: str, folder: Path) -> str:
    """A PATH on which everything is found but one program."""
    seen = folder / "bin"
    seen.mkdir()
    for directory in os.environ["PATH"].split(os.pathsep):
        for file in Path(directory).iterdir() if Path(directory).is_dir() else ():
            if file.name != program and not (seen / file.name).exists():
                (seen / file.name).symlink_to(file)
    return str(seen)


@pytest.mark.parametrize("broker", ["mosquitto", "amqtt"])
def test_a_board_on_the_desk_is_on_the_page(tmp_path: Path, broker: str) -> None:
    environment = dict(os.environ)
    if broker == "amqtt":
        environment["PATH"] = path_without("mosquitto", tmp_path)
        assert shutil.which("mosquitto", path=environment["PATH"]) is None
    else:
        environment["PATH"] += os.pathsep + "/usr/sbin"
    terminal, port, log = Terminal(), free_port(), tmp_path / "watch.log"
    words = ["watch", terminal.path, "--device", "bench-7", "--port", str(port), "--data", str(tmp_path / "kept")]
    url = f"http://127.0.0.1:{port}/api/v1"
    with memfleet(*words, "--relay", log=log, environment=environment):
        wait_until(lambda: "Watching" in tail(log), f"watch comes up; {tail(log)}", 60)
        wait_until(lambda: _greet(terminal, url), "the board is heard")
        for number in range(LINES):
            terminal.print(LINE.format(free=8000 - 112 * number, used=108 * number).encode())
        points = wait_until(lambda: _points(url), f"the heap is on the page; {tail(log)}")
        assert points["free"] == [8000 - 112 * number for number in range(LINES)]
        device = get(f"{url}/devices/bench-7")
        assert device["platform"] == "zephyr"
        relay = tmp_path / "kept" / "agent" / "relay" / "bench-7"
        relay.write_bytes(b"kernel heap\r")
        assert wait_until(terminal.typed, "what is typed at the relay reaches the board").startswith(b"kernel heap")
        started = (tmp_path / "kept" / "logs" / "broker.log").exists()
        assert started
        assert re.search(rf"http://127.0.0.1:{port}", tail(log))
    terminal.close()


def test_tomorrow_continues_and_what_is_killed_leaves_nobody_behind(tmp_path: Path) -> None:
    source, kept, port = tmp_path / "board.log", tmp_path / "kept", free_port()
    source.write_text("".join(LINE.format(free=8000 - 112 * n, used=108 * n) for n in range(LINES)))
    url, log = f"http://127.0.0.1:{port}/api/v1", tmp_path / "watch.log"
    words = ["watch", str(source), "--device", "bench-7", "--port", str(port), "--data", str(kept)]
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"}
    with memfleet(*words, log=log, environment=environment) as today:
        wait_until(lambda: _points(url), f"the log is on the page; {tail(log)}", 60)
        assert len(processes_of(kept)) >= 7, "watch, broker and the parts of a collector"
        today.kill()
        wait_until(lambda: not processes_of(kept), "all of them end with it")
    source.write_text("")
    with memfleet(*words, log=log, environment=environment):
        assert wait_until(lambda: _points(url), "what was seen is kept", 60)["free"][0] == 8000


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
        wait_until(lambda: processes_of(tmp_path), f"the first process starts; {tail(log)}", 60)
        demo.send_signal(signal.SIGTERM)
        wait_until(
            lambda: answers.append(get(f"http://127.0.0.1:{port}/healthz")) or demo.poll() is not None, tail(log)
        )
        assert demo.returncode == 0, tail(log)
    assert not any(answers), "it did not wait for the page"
    assert processes_of(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["demo.log"]


def test_two_watchers_do_not_share_a_folder(tmp_path: Path) -> None:
    (tmp_path / "board.log").touch()
    words = ["watch", str(tmp_path / "board.log"), "--port", "0", "--data", str(tmp_path / "kept")]
    with memfleet(*words, log=tmp_path / "first.log"):
        wait_until((tmp_path / "kept" / "collector.toml").exists, "the first one starts", 30)
        with memfleet(*words, log=tmp_path / "second.log") as second:
            assert second.wait(30) == 2
        assert "another `memfleet watch` keeps its data in" in tail(tmp_path / "second.log")


def test_help_has_an_example() -> None:
    assert "memfleet watch /dev/ttyUSB0" in run("watch", "--help").stdout
