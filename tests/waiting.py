"""Waiting for what another thread, process or server brings about: the one way in which tests wait.

A limit is for what never comes. It is far above what anything here takes, since the machine may be slow and busy.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

LIMIT_S = 120.0
PAUSE_S = 0.02


def wait_until(
    holds: Callable[[], T], what: str, log: Path | None = None, *, limit_s: float = LIMIT_S, pause_s: float = PAUSE_S
) -> T:
    """The first true value that `holds` gives. When none comes the test fails and says `what` it waited for, and how
    the `log` ends by then. Between two looks it sleeps for `pause_s`."""
    deadline = time.monotonic() + limit_s
    while not (value := holds()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {limit_s:.0f} s in vain: {what}{f'; {tail(log)}' if log else ''}")
        time.sleep(pause_s)
    return value


def step_until(step: Callable[[], object], holds: Callable[[], T], what: str, *, limit_s: float = LIMIT_S) -> T:
    """The same while `step` drives what is under test, and lets time pass."""

    def after_a_step() -> T:
        step()
        return holds()

    return wait_until(after_a_step, what, limit_s=limit_s, pause_s=0)


def said(log: Path) -> str:
    """All that a log says by now; what is looked for may be far from its end by the time somebody looks."""
    return log.read_text(errors="replace") if log.exists() else ""


def tail(log: Path) -> str:
    """The end of a log, for messages of failing tests."""
    return said(log)[-2000:] or "(nothing is said)"
