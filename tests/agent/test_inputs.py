"""Inputs that are no serial ports of this machine, and what people do with a port beside memfleet."""

from __future__ import annotations

import contextlib
import select
import socket
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import serial.rfc2217

from agent.config import Port
from agent.inputs.followed_file import FollowedFile
from agent.inputs.polled_command import explain
from agent.inputs.syslog import text_of
from agent.ports import Chunk, Notice, Ports
from tests.agent.boards import Board
from tests.servers import free_port
from tests.waiting import LIMIT_S, wait_until


@contextlib.contextmanager
def running(*ports: Port, directory: Path | None = None) -> Iterator[Ports]:
    opened = Ports(ports, directory=directory)
    opened.start()
    try:
        yield opened
    finally:
        opened.close()


def wait_for(ports: Ports, holds: Callable[[bytes, list[str]], Any]) -> bytes:
    """The bytes that came until `holds(bytes, notices)`."""
    data = b""
    notices: list[str] = []

    def came() -> Any:
        nonlocal data
        for told in ports.get():
            if isinstance(told, Chunk):
                data += told.data
            elif isinstance(told, Notice):
                notices.append(told.what)
        return holds(data, notices)

    wait_until(came, "what the port is to bring", pause_s=0.005)
    return data


def wait_typed(board: Board, holds: Callable[[bytes], Any]) -> bytes:
    """What was typed to the board until `holds(bytes)`."""
    typed = b""

    def came() -> Any:
        nonlocal typed
        typed += board.typed()
        return holds(typed)

    wait_until(came, "what is typed to the board")
    return typed


def wait_open(ports: Ports) -> None:
    wait_for(ports, lambda _, notices: "opened" in notices)


@pytest.mark.parametrize(
    ("datagram", "text"),
    [
        (b"<13>Nov 20 22:14:18 board app[12]: Free heap: 1000 bytes", b"Free heap: 1000 bytes\n"),
        (b"<13>Nov  2 22:14:18 board E (12) wifi: no\n", b"E (12) wifi: no\n"),
        (b'<165>1 2026-11-20T22:14:18.003Z host app 12 ID47 [a@1 b="c"] \xef\xbb\xbfline', b"line\n"),
        (b"<165>1 2026-11-20T22:14:18.003Z host app - - - line", b"line\n"),
        (b"<14>only text", b"only text\n"),
        (b"plain \xff\x00", b"plain \xff\n"),
    ],
)
def test_syslog_gives_the_lines_of_the_device(datagram: bytes, text: bytes) -> None:
    assert text_of(datagram) == text


def test_syslog_is_heard_over_udp() -> None:
    address = f"127.0.0.1:{free_port()}"
    with (
        running(Port(port=f"syslog://{address}", device="d")) as ports,
        socket.socket(type=socket.SOCK_DGRAM) as sender,
    ):
        wait_open(ports)
        host, port = address.split(":")
        sender.sendto(b"<13>Nov 20 22:14:18 board Heap  | Free: 8 bytes, Allocated: 4 bytes", (host, int(port)))
        assert wait_for(ports, lambda data, _: data) == b"Heap  | Free: 8 bytes, Allocated: 4 bytes\n"


def test_a_socket_is_read_and_taken_up_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = Port(port=f"socket://127.0.0.1:{server.getsockname()[1]}", device="d")
        with running(port) as ports:
            for text in (b"one\n", b"two\n"):
                client, _ = server.accept()
                client.send(text)
                assert wait_for(ports, lambda data, _: data.endswith(b"\n")) == text
                client.close()


@pytest.mark.filterwarnings("ignore:setName:DeprecationWarning", "ignore:setDaemon:DeprecationWarning")
def test_an_rfc2217_server_is_read_and_written_to() -> None:
    """A server as ser2net is one: pyserial's own manager in front of a port that echoes."""
    echo = serial.serial_for_url("loop://", timeout=0)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):  # the server is closed
                while True:  # who gives up on a slow answer comes again
                    talk(server.accept()[0])

        def talk(client: socket.socket) -> None:
            with contextlib.suppress(ConnectionError), client, client.makefile("rwb", buffering=0) as file:
                manager = serial.rfc2217.PortManager(echo, file)  # type: ignore[arg-type]  # the stubs are narrow
                while True:
                    if select.select([client], [], [], 0.02)[0]:
                        if not (data := client.recv(1024)):
                            return
                        echo.write(b"".join(manager.filter(data)))
                    if data := echo.read(1024):
                        client.sendall(b"".join(manager.escape(data)))

        threading.Thread(target=serve, daemon=True).start()
        port = Port(port=f"rfc2217://127.0.0.1:{server.getsockname()[1]}", device="d", ask=("heap \xff",), every_s=60)
        with running(port) as ports:
            echoed = wait_for(ports, lambda data, _: data.endswith(b"\r"))
        assert echoed == "heap \xff\r".encode()


def test_a_command_is_run_and_its_failure_explained_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tool = tmp_path / "azsphere"
    flag, runs = tmp_path / "development", tmp_path / "runs"
    tool.write_text(
        f"#!/bin/sh\necho >> {runs}\n"
        f"[ -e {flag} ] || {{ echo 'error: the appDevelopment capability is required' >&2; exit 1; }}\n"
        "echo ' User Mode                  36864'\n"
    )
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    with running(Port(port=f"command:{tool} device app show-memory-stats", device="d", every_s=1)) as ports:
        wait_until(lambda: "enable-development" in "".join(ports.trouble.values()), "the failure is explained")
        wait_until(lambda: runs.read_text().count("\n") >= 3, "it is run again: it fails alike, nothing new is said")
        assert caplog.text.count("enable-development") == 1
        flag.touch()
        assert b"36864" in wait_for(ports, lambda data, _: data.count(b"36864") >= 2)
        assert not ports.trouble


