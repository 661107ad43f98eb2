"""What a console printed, before device, boot and wall time are known."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

Printed = Mapping[str, int | str]
"""Numbers and words as the device printed them."""

SYSTEMS = ("mt3620", "esp32", "zephyr", "freertos")


class Fact(msgspec.Struct, frozen=True, gc=False):
    """One thing a console printed about memory or about the life of the device.

    `kind`, `names` and `values` are those of `telemetry.readings.KINDS`, sizes in bytes; only what was printed, or
    follows from it exactly, is in `values`. `line` and `end_line` count line feeds from 1. `uptime_ms` comes from the
    log prefix when that counts from boot. `raw` keeps printed numbers that are no field, for people.

    Two event types begin a new boot: `boot` (a banner) and `reset` (a boot ROM's first line).
    """

    kind: str
    names: tuple[str, ...]
    values: Printed
    line: int
    end_line: int
    system: str
    uptime_ms: int | None = None
    flags: tuple[str, ...] = ()
    resolution: int = 1
    raw: Mapping[str, object] = {}

    @property
    def begins_boot(self) -> bool:
        """True for the facts after which everything belongs to a new boot of the device."""
        return self.kind == "event" and self.names[0] in ("boot", "reset")
