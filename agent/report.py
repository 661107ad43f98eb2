"""How the agent itself is doing, as a reading of kind `agent` under the agent's own name: gateways are watched too."""

from __future__ import annotations

import ctypes
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from agent.outbox import Outbox
from telemetry.clock import monotonic_ms
from telemetry.errors import WireError
from telemetry.pace import PERIODS
from telemetry.readings import SILENT_AFTER, About, Reading, Value
from telemetry.resets import STOPPED
from telemetry.wire import Rows, decode_body

PERIOD_MS = 30_000
_SILENT_AFTER_S = PERIODS * PERIOD_MS // 1000
_END = "agent/end"

_TIMEX_BYTES = 256  # struct timex has 208 on 64-bit Linux; all zero, it asks and changes nothing
_UNSYNCHRONISED = 5  # TIME_ERROR of adjtimex(2)


class Report:
    """Makes the reading; it looks at disk and clock when asked, never by itself.

    `clock_state` says what the stamps are worth: synchronised, unsynchronised, untrusted or unknown.
    """

    def __init__(
        self,
        name: str,
        version: str,
        outbox: Outbox,
        clock_state: Callable[[], str],
        up_ms: Callable[[], int] = monotonic_ms,
    ) -> None:
        self._name = name
        self._version = version
        self._outbox = outbox
        self._clock_state = clock_state
        self._boot = outbox.boot_of(_own(name)) + 1
        outbox.set_boot(_own(name), self._boot)
        self._reset_reason = outbox.recall(_END).get("", "")
        outbox.remember(_END, "")
        self._up_ms, self._started_ms = up_ms, up_ms()

    def reading(self, now_ms: int, folder: Path, consoles: Mapping[str, int] | None = None) -> Reading:
        """The agent at `now_ms` (the clock that stamps its readings); `consoles` is what it has to say of these."""
        values: dict[str, Value] = {
            "outbox_depth": self._outbox.depth,
            "oldest_age_ms": self._oldest_age_ms(now_ms),
            "evicted": self._outbox.counters().get("evicted_frames", 0),
            "disk_free": shutil.disk_usage(folder).free,
            "clock": self._clock_state(),
            "version": self._version,
            **(consoles or {}),
        }
        if self._reset_reason:
            values["reset_reason"] = self._reset_reason
        uptime_ms = self._up_ms() - self._started_ms  # the wall clock may be set meanwhile
        return Reading(self._name, "agent", (), now_ms, values, self._boot, uptime_ms)

    def about(self) -> About:
        """The agent, described as its devices are: its collector may call these silent sooner than it speaks."""
        return About(self._name, self._boot, {}, {SILENT_AFTER: _SILENT_AFTER_S})

    def end(self) -> None:
        """The agent ends because it was told to: the next start is no restart that nobody wanted."""
        self._outbox.remember(_END, STOPPED)

    def _oldest_age_ms(self, now_ms: int) -> int:
        """Age of the oldest reading that the collector does not have; 0 when it has all."""
        for frame in self._outbox.after(self._outbox.base - 1, 1):
            try:
                blocks = decode_body(frame.data)
            except WireError:  # of a version before an upgrade
                return 0
            times = [block.t0 for block in blocks if isinstance(block, Rows)]
            return max(0, now_ms - min(times)) if times else 0
        return 0


def system_clock_state() -> str:
    """Whether the system's clock is synchronised, as the kernel knows it: adjtimex(2)."""
    try:
        answer = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        return "unknown"
    if answer < 0:
        return "unknown"
    return "unsynchronised" if answer == _UNSYNCHRONISED else "synchronised"


def untrusted_clock_state() -> str:
    """Of a gateway whose readings carry monotonic time."""
    return "untrusted"


def _own(name: str) -> str:
    return f"agent {name}"  # no device can have a name with a space
