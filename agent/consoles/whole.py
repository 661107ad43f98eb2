"""A console log that is at hand as a whole."""

from __future__ import annotations

from agent.consoles.console import Console
from agent.consoles.fact import SYSTEMS, Fact
from telemetry.errors import UsageError


def parse(log: str | bytes, system: str | None = None) -> list[Fact]:
    """What a console log says about memory and about the device's life, in the order of its lines; sizes in bytes.

    `system` names what printed it (mt3620, esp32, zephyr, freertos) instead of having it recognised; UsageError for
    another name. A log of any bytes gives facts or none, never another error.
    """
    if system is not None and system not in SYSTEMS:
        raise UsageError(f"no system {system!r}; choose one of {', '.join(SYSTEMS)}")
    console = Console(system)
    data = log.encode(errors="surrogateescape") if isinstance(log, str) else log
    return [*console.feed(data), *console.close()]
