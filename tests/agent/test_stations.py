"""Many consoles at once: what healthy boards print arrives and is kept, whatever the others do."""

from __future__ import annotations

import functools
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.capture import read_capture
from agent.config import AgentConfig, Capture, Port
from agent.stations import Stations
from telemetry.clock import wall_ms
from telemetry.messages import Command
from telemetry.readings import About, Reading
from tests.agent.boards import Board, Remembered
from tests.waiting import step_until, wait_until

PORTS = 100
LINES = 60


def line(number: int) -> bytes:
    return b"Heap  | Free: %d bytes, Allocated: %d bytes\r\n" % (100_000 - number, number)


class Bench:
    """Some boards and the stations that read them."""

    def __init__(self, folder: Path, count: int, **capture: object) -> None:
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert limit > 4 * count, "ulimit -n is too small for this many terminals"
        self.folder = folder
        self.boards = [Board(folder / f"tty{number}") for number in range(count)]
        ports = tuple(Port(port=str(board.link), device=f"d{place}") for place, board in enumerate(self.boards))
        config = AgentConfig(ports=ports, capture=Capture(**capture))  # type: ignore[arg-type]
        self.stations = Stations(config, folder, Remembered(), wall_ms)
        self.items: list[About | Reading] = []
        self.wait(lambda: len(self.stations.ports.opened) == count, "every port is opened")

    def wait(self, holds: Callable[[], bool], what: str) -> None:
        def step() -> None:
            self.items += self.stations.step()
            time.sleep(0.005)

        step_until(step, holds, what)

    def readings(self, kind: str) -> dict[str, list[Reading]]:
        found: dict[str, list[Reading]] = {}
        for item in self.items:
            if isinstance(item, Reading) and item.kind == kind:
                found.setdefault(item.device, []).append(item)
        return found

    def captured(self, device: str) -> list[bytes]:
        return [entry.data for entry in read_capture(self.folder / "capture" / device)]


def test_what_consoles_refused_is_added_up_for_the_agent(tmp_path: Path) -> None:
    bench = Bench(tmp_path, 2)
    for board in bench.boards:
        for free in (58_312, 5_831):
            board.print(b"free:           %d\nallocated:      100\nmax. allocated: 200\n" % free)
    bench.wait(lambda: bench.stations.told()["cut_numbers"] == 2, "both consoles are read")
    assert bench.stations.told() == {"ports": 2, "cut_numbers": 2, "cut_names": 0, "long_lines": 0}
    bench.stations.close()


def test_a_hundred_ports_of_which_some_vanish_and_some_print_garbage(tmp_path: Path) -> None:
    bench = Bench(tmp_path, PORTS)
    vanishing, noisy, healthy = bench.boards[:10], bench.boards[10:20], bench.boards[20:]
    noise = random.Random(5).randbytes(64).replace(b"\n", b"\xfe") + bytes(range(128, 192))
    for number in range(LINES):
        if number == 10:
            for board in vanishing:
                board.unplug()
        if number == 30:
            for board in vanishing:
                board.plug_in()
        for board in noisy:
            board.print(noise)
        for board in healthy:
            board.print(line(number))
        bench.items += bench.stations.step()
    bench.wait(lambda: sum(map(len, bench.readings("heap").values())) == len(healthy) * LINES, "every line is read")
    bench.wait(lambda: len(bench.readings("event")) == len(vanishing) + len(noisy), "what is wrong is noticed")
    bench.wait(lambda: len(bench.stations.ports.opened) == PORTS, "every port is open again")
    bench.items += bench.stations.close()

    heaps = bench.readings("heap")
    assert set(heaps) == {f"d{place}" for place in range(20, PORTS)}
    for place in range(20, PORTS):
        assert [reading.values["used"] for reading in heaps[f"d{place}"]] == list(range(LINES))
        assert bench.captured(f"d{place}") == [line(number).rstrip(b"\n") for number in range(LINES)]
    events = {device: [reading.names[0] for reading in found] for device, found in bench.readings("event").items()}
    assert events == {f"d{place}": ["port_lost"] for place in range(10)} | {
        f"d{place}": ["console_garbage"] for place in range(10, 20)
    }


