"""The clock of a gateway whose wall clock is not trusted: which boot of it readings belong to, what it shows when sent.

Readings of a boot that is over are on a clock that runs no more. What it would show is known at least: it went on for
as long as each later boot is known to have lasted. The collector marks what it makes of that as a guess.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

from telemetry.wire import EARLIER, MONOTONIC, clock_of

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def host_boot_id(path: Path = _BOOT_ID) -> str:
    """This boot of the host, so that a restart of ours changes nothing; random where the system has none."""
    try:
        return path.read_text().strip()
    except OSError:
        return secrets.token_hex(8)


class HostClock:
    """`clocks` are those of all boots in the outbox, oldest first, with the last each was seen to show, ms."""

    def __init__(self, boot_id: str, clocks: Mapping[str, int]) -> None:
        self._boot_id = boot_id
        earlier = [(boot, last_ms) for boot, last_ms in clocks.items() if boot != boot_id]
        self._ahead_ms = {boot: sum(ms for _, ms in earlier[n:]) for n, (boot, _) in enumerate(earlier)}

    def stamp(self, body: bytes, now_ms: int) -> tuple[int, int]:
        """Header flags and now_ms for a frame that is sent when the clock shows `now_ms`."""
        clock = clock_of(body)
        if clock is None:
            return 0, now_ms
        if clock.boot_id == self._boot_id:
            return MONOTONIC, now_ms
        return MONOTONIC | EARLIER, now_ms + self._ahead_ms.get(clock.boot_id, 0)
