"""`memfleet parse` as it is called: from files and pipes, packed or not."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from tests.memfleet.running import run

LOG = b"""*** Booting Zephyr OS build v4.0.0 ***\r
Stack | Free: 576 bytes\r
Heap  | Free: 896 bytes, Allocated: 104 bytes\r
"""


def parse(*arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[str]:
    return run("parse", *arguments, data=data)


@pytest.mark.parametrize(
    "pack", [bytes, gzip.compress, zstandard.ZstdCompressor().compress], ids=["plain", "gzip", "zstd"]
)
def test_reads_files_by_content(tmp_path: Path, pack: object) -> None:
    file = tmp_path / "board.log"
    file.write_bytes(pack(LOG))  # type: ignore[operator]
    objects = [json.loads(line) for line in parse(str(file)).stdout.splitlines()]
    heap = next(shown for shown in objects if shown["kind"] == "heap")
    assert heap == {
        "line": 3, "end_line": 3, "system": "zephyr", "kind": "heap", "name": "system", "free": 896, "used": 104,
    }  # fmt: skip


def test_reads_a_packed_pipe() -> None:
    assert '"min_free": 576' in parse("-", data=gzip.compress(LOG)).stdout


def test_summary_counts_lines() -> None:
    done = parse("-", "--summary", data=LOG)
    assert "zephyr: 3 lines, 3 understood" in done.stdout


def test_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    done = parse(str(tmp_path / "none.log"))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "cannot be read" in done.stderr


def test_packed_file_that_is_cut_short_gives_what_it_held(tmp_path: Path) -> None:
    file = tmp_path / "board.log.gz"
    file.write_bytes(gzip.compress(LOG * 2000)[:-400])
    done = parse(str(file))
    assert done.returncode == 2
    assert "cut short" in done.stderr
    assert '"min_free": 576' in done.stdout


@pytest.mark.parametrize("frames", [1, 3])
def test_zstandard_that_is_cut_short_gives_what_it_held(tmp_path: Path, frames: int) -> None:
    file = tmp_path / "board.log.zst"
    packed = zstandard.compress(LOG * 2000) * frames
    file.write_bytes(packed)
    done = parse(str(file))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"min_free": 576') == 2000 * frames
    file.write_bytes(packed[:-40])
    done = parse(str(file))
    assert done.returncode == 2
    assert "cut short" in done.stderr
    assert frames == 1 or '"min_free": 576' in done.stdout


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (b"", "no line is in it"),
        (b"a\nb\n", "no reading of memory is in it (2 lines, 0 understood). The system was not recognised."),
        (b"W (1) app: low\n", "no reading of memory is in it (1 lines, 0 understood). ESP-IDF: call heap_caps_print"),
    ],
)
def test_a_log_that_says_nothing_is_told_so(log: bytes, said: str) -> None:
    for words in ((), ("--summary",)):
        done = parse("-", *words, data=log)
        assert done.returncode == 0
        assert said in done.stderr


def test_unknown_system_names_the_choices() -> None:
    done = parse("-", "--system", "vxworks")
    assert done.returncode == 2
    assert "mt3620, esp32, zephyr, freertos" in done.stderr


def test_what_a_terminal_has_no_letter_for_is_escaped() -> None:
    log = "W (1) app: 5 \u20ac \U0001f600\n".encode()
    done = subprocess.run(
        [sys.executable, "-m", "memfleet", "parse", "-"],
        input=log, capture_output=True, env=os.environ | {"PYTHONIOENCODING": "latin-1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["text"] == "5 \u20ac \U0001f600"
    assert done.stdout.isascii()
