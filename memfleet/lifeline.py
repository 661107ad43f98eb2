"""Child processes that end with their parent, however it ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading

PARENT = "MEMFLEET_PARENT"
"""Environment variable by which a parent tells its children who it is."""

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """In a child: receive SIGTERM when the parent dies (Linux); elsewhere a no-op. At once when it is dead already."""
    parent = os.environ.get(PARENT)
    if not parent or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != int(parent):
        raise SystemExit(0)


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set; the second one ends the process as usual."""
    stop = threading.Event()

    def handle(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    return stop
