"""Who holds the memory that leaks, where the data names somebody.

a leak of a heap or a process   the task of that heap that grew most meanwhile, if by a good part of the leak;
                                else the caller of the allocation that failed last in this boot
a leak of a task, a stack       that task, that thread
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from collector.judge.board import Board
from collector.judge.detectors.history import BUCKETS, WIDTHS_MS, History
from collector.judge.reasons import size

_MINUTE_MS = 60_000
_PART = 0.3
"""A task that grew by less than this part of the leak is not the one to look at first."""


class Suspect(NamedTuple):
    """Its name; what it did, for the sentence; and the bytes by which it grew, NaN where that is not known."""

    name: str
    deed: str
    grown: float = float("nan")


def suspect_of(board: Board, kind: str, row: int, minutes: float, grown: float) -> Suspect | None:
    """Who is to be looked at first for the leak of that row, which grew by so many bytes in so many minutes."""
    table = board.tables[kind]
    if kind in ("task", "stack"):
        return Suspect(table.names[row][0], "", grown)
    growths = _growth_of_tasks(board, table.devices[row], table.names[row], minutes * _MINUTE_MS)
    task = max(growths, key=lambda name: growths[name], default="")
    if task and growths[task] >= _PART * grown:
        part = min(growths[task], grown)  # it may have gone on since
        return Suspect(task, f"the task {task}, which took {size(part)} of it", part)
    caller = _caller(board, table.devices[row])
    return Suspect(caller, f"{caller}, whose allocation failed") if caller else None


def grown_within(history: History, row: int, span_ms: float) -> float:
    """By how many bytes the least of used memory rose within the last so many ms; 0 where that is not known."""
    level = min(int(np.searchsorted(np.array(WIDTHS_MS) * (BUCKETS - 1), span_ms)), len(WIDTHS_MS) - 1)
    width, newest = WIDTHS_MS[level], int(history.newest[row, level])
    numbers = np.arange(newest - min(BUCKETS - 1, max(1, round(span_ms / width))), newest + 1)
    values = history.least[row, 0, level, numbers % BUCKETS]
    known = values[np.isfinite(values)]
    return float(known[-1]) - float(known[0]) if newest >= 0 and len(known) else 0.0


def _growth_of_tasks(board: Board, device: str, heap: tuple[str, ...], span_ms: float) -> dict[str, float]:
    """What each task of the device took meanwhile, bytes: in that heap, where tasks name their heaps as it is named."""
    tasks, history = board.tables["task"], board.histories["task"]
    rows = [row for kind, row in board.series_of[device] if kind == "task" and not tasks.outdated[row]]
    here = [row for row in rows if heap and tasks.names[row][1:] == heap]
    growths: dict[str, float] = {}
    for row in here or rows:
        name = tasks.names[row][0]
        growths[name] = growths.get(name, 0.0) + grown_within(history, row, span_ms)
    return growths


def _caller(board: Board, device: str) -> str:
    events = board.tables["event"]
    row = events.find(device, ("alloc_failed",))
    return "" if row is None or events.outdated[row] else events.texts[row].get("caller", "")
