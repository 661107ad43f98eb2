"""`memfleet trace` as a user calls it."""

from __future__ import annotations

import json
import subprocess
import zlib
from pathlib import Path

import pytest
from PIL import Image

from tests.memfleet.running import run

CASES = Path(__file__).parents[1] / "cases" / "allocators"
LINES = "m tls 16384\nm rx 1500\nr rx 3000\nf tls\nm big 70000\n"


def trace(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return run("trace", *arguments)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my.trace"
    path.write_text(LINES)
    return path


def test_compare_prints_totals_and_the_first_difference_of_each_file(tmp_path: Path) -> None:
    good = CASES / "tlsf" / "adv0_8192.json.gz"
    replayed = json.loads(trace(good).stdout)
    replayed["res"][5] = 1
    spoilt = tmp_path / "spoilt.json"
    spoilt.write_text(json.dumps(replayed))

    clean = trace("--compare", good)
    assert (clean.returncode, clean.stdout.split(", ")[0]) == (0, "1 files")
    assert clean.stdout.endswith("0 differences\n")

    both = trace("--compare", "--json", good, spoilt)
    told = json.loads(both.stdout)
    assert both.returncode == 1
    assert (told["files"], told["differences"], len(told["differing"])) == (2, 1, 1)
    assert told["differing"][0]["first"].startswith("operation 5 (")


def test_a_recorded_trace_is_printed_in_its_own_format() -> None:
    """All answers stand where they were recorded, so that the output is a recorded trace again."""
    for name in ("tlsf/adv0_8192", "zephyr_k/init_table"):
        path = CASES / f"{name}.json.gz"
        recorded = json.loads(zlib.decompress(path.read_bytes(), wbits=31))
        assert json.loads(trace(path).stdout) == recorded


def test_limits_make_a_gate(file: Path) -> None:
    assert trace(file, "--max-failed", "0", "--size", "160KiB").returncode == 0
    broken = trace(file, "--max-failed", "0", "--max-used", "16KiB", "--size", "64KiB")
    assert broken.returncode == 1
    assert "used 19384 bytes at most, over the limit of 16384" in broken.stderr
    assert "failed allocations: 1, over the limit of 0 since operation 4" in broken.stderr
    assert "first failure   operation 4, line 5: m big 70000" in broken.stdout


@pytest.mark.parametrize("name", ["out.png", "out.svg"])
def test_plot_draws_a_picture(file: Path, tmp_path: Path, name: str) -> None:
    picture = tmp_path / name
    assert trace(file, "--plot", picture).returncode == 0
    data = picture.read_bytes()
    if name.endswith("svg"):
        assert data.count(b"<polyline") == 3
        assert all(f">{size} KiB<".encode() in data for size in (32, 64, 96, 128, 160)), "levels are round"
        return
    with Image.open(picture) as drawn:
        assert (drawn.format, drawn.size) == ("PNG", (1000, 480))
        colours = {colour for _, colour in drawn.getcolors(1 << 16) or ()}
    assert {(204, 78, 40), (46, 125, 80), (52, 98, 178)} <= colours, "three curves"


def test_save_writes_a_trace_that_replays_alike(file: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved.trace"
    first = trace(file, "--save", saved)
    assert saved.read_text() == LINES
    assert trace(saved).stdout == first.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["--size", "100"], 2, "too small for the allocator's control structure"),
        (["--size", "12Q"], 2, "--size 12Q: expected bytes below 4 GiB"),
        (["--allocator", "jemalloc"], 2, "--allocator jemalloc: expected one of tlsf"),
        (["--compare"], 2, "--compare needs recorded answers"),
        (["--compare", "--size", "1K"], 2, "it goes with --json alone"),
        (["--plot", "x.gif"], 2, "expected a name that ends in .png or .svg"),
        (["--plot", "/nowhere/x.png"], 1, "cannot be written"),
        (["no such file"], 2, "no such file: cannot be read"),
    ],
)
def test_a_wrong_call_gets_one_clear_line(file: Path, arguments: list[str], status: int, told: str) -> None:
    answer = trace(file, *arguments)
    assert (answer.returncode, answer.stderr.count("\n")) == (status, 1)
    assert told in answer.stderr
    assert "--plot" not in arguments or not answer.stdout, "it is said before the replay, not after it"


def test_a_double_free_is_a_fault_of_the_trace(tmp_path: Path) -> None:
    twice = tmp_path / "twice.trace"
    twice.write_text("m a 5\nf a\nf a\n")
    answer = trace(twice)
    assert answer.returncode == 1
    assert "operation 2: f a, line 3: frees or resizes an id that is freed already (a double free)" in answer.stderr
