"""What one message says of one device, before its name, its boot and its place in the fleet are known."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class Measure(msgspec.Struct, frozen=True):
    """One thing that was measured: `kind`, `names`, `values` are those of `telemetry.readings.KINDS`, sizes in bytes.

    `resolution` is the step of the source's counter, bytes: 1024 where it counts whole KiB.
    """

    kind: str
    names: tuple[str, ...]
    values: Mapping[str, int]
    resolution: int = 1


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One message of one device.

    `system` is the map that knew it. `family` and `alias` say where the device publishes: two maps of one family share
    aliases. `mac` is 12 lower-case hex digits, empty when the message has none. `texts` are platform, board, firmware,
    os and labels. `uptime_ms` is since boot, in steps of `uptime_step_ms`; `wraps`: it starts again at 2**32 ms.
    `boots` is the device's own count of its boots, `booted`: such a message is sent after a boot only. `online` is what
    the device, or the broker in its place, said of the connection. `partial`: more of the same moment is on its way.
    `poll`: the device can be asked. `period_ms`: how often such devices speak unless told otherwise, 0 if unknown.
    """

    system: str
    family: str
    alias: str
    time_ms: int
    mac: str = ""
    texts: Mapping[str, str] = {}
    uptime_ms: int | None = None
    uptime_step_ms: int = 1000
    wraps: bool = False
    boots: int | None = None
    booted: bool = False
    reset_reason: str = ""
    reset_class: str = ""
    online: bool | None = None
    measures: tuple[Measure, ...] = ()
    partial: bool = False
    poll: bool = False
    period_ms: int = 0

    def identity(self) -> Report | None:
        """What stays true however old the message is; None when it says nothing of that."""
        if not self.mac and not self.texts:
            return None
        return Report(
            system=self.system, family=self.family, alias=self.alias, time_ms=self.time_ms, mac=self.mac,
            texts=self.texts, poll=self.poll,
        )  # fmt: skip
