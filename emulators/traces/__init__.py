"""Allocation traces: read, replay on an emulated heap, compare with recorded answers, draw.

    trace.py     what a trace is and what its replay gives       text.py   the plain text form
    recorded.py  the recorded format, alloc-oracle/1             logs.py   from HeapTracker, ESP-IDF and Zephyr logs
    initial.py   tables of empty heaps, alloc-oracle-init/1      plot.py   used, free and largest block over time

Nothing here reads or writes a file; `memfleet trace` does.
"""

from emulators.traces.compare import Comparison, compare
from emulators.traces.initial import InitialTable
from emulators.traces.read import read_trace
from emulators.traces.trace import Replay, Settings, Trace, TraceFault, replay

__all__ = [
    "Comparison",
    "InitialTable",
    "Replay",
    "Settings",
    "Trace",
    "TraceFault",
    "compare",
    "read_trace",
    "replay",
]
