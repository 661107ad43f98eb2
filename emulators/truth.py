"""What is really wrong with an emulated device: known to those who score detectors, never told to a collector."""

from __future__ import annotations

from dataclasses import dataclass

FAULTS = ("healthy", "leak", "fragmentation", "stack_creep", "exhaustion")


@dataclass(frozen=True, slots=True)
class Truth:
    """The fault of a device.

    `fault` is one of FAULTS; `leak_bytes_per_hour` is what the heap's `used` grows by (allocator rounding included
    where the rate is that of whole blocks), 0 when nothing leaks; `from_ms` is the uptime at which the fault sets in;
    `note` says it in words.
    """

    fault: str = "healthy"
    leak_bytes_per_hour: int = 0
    from_ms: int = 0
    note: str = ""
