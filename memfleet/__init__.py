"""Watches the memory of embedded fleets. These names are for programs that build on memfleet; all else may change.

Each is imported when it is first asked for: emulated heaps need NumPy and the compiled core, readings need neither.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "agent.consoles.fact": ("Fact",),
    "agent.consoles.whole": ("parse",),
    "emulators.devices.device": ("Device",),
    "emulators.fleet": ("Fleet",),
    "emulators.heap": ("Block", "Heap", "HeapStats", "Operations"),
    "telemetry.errors": ("ConfigError", "EnvironmentFault", "JournalError", "MemfleetError", "UsageError", "WireError"),
    "telemetry.journal": ("Cursor", "Frame", "Journal", "JournalReader"),
    "telemetry.readings": ("KINDS", "About", "Kind", "Reading"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'memfleet' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
