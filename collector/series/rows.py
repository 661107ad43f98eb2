"""What the readers of `series.db` give: plain values, ready for JSON. Times are wall ms, sizes bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from telemetry.readings import Value


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """One line of the fleet table.

    `state` is the worst open alert that nobody acknowledged or silenced ("critical", "warning"), else "silent" or
    "ok". `used` and `limit` are bytes of the device's fullest heap, process or pool (a stack where it has none of
    these), `used_of` names it; None when nothing says. `alerts` counts the open ones. `note` is what people are told
    instead of the state: "muted" where it is "ok" for all its open alerts being acknowledged or silenced; "retired".
    """

    device: str
    platform: str
    board: str
    firmware: str
    agent: str
    state: str
    used: int | None
    limit: int | None
    used_of: str
    alerts: int
    last_seen_ms: int
    boot: int
    uptime_ms: int | None
    os: str = ""
    first_seen_ms: int = 0
    texts: Mapping[str, str] | None = None
    limits: Mapping[str, int] | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """One thing on a device, and its newest values (of its newest boot)."""

    id: int
    kind: str
    names: tuple[str, ...]
    time_ms: int
    boot: int
    uptime_ms: int | None
    flags: tuple[str, ...]
    values: Mapping[str, Value]
    used: int | None
    limit: int | None


@dataclass(frozen=True, slots=True)
class Points:
    """Readings of one series as columns of equal length, in order of time.

    Of hours that are already rolled up there are three points each: least values, most values (at the hour's start
    and middle) and last values (at the time of its last reading). `total` is how many there were before thinning.
    """

    kind: str
    names: tuple[str, ...]
    t: list[int]
    boot: list[int]
    uptime: list[int | None]
    flags: list[int]
    values: Mapping[str, list[Value | None]]
    total: int


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One episode of an alert. `acknowledged_ms` and `silenced_until_ms` are 0 when nobody did. `restarts` is how often
    the device has restarted since what `reason` tells of its memory, which then says so."""

    key: str
    episode: str
    status: str
    rule: str
    severity: str
    device: str
    platform: str
    firmware: str
    kind: str
    names: tuple[str, ...]
    since_ms: int
    at_ms: int
    reason: str
    numbers: Mapping[str, float]
    acknowledged_ms: int
    acknowledged_by: str
    silenced_until_ms: int
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class LogRow:
    """A line that a device logged."""

    time_ms: int
    boot: int
    uptime_ms: int | None
    level: str
    module: str
    text: str


@dataclass(frozen=True, slots=True)
class EventRow:
    """Something that happened on a device: a boot, a failed allocation, a panic. `values` depend on the type."""

    time_ms: int
    boot: int
    uptime_ms: int | None
    type: str
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class HoleRow:
    """A stretch of a device's time without readings; `to_ms` is None while it lasts, `from_ms` 0 where nobody knows.

    `cause`: "lost" when `frames` of its agent never came, "silence" when the device said nothing.
    """

    device: str
    agent: str
    from_ms: int
    to_ms: int | None
    cause: str
    frames: int


@dataclass(frozen=True, slots=True)
class AgentReading:
    """What an agent last said of itself; the numbers are those of the kind `agent`."""

    agent: str
    time_ms: int
    received_ms: int
    uptime_ms: int | None
    boot: int
    values: Mapping[str, Value]
