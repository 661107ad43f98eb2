"""Installing: with a compiler everything, with one that fails everything but the emulated heaps."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = ("agent", "collector", "emulators", "memfleet", "telemetry", "CMakeLists.txt", "LICENSE", "README.md")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The files that make up the project, in a folder of their own."""
    folder = tmp_path / "source"
    folder.mkdir()
    shutil.copy(ROOT / "pyproject.toml", folder)
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        else:
            shutil.copy(ROOT / name, folder)
    return folder


def install(source: Path, target: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Install from the sources into a folder, without the network: packages and build tools are those of the tests."""
    command = [sys.executable, "-m", "pip", "install", "--no-build-isolation", "--no-deps", "--no-index"]
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [*command, "--target", str(target), str(source)],
        env={**os.environ, "PATH": tools, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **environment},
        capture_output=True, text=True, timeout=580,
    )  # fmt: skip


def run(target: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A Python that finds memfleet in the folder and nowhere else; -S: an editable install is not looked at."""
    path = os.pathsep.join([str(target), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    return subprocess.run(
        [sys.executable, "-S", *words], cwd=target, env={**os.environ, "PYTHONPATH": path},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@pytest.mark.timeout(600)
def test_without_a_working_compiler_all_but_the_emulators_installs(tmp_path: Path, source: Path) -> None:
    compiler = tmp_path / "cc"
    compiler.write_text("#!/bin/sh\necho 'this compiler fails' >&2\nexit 1\n")
    compiler.chmod(0o755)
    target = tmp_path / "target"
    done = install(source, target, CC=str(compiler))
    assert done.returncode == 0, done.stdout + done.stderr
    assert not list(target.glob("emulators/_core*.so"))

    where = run(target, "-c", "import memfleet; print(memfleet.__file__)")
    assert where.stdout.strip() == str(target / "memfleet" / "__init__.py"), where.stderr
    helped = run(target, "-c", COMMAND_LINE, "--help")
    assert (helped.returncode, "emulate" in helped.stdout) == (0, True), helped.stderr
    parsed = run(target, "-c", COMMAND_LINE, "parse", str(ROOT / "pyproject.toml"))
    assert (parsed.returncode, parsed.stdout) == (0, "")
    assert "no reading of memory is in it" in parsed.stderr

    emulated = run(target, "-c", COMMAND_LINE, "emulate", "--devices", "1", "--data", str(tmp_path / "outbox"))
    assert emulated.returncode == 1
    assert emulated.stderr.startswith("memfleet: the emulated heaps are not built")
    assert emulated.stderr.count("\n") == 1


COMMAND_LINE = "from memfleet.cli import main; main()"


@pytest.mark.timeout(600)
def test_with_a_compiler_the_emulated_heaps_are_built(tmp_path: Path, source: Path) -> None:
    target = tmp_path / "target"
    done = install(source, target, SKBUILD_CMAKE_BUILD_TYPE="Debug")  # quicker to compile
    assert done.returncode == 0, done.stdout + done.stderr
    (core,) = target.glob("emulators/_core*.so")
    loaded = run(target, "-c", "import emulators._core as core; print(core.__file__)")
    assert loaded.stdout.strip() == str(core), loaded.stderr
    names = {path.name for path in target.iterdir()}
    assert {"agent", "collector", "emulators", "memfleet", "telemetry"} <= names
    assert not names & {"tests", "bench", "docs", "tools", "deploy"}
