"""The whole core under the address and undefined sanitizers, fed with bytes; and its sources without a warning."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

CORE = Path(__file__).parents[2] / "emulators" / "core"
SOURCES = sorted(source for source in CORE.glob("*.c") if not source.name.startswith("python"))
FLAGS = ["-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", f"-I{CORE}"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """heap_fuzz.c with all of the core."""
    built = tmp_path_factory.mktemp("heap_fuzz") / "heap_fuzz"
    sources = [*SOURCES, Path(__file__).with_name("heap_fuzz.c")]
    subprocess.run(["cc", *FLAGS, *SANITIZERS, *map(str, sources), "-o", str(built)], check=True)
    return built


def test_no_bytes_break_a_heap(harness: Path, tmp_path: Path) -> None:
    """HEAP_FUZZ_INPUTS asks for more inputs than the usual few seconds' worth, HEAP_FUZZ_SEED for others."""
    inputs, seed = os.environ.get("HEAP_FUZZ_INPUTS", "1000"), os.environ.get("HEAP_FUZZ_SEED", "1")
    run = subprocess.run([str(harness), inputs, seed], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, f"{run.stdout}{run.stderr}: see {tmp_path / 'heap_fuzz.input'}"


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_the_core_keeps_no_globals(source: Path, tmp_path: Path) -> None:
    """Nothing but constants outlives a call: no data or bss section holds a byte."""
    built = tmp_path / "core.o"
    subprocess.run(["cc", *FLAGS, "-fno-pie", "-c", str(source), "-o", str(built)], check=True)
    symbols = subprocess.run(["nm", str(built)], capture_output=True, text=True, check=True).stdout
    assert [line for line in symbols.splitlines() if line.split()[-2] in "dDbBC"] == []
