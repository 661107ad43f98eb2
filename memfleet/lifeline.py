"""Child processes that end with their parent, however it ends."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

PARENT = "MEMFLEET_PARENT"
"""Environment variable by which a parent tells its children who it is."""

_PR_SET_PDEATHSIG = 1
_ASKED = 6
"""How often a program is asked to end; `supervisor.END_S` is longer."""


def die_with_parent() -> None:
    """In a child: receive SIGTERM when the parent dies (Linux); elsewhere a no-op. At once when it is dead already."""
    parent = os.environ.get(PARENT)
    if not parent or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != int(parent):
        raise SystemExit(0)


def bound(command: Sequence[str]) -> list[str]:
    """A command line that runs another program, which knows nothing of parents, for as long as its parent lives.

    A process of ours stays before it: what the kernel promises a program by `prctl` ends when that program changes its
    user, as mosquitto does when it is started by root.
    """
    return [sys.executable, "-m", "memfleet.lifeline", *command]


def _run_bound(command: Sequence[str]) -> int:
    stop = stop_on_signals()
    die_with_parent()
    with subprocess.Popen(command) as program:
        while program.poll() is None and not stop.wait(1.0):
            pass
        _end(program)
    return max(0, program.returncode)


def _end(program: subprocess.Popen[bytes]) -> None:
    """SIGTERM, each second anew, since mosquitto loses one that comes just before its loop begins; at last SIGKILL."""
    for _ in range(_ASKED):
        program.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(1.0)
            return
    program.kill()


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set; the second one ends the process as usual."""
    stop = threading.Event()

    def handle(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    return stop


def read_anew_on_hangup() -> threading.Event:
    """An event that SIGHUP sets, as services are asked by it to read their files anew. At a terminal it keeps its other
    meaning: that one is gone, and so are we."""
    asked = threading.Event()
    if not os.isatty(0):
        signal.signal(signal.SIGHUP, lambda _number, _frame: asked.set())
    return asked


if __name__ == "__main__":
    sys.exit(_run_bound(sys.argv[1:]))