def test_what_a_port_gives_when_it_is_back_begins_anew(tmp_path: Path) -> None:
    bench = Bench(tmp_path, 1)
    board = bench.boards[0]
    board.print(line(1) + b"Heap  | Free: 12")
    bench.wait(lambda: bool(bench.readings("heap")), "the line before is read")
    board.unplug()
    bench.wait(lambda: bool(bench.readings("event")), "it is noticed")
    board.plug_in()
    bench.wait(lambda: len(bench.stations.ports.opened) == 1, "the port is open again")
    board.print(b"34 bytes, Allocated: 7 bytes\r\n" + line(2))
    bench.wait(lambda: len(bench.readings("heap")["d0"]) == 2, "the line behind is read")
    bench.items += bench.stations.close()
    assert [reading.values["used"] for reading in bench.readings("heap")["d0"]] == [1, 2]
    assert bench.captured("d0")[1:3] == [b"Heap  | Free: 12", b"34 bytes, Allocated: 7 bytes\r"]
    assert bench.readings("event")["d0"][0].values["text"] == f"{board.link}: lost (the device is gone)"


def test_secrets_are_masked_before_anything_is_kept_or_read(tmp_path: Path) -> None:
    bench = Bench(tmp_path, 1, mask=(r"psk=(\S+)", r"\d{16}"))
    bench.boards[0].print(b"E (12) wifi: psk=hunter2 refused by 1234567812345678\r\n" + line(1))
    bench.wait(lambda: bool(bench.readings("heap")), "the line after the secret is read")
    bench.items += bench.stations.close()
    assert bench.captured("d0")[0] == b"E (12) wifi: psk=*** refused by ***\r"
    assert [reading.values["text"] for reading in bench.readings("log")["d0"]] == ["psk=*** refused by ***"]


def test_a_silent_record_is_given_without_a_further_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.stations.SETTLE_MS", 50)
    bench = Bench(tmp_path, 1)
    bench.boards[0].print(b"User memory: 40 KB.\nPeak user memory: 44 KB.\nTotal memory: 60 KB.\n")
    bench.wait(lambda: bool(bench.readings("process")), "the record is given")
    assert bench.readings("process")["d0"][0].values["total"] == 60 * 1024
    bench.stations.close()


def test_lines_around_a_crash_are_published_once_each_with_a_time_of_its_own(tmp_path: Path) -> None:
    bench = Bench(tmp_path, 1)
    board = bench.boards[0]
    before = [f"step {number}" for number in range(5)]
    crash = "Guru Meditation Error: Core  0 panic'ed (LoadProhibited). Exception was unhandled."
    for text in (*before, "E (99) app: last words", crash, "Rebooting..."):
        board.print(text.encode() + b"\r\n")

    def rebooted() -> bool:
        return any("Rebooting" in str(one.values["text"]) for one in bench.readings("log").get("d0", []))

    bench.wait(rebooted, "the lines around the crash are published")
    logs = sorted(bench.readings("log")["d0"], key=lambda reading: reading.time_ms)
    assert [reading.values["text"] for reading in logs] == [*before, "last words", crash, "Rebooting..."]
    assert len({reading.time_ms for reading in logs}) == len(logs)
    bench.stations.close()


WRITER = """
import sys, time
from pathlib import Path
from agent.config import AgentConfig, Capture, Port
from agent.stations import Stations
from telemetry.clock import wall_ms
from telemetry.messages import Command
from tests.agent.boards import Remembered
folder = Path(sys.argv[1])
config = AgentConfig(ports=(Port(port=str(folder / "tty0"), device="d0"),), capture=Capture(write_s=1))
stations = Stations(config, folder, Remembered(), wall_ms)
while not stations.ports.opened:
    time.sleep(0.01)
print("open", flush=True)  # from here on nothing is lost
while True:
    stations.step()
    time.sleep(0.01)
"""


