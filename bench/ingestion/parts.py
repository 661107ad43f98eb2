"""Parts of a collector of some tree, each in a process of its own, and what their files say."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sqlite3
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent.parent.parent
_PART = Path(__file__).parent / "part.py"

Process = subprocess.Popen[bytes]


@contextlib.contextmanager
def earlier_tree(commit: str) -> Iterator[Path]:
    """The project as it was, in a folder that goes again."""
    packed = subprocess.run(["git", "archive", commit], cwd=HERE, check=True, stdout=subprocess.PIPE).stdout
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(folder, filter="data")
        yield Path(folder)


@contextlib.contextmanager
def part(tree: Path, name: str, config: dict[str, Any], directory: Path, *rest: str) -> Iterator[Process]:
    """A part of that tree's collector, running; `config` holds what differs from the defaults."""
    packages = os.pathsep.join((str(tree), sysconfig.get_paths()["purelib"], sysconfig.get_paths()["platlib"]))
    command = [sys.executable, "-S", str(_PART), name, json.dumps(config), str(directory), *rest]
    process = subprocess.Popen(command, cwd=tree, env=os.environ | {"PYTHONPATH": packages})
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def cpu_s(process: Process) -> float:
    """CPU seconds that a process has used."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def counter(path: Path, name: str) -> int:
    """A counter of one of the collector's files, 0 while there is none."""
    return _asked(path, f"SELECT coalesce(max(value), 0) FROM counters WHERE name = '{name}'")


def ticks(path: Path) -> int:
    """How many frames a journal holds."""
    return _asked(path, "SELECT count(*) FROM frames")


def _asked(path: Path, query: str) -> int:
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            return int(db.execute(query).fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def wait_for(path: Path, name: str, value: int, limit_s: float = 300) -> float:
    """Wait until the counter has reached the value; the monotonic time at which it had."""
    wait_until(lambda: counter(path, name) >= value, limit_s)
    return time.monotonic()


def wait_until(holds: Callable[[], bool], limit_s: float = 60) -> None:
    """Wait for a condition, in small steps."""
    deadline = time.monotonic() + limit_s
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit("a part of the collector does not get on")
        time.sleep(0.005)
