"""What people do with console logs at the command line: try patterns, make cases, lend a port."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agent.config import Port
from agent.ports import Ports
from agent.symbols import Symbols
from tests.agent.boards import Board
from tests.memfleet.running import run
from tests.waiting import wait_until

PATTERNS = r"""
[[patterns]]
match = 'pool sensors: (?P<used>\d+) of (?P<size>\d+) KB'
kind = "pool"
name = "sensors"
unit = "KiB"
"""
LOG = b"""I (10) mem: pool sensors: 12 of 64 KB
I (20) mem: pool sensors: none of 64 KB
I (30) mem: cache memory 1234 of 9999 used up
I (40) mem: cache memory 1235 of 9999 used up
I (50) app: Free heap: 100000 bytes
"""


def test_trying_patterns_shows_matches_near_misses_and_what_nobody_reads(tmp_path: Path) -> None:
    file = tmp_path / "patterns.toml"
    file.write_text(PATTERNS)
    said = run("parse", "--try", str(file), "-", data=LOG).stdout
    assert " matches 1 lines\n  1: pool sensors used 12288, size 65536\n" in said
    assert " almost matches 1 lines\n  2: pool sensors: none of 64 KB\n" in said
    assert "3 lines with a memory word and a number that nobody reads\n  2 x cache memory # of # used up\n" in said
    read = run("parse", "--patterns", str(file), "-", data=LOG).stdout.splitlines()
    assert [json.loads(line)["kind"] for line in read] == ["pool", "heap"]


def test_a_case_is_cut_and_masked_and_passes(tmp_path: Path) -> None:
    log = tmp_path / "crash.log"
    noise = b"".join(b"I (%d) app: nothing\n" % number for number in range(100))
    log.write_bytes(noise + b"I (500) wifi: password=hunter2\n" + LOG[-40:] + noise)
    done = run("case", "add", str(log), "--name", "esp-free", "--into", str(tmp_path / "cases"))
    assert "41 lines, 1 facts, 1 places masked" in done.stdout, done.stderr
    text = (tmp_path / "cases" / "esp-free" / "input.log").read_bytes()
    assert b"hunter2" not in text
    expected = (tmp_path / "cases" / "esp-free" / "expected.jsonl").read_text()
    assert json.loads(expected)["free"] == 100_000
    nowhere = run("case", "add", str(log), "--name", "esp-free", "--into", str(log))
    assert (nowhere.returncode, nowhere.stderr) == (1, f"memfleet: {log}/esp-free: Not a directory\n")
    again = run("case", "add", str(log), "--name", "esp-free", "--into", str(tmp_path / "cases"))
    assert again.returncode == 2
    assert "is there already" in again.stderr


def test_a_port_is_released_for_a_command(tmp_path: Path) -> None:
    board = Board(tmp_path / "tty")
    ports = Ports([Port(port=str(board.link), device="bench-7")], directory=tmp_path)
    ports.start()
    wait_until(lambda: ports.opened, "the port is open")
    flash = "import serial, sys; serial.Serial(sys.argv[1], exclusive=True).write(b'image'); sys.exit(3)"
    words = ["--data", str(tmp_path), "bench-7", "--", sys.executable, "-c", flash, str(board.link)]
    done = run("release", *words)
    assert done.returncode == 3, done.stderr
    assert wait_until(board.typed, "it is written to the board") == b"image"
    wait_until(lambda: ports.opened, "the port is taken back")
    unknown = run("release", "--data", str(tmp_path), "other", "--", "true")
    assert unknown.returncode == 2
    assert str(board.link) in unknown.stderr
    ports.close()
    late = run("release", "bench-7", "--data", str(tmp_path), "--", "true")
    said = "--data stands before the port: memfleet release --data ... bench-7 -- COMMAND"
    assert (late.returncode, said in late.stderr) == (2, True)
    silent = run("release", "--data", str(tmp_path), "bench-7", "--", "true")
    assert silent.returncode == 1
    assert "no agent answers" in silent.stderr


SOURCE = """
static int depth;
int grab(int size) {
    depth += size;
    return depth;
}
int main(void) {
    return grab(3);
}
"""


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program with debug information, in a folder of its own."""
    compiler = shutil.which("cc") or pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("elf")
    (folder / "pump.c").write_text(SOURCE)
    words = [compiler, "-g", "-O0", "-no-pie", "pump.c", "-o", "pump.elf"]
    subprocess.run([*words, "-Wl,-Ttext-segment=0x40000000"], cwd=folder, check=True)
    return folder


def address_of(folder: Path, name: str) -> int:
    from elftools.elf.elffile import ELFFile

    with (folder / "pump.elf").open("rb") as file:
        table: Any = ELFFile(file).get_section_by_name(".symtab")
        return int(table.get_symbol_by_name(name)[0]["st_value"])


def test_addresses_get_function_and_line_by_the_elf_of_the_log(firmware: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256((firmware / "pump.elf").read_bytes()).hexdigest()
    grab, main = address_of(firmware, "grab"), address_of(firmware, "main")
    log = (
        f"rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\nI (1) app_init: ELF file SHA256:  {digest[:9]}...\n"
        f"I (600) main_task: Calling app_main()\nBacktrace: 0x{grab + 8:08x}:0x3ffb0000 0x{main + 12:08x}:0x3ffb0010\n"
    )
    said = run("parse", "--elf", str(firmware), "-", data=log.encode())
    trace = next(one for line in said.stdout.splitlines() if (one := json.loads(line))["name"] == "backtrace")
    assert re.fullmatch(r"grab pump\.c:[34] < main pump\.c:[78]", trace["where"]), said.stderr


def test_another_firmware_gets_no_places(firmware: Path) -> None:
    symbols = Symbols(firmware)
    values = {"text": f"0x{address_of(firmware, 'grab'):08x}:0x3ffb0000"}
    assert symbols.named(values, "0123456789") == values
    assert "grab pump.c" in str(symbols.named(values, "")["where"])  # one ELF only, and the log names none