def test_a_killed_agent_leaves_a_readable_log(tmp_path: Path) -> None:
    board = Board(tmp_path / "tty0")
    root = Path(__file__).parents[2]
    kept = tmp_path / "capture" / "d0"
    for round_number in range(2):
        words = [sys.executable, "-c", WRITER, str(tmp_path)]
        with subprocess.Popen(words, cwd=root, stdout=subprocess.PIPE) as process:
            assert process.stdout
            assert process.stdout.readline() == b"open\n"

            def captured(text: bytes = line(round_number).rstrip(b"\n")) -> bool:
                return sum(entry.data == text for entry in read_capture(kept)) >= 50

            step_until(functools.partial(board.print, line(round_number)), captured, "fifty lines are captured")
            process.send_signal(signal.SIGKILL)
        board.unplug()  # half a line may wait in the terminal
        board.plug_in()
    newest = max(kept.iterdir())
    with newest.open("ab") as torn:  # what a kill in mid-write leaves
        torn.write(newest.read_bytes()[:40])
    entries = [entry.data for entry in read_capture(kept)]
    assert len(entries) >= 100
    assert set(entries) == {line(0).rstrip(b"\n"), line(1).rstrip(b"\n")}
    assert len(list(kept.iterdir())) == 2


def test_a_command_brings_the_lines_of_the_devices_that_it_names(tmp_path: Path) -> None:
    bench = Bench(tmp_path, 2)
    for board in bench.boards:
        board.print(b"before: nothing of memory\r\n" + line(1))
    bench.wait(lambda: len(bench.readings("heap")) == 2, "both boards are heard")
    bench.stations.obey(Command(wall_ms() - 1, 10.0, ["d0"]))
    wish = Command(wall_ms() + 60_000, 10.0, ["d0"])
    for _ in range(2):  # it is desired state: told twice it is still one wish
        bench.stations.obey(wish)
    for board in bench.boards:
        board.print(b"after: nothing of memory\r\n" + line(2))
    bench.wait(lambda: len(bench.readings("log").get("d0", [])) >= 4, "the lines of the one that was named")
    bench.wait(lambda: len(bench.readings("heap").get("d1", [])) == 2, "the other one's line")
    logs = bench.readings("log")
    assert logs.keys() == {"d0"}
    texts = [str(log.values["text"]) for log in logs["d0"]]
    assert texts == [
        "before: nothing of memory",
        line(1).decode().strip(),
        "after: nothing of memory",
        line(2).decode().strip(),
    ]


def test_a_suspected_board_is_asked_more_often(tmp_path: Path) -> None:
    board, calm = Board(tmp_path / "tty0"), Board(tmp_path / "tty1")
    asked = [
        Port(port=str(one.link), device=name, ask=("heap",), every_s=600) for one, name in ((board, "d0"), (calm, "d1"))
    ]
    polled = Port(port="command:echo 'Free heap: 12345 bytes'", device="d2", every_s=600)
    config = AgentConfig(ports=(*asked, polled), capture=Capture(enabled=False))
    stations = Stations(config, tmp_path, Remembered(), wall_ms)
    typed, quiet, answers = b"", b"", 0
    stations.obey(Command(wall_ms() + 60_000, 1.0, ["d0", "d2"]))

    def asked_again() -> bool:
        nonlocal typed, quiet, answers
        answers += sum(isinstance(item, Reading) and item.kind == "heap" for item in stations.step())
        typed, quiet = typed + board.typed(), quiet + calm.typed()
        return typed.count(b"heap\r") >= 2 and answers >= 2 and b"heap\r" in quiet

    wait_until(asked_again, "what is suspected is asked twice")
    stations.close()
    assert quiet.count(b"heap\r") == 1
