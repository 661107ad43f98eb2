"""Ports: real pseudo-terminals that talk, vanish, come back, or are in somebody else's hands."""

from __future__ import annotations

import contextlib
import grp
import os
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
import serial

from agent.config import Port
from agent.inputs import open_trouble
from agent.ports import Chunk, Ports
from tests.agent.boards import Board
from tests.waiting import wait_until


def chunks_of(ports: Ports) -> list[Chunk]:
    return [told for told in ports.get() if isinstance(told, Chunk)]


def read(ports: Ports, size: int) -> bytes:
    """What comes, until it is that much."""
    data = b""

    def came() -> bool:
        nonlocal data
        data += b"".join(chunk.data for chunk in chunks_of(ports))
        return len(data) >= size

    wait_until(came, f"{size} bytes come", pause_s=0.005)
    return data


def wait_until_open(ports: Ports) -> None:
    wait_until(lambda: ports.opened, "the port is opened")


def wait_for_trouble(ports: Ports, name: str, words: str) -> None:
    wait_until(lambda: words in ports.trouble.get(name, ""), f"it says {words!r} of {name}")


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path / "ttyBoard")


@pytest.fixture
def ports(board: Board) -> Iterator[Ports]:
    opened = Ports([Port(port=str(board.link), device="d")])
    opened.start()
    wait_until_open(opened)
    yield opened
    opened.close()


def test_bytes_arrive_as_they_were_sent(board: Board, ports: Ports) -> None:
    data = bytes(range(256)) * 200
    received = b""
    for start in range(0, len(data), 1024):
        board.print(data[start : start + 1024])
        received += read(ports, 1)
    received += read(ports, len(data) - len(received))
    assert received == data


def test_an_unplugged_port_is_said_and_taken_up_again(board: Board, ports: Ports) -> None:
    board.print(b"one")
    assert read(ports, 3) == b"one"
    board.unplug()
    wait_for_trouble(ports, str(board.link), "no such port; waiting for it")
    board.plug_in()
    wait_until_open(ports)
    board.print(b"two")
    assert read(ports, 3) == b"two"


def test_a_port_that_another_program_has_is_said(board: Board) -> None:
    with serial.Serial(str(board.link), exclusive=True):
        ports = Ports([Port(port=str(board.link), device="d")])
        ports.start()
        wait_for_trouble(ports, str(board.link), "another program has it")
    wait_until_open(ports)
    board.print(b"free")
    assert read(ports, 4) == b"free"
    ports.close()


def test_one_broken_port_does_not_disturb_the_others(tmp_path: Path, board: Board) -> None:
    ports = Ports([Port(port=str(tmp_path / "absent"), device="x"), Port(port=str(board.link), device="d")])
    ports.start()
    wait_until_open(ports)
    board.print(b"hello")
    assert read(ports, 5) == b"hello"
    ports.close()


def test_a_file_is_read_and_followed(tmp_path: Path) -> None:
    log = tmp_path / "board.log"
    log.write_bytes(b"first\n")
    ports = Ports([Port(port=str(log), device="d")], now_ms=lambda: 42)
    ports.start()
    assert read(ports, 6) == b"first\n"
    with log.open("ab") as more:
        more.write(b"second\n")
    assert read(ports, 7) == b"second\n"
    assert not ports.ended
    ports.close()


@pytest.mark.parametrize("address", ["rfc2217://127.0.0.1", "socket://127.0.0.1"])
def test_an_address_without_a_port_says_what_is_missing(address: str) -> None:
    ports = Ports([Port(port=address, device="d")])
    ports.start()
    wait_for_trouble(ports, address, "names no host and port; write")
    ports.close()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("/dev/ttyUSB99", "/dev/ttyUSB99: no such port; waiting for it (`memfleet ports` lists what is plugged in"),
        ("/dev/null", "/dev/null: it is no serial port"),
        ("socket://127.0.0.1:1", "socket://127.0.0.1:1: cannot be opened: Connection refused"),
        ("rfc2217://127.0.0.1:1", "rfc2217://127.0.0.1:1: cannot be opened: Connection refused"),
        ("syslog://no.such.host.invalid:5514", "syslog://no.such.host.invalid:5514: no such host"),
        ("syslog://0.0.0.0", "syslog://0.0.0.0: cannot be opened: names no UDP port; write syslog://0.0.0.0:5514"),
    ],
)
def test_what_cannot_be_opened_is_said_in_plain_words(address: str, said: str) -> None:
    ports = Ports([Port(port=address, device="d")])
    ports.start()
    wait_until(lambda: ports.trouble.get(address, "").startswith(said), f"it says {said!r}")
    ports.close()


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives a file to any group")
def test_a_port_of_a_group_names_the_group(tmp_path: Path) -> None:
    port = tmp_path / "ttyUSB0"
    port.touch(mode=0o660)
    group = next(one for one in grp.getgrall() if one.gr_gid)
    os.chown(port, -1, group.gr_gid)
    assert f"usermod -aG {group.gr_name} $USER" in open_trouble(str(port), PermissionError())
    port.chmod(0o600)
    assert "ask its owner" in open_trouble(str(port), PermissionError())
    assert "below 1024" in open_trouble("syslog://0.0.0.0:514", PermissionError())


def test_a_speed_that_no_driver_takes_is_said(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_port: serial.Serial) -> None:
        raise termios.error(22, "Invalid argument")

    with monkeypatch.context() as patch:
        patch.setattr(serial.Serial, "open", refuse)
        ports = Ports([Port(port=str(board.link), device="d", baud=12_345)])
        ports.start()
        wait_for_trouble(ports, str(board.link), "its driver refuses 12345 bits a second: Invalid argument")
    wait_until_open(ports)
    ports.close()


def test_what_ends_the_reading_ends_the_agent(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_port: Port, _place: str) -> NoReturn:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr("agent.ports.open_input", fail)
    ports = Ports([Port(port=str(board.link), device="d")])
    ports.start()

    def ended() -> bool:
        with contextlib.suppress(ZeroDivisionError):
            ports.get()
            return False
        return True

    wait_until(ended, "the fault comes to who reads")
    ports.close()


def test_a_folder_is_no_console_and_the_others_are_read_on(tmp_path: Path, board: Board) -> None:
    ports = Ports([Port(port=str(tmp_path), device="folder"), Port(port=str(board.link), device="d")])
    ports.start()
    wait_for_trouble(ports, str(tmp_path), "a folder is no console")
    wait_until_open(ports)
    board.print(b"still heard\n")
    assert read(ports, 12) == b"still heard\n"
    ports.close()


def test_a_pipe_comes_to_an_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    ports = Ports([Port(port=str(pipe), device="d")], now_ms=lambda: 42)
    ports.start()
    with pipe.open("wb") as writer:
        writer.write(b"all there is\n")
    chunks: list[Chunk] = []

    def all_read() -> bool:
        chunks.extend(chunks_of(ports))
        return ports.ended and bool(chunks)

    wait_until(all_read, "the pipe ends")
    assert chunks == [Chunk(str(pipe), b"all there is\n", 42)]
    ports.close()
