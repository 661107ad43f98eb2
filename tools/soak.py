"""Runs the demo for a long time and watches the memory of its processes: `python tools/soak.py --seconds 3600`.

Prints one JSON object at the end. Exit status 1: devices are missing, or a process grew by more than a fifth between
the second quarter of the run and the last one (before that, tables and caches fill as they should).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

SAMPLE_S = 2.0
GROWTH = 1.2


def main(seconds: int, devices: int) -> int:
    """Run, watch, report."""
    command = ["memfleet", "demo", "--json", "--for", f"{seconds}s", "--devices", str(devices)]
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    samples: dict[str, list[tuple[float, int]]] = {}
    began = time.monotonic()
    while demo.poll() is None:
        for name, resident in memory_of_children(demo.pid).items():
            samples.setdefault(name, []).append((time.monotonic() - began, resident))
        time.sleep(SAMPLE_S)
    printed, _ = demo.communicate()
    report = json.loads(printed) if printed else {"devices_live": 0}
    memory = {name: grown(series, seconds) for name, series in samples.items()}
    grew = sorted(name for name, (before, after) in memory.items() if before and after > before * GROWTH)
    print(json.dumps({**report, "seconds": seconds, "resident_mib": memory, "grew": grew}))  # noqa: T201
    return 1 if grew or report["devices_live"] < devices or demo.returncode else 0


def grown(series: list[tuple[float, int]], seconds: int) -> tuple[float, float]:
    """Median resident memory in the second and in the last quarter of the run, MiB; 0 where there is none."""
    quarters: tuple[list[int], list[int]] = ([], [])
    for at, resident in series:
        if seconds / 4 <= at < seconds / 2:
            quarters[0].append(resident)
        elif at >= seconds * 3 / 4:
            quarters[1].append(resident)
    before, after = (round(median(quarter) / 2**20, 1) if quarter else 0.0 for quarter in quarters)
    return before, after


def memory_of_children(parent: int) -> dict[str, int]:
    """Resident bytes of a process and of all that it started, by what each is."""
    parents, found = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = dict(line.split(":\t", 1) for line in (folder / "status").read_text().splitlines())
            words = (folder / "cmdline").read_bytes().decode(errors="replace").strip("\0").split("\0")
        except (OSError, ValueError):
            continue  # it ended while we looked
        parents[int(folder.name)] = int(status["PPid"])
        if "VmRSS" in status:
            found[int(folder.name)] = (called(words), int(status["VmRSS"].split()[0]) * 1024)
    return {name: size for pid, (name, size) in found.items() if is_below(pid, parent, parents)}


def called(words: list[str]) -> str:
    """A short name for a command line: the part of a collector, or the command."""
    if "--only" in words:
        return words[words.index("--only") + 1]
    named = [word for word in words if word in ("demo", "emulate", "collect")]
    return named[0] if named else Path(words[0]).name


def is_below(pid: int, ancestor: int, parents: dict[int, int]) -> bool:
    """Whether a process is the ancestor or was started, directly or not, by it."""
    while pid and pid != ancestor:
        pid = parents.get(pid, 0)
    return pid == ancestor


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=int, default=3600)
    options.add_argument("--devices", type=int, default=200)
    chosen = options.parse_args()
    sys.exit(main(chosen.seconds, chosen.devices))
