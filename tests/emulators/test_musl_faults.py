"""musl's core with broken records and with a host that refuses memory, under the address and undefined sanitizers."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

CORE = Path(__file__).parents[2] / "emulators" / "core"
HARNESS = Path(__file__).with_name("musl_faults.c")
FLAGS = ["-std=c11", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", f"-I{CORE}"]


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The harness, built with every source of the core but the Python binding."""
    built = tmp_path_factory.mktemp("musl_faults") / "musl_faults"
    sources = sorted(source for source in CORE.glob("*.c") if not source.name.startswith("python"))
    subprocess.run(["cc", *FLAGS, *map(str, sources), str(HARNESS), "-o", str(built)], check=True)
    return built


@pytest.mark.parametrize("what", ["flip", "starve"])
def test_survives(harness: Path, what: str) -> None:
    """`flip`: heap_check sees every broken field. `starve`: a call refused for want of memory changes nothing."""
    run = subprocess.run([str(harness), what, "1"], capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