def test_azsphere_finds_the_tool_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "az"
    tool.write_text(f"#!{sys.executable}\nimport sys\nprint(*sys.argv[1:])\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with running(Port(port="azsphere:", device="d")) as ports:
        assert wait_for(ports, lambda data, _: data) == b"sphere device app show-memory-stats\n"


@pytest.mark.parametrize(
    ("output", "meaning"),
    [
        ("error: The device does not have the appDevelopment capability.", "enable-development"),
        ("error: Could not find any attached devices.", "no Azure Sphere device answers"),
        ("'show-memory-stats' is misspelled or not recognized by the system.", "install 21.04 or newer"),
        ("warning: x\nerror: something else\n", "error: something else"),
        ("", "it said nothing"),
    ],
)
def test_errors_of_the_azure_sphere_tool_are_explained(output: str, meaning: str) -> None:
    assert meaning in explain(output)


def test_a_file_that_is_emptied_or_replaced_is_followed(tmp_path: Path) -> None:
    log = tmp_path / "board.log"
    log.write_bytes(b"first\n")
    with running(Port(port=str(log), device="d")) as ports:
        assert wait_for(ports, lambda data, _: data) == b"first\n"
        log.write_bytes(b"2\n")
        assert wait_for(ports, lambda data, _: data) == b"2\n"
        log.rename(tmp_path / "board.log.1")
        log.write_bytes(b"third\n")
        assert wait_for(ports, lambda data, _: data) == b"third\n"


def test_a_file_goes_on_where_it_was_read_to(tmp_path: Path) -> None:
    log = tmp_path / "board.log"
    log.write_bytes(b"first\n")
    opened = FollowedFile(str(log))
    assert opened.read() == b"first\n"
    place = opened.place
    opened.close()
    with log.open("ab") as more:
        more.write(b"second\n")
    assert FollowedFile(str(log), place).read() == b"second\n"
    log.write_bytes(b"2\n")
    assert FollowedFile(str(log), place).read() == b"2\n", "it was emptied meanwhile"
    log.rename(tmp_path / "board.log.1")
    log.write_bytes(b"another file\n")
    assert FollowedFile(str(log), place).read() == b"another file\n"


def test_commands_are_typed_into_the_shell_of_the_board(tmp_path: Path) -> None:
    board = Board(tmp_path / "tty")
    with running(Port(port=str(board.link), device="d", ask=("kernel heap", "kernel stacks"), every_s=1)) as ports:
        wait_open(ports)
        typed = wait_typed(board, lambda typed: typed.count(b"kernel stacks\r") >= 2)
    assert typed.startswith(b"kernel heap\rkernel stacks\rkernel heap\r")


def test_a_relay_shares_the_port_with_a_person(tmp_path: Path) -> None:
    board = Board(tmp_path / "tty")
    with running(Port(port=str(board.link), device="d", relay=True), directory=tmp_path) as ports:
        wait_open(ports)
        board.print(b"nobody sees this\n")
        wait_for(ports, lambda data, _: data.endswith(b"\n"))
        with serial.Serial(str(tmp_path / "relay" / "d"), timeout=LIMIT_S) as person:
            board.print(b"hello\n")
            assert person.readline() == b"hello\n"
            person.write(b"help\r")
            wait_typed(board, lambda typed: typed == b"help\r")
        assert wait_for(ports, lambda data, _: data) == b"hello\n"
        board.print(b"again\n")  # the person has left
        assert wait_for(ports, lambda data, _: data) == b"again\n"
    assert not (tmp_path / "relay" / "d").exists()


@pytest.mark.parametrize(
    ("is_file", "said"), [(True, "relay is a file, where a folder belongs"), (False, "relay/d: Is a directory")]
)
def test_what_stands_in_the_place_of_a_relay_is_said_and_keeps_nothing_from_being_read(
    is_file: bool, said: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    board = Board(tmp_path / "tty")
    (tmp_path / "relay").touch() if is_file else (tmp_path / "relay" / "d").mkdir(parents=True)
    with running(Port(port=str(board.link), device="d", relay=True), directory=tmp_path) as ports:
        wait_open(ports)
        board.print(b"read\n")
        wait_for(ports, lambda data, _: data == b"read\n")
    assert said in caplog.text


def test_a_port_is_lent_and_taken_back_when_the_borrower_dies(tmp_path: Path) -> None:
    board = Board(tmp_path / "tty")
    with running(Port(port=str(board.link), device="d"), directory=tmp_path) as ports:
        wait_open(ports)
        borrower = socket.socket(socket.AF_UNIX)
        borrower.connect(str(tmp_path / "control"))
        borrower.send(b"release d\n")
        assert borrower.recv(100) == f"released {board.link}\n".encode()
        with serial.Serial(str(board.link), exclusive=True, timeout=LIMIT_S) as flasher:  # nobody else has it
            board.print(b"for the flasher\n")
            assert flasher.readline() == b"for the flasher\n"
        borrower.close()
        wait_for(ports, lambda _, notices: notices[-2:] == ["released", "opened"])
        board.print(b"back\n")
        assert wait_for(ports, lambda data, _: data) == b"back\n"


def test_asking_for_an_unknown_port_names_those_that_there_are(tmp_path: Path) -> None:
    board = Board(tmp_path / "tty")
    with running(Port(port=str(board.link), device="d"), directory=tmp_path), socket.socket(socket.AF_UNIX) as borrower:
        borrower.connect(str(tmp_path / "control"))
        borrower.send(b"release x\n")
        assert borrower.recv(1000) == f"unknown {board.link}\n".encode()
