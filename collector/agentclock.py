"""How far an agent's wall clock is behind ours, by what it says of itself.

Its readings of itself come as they are made, unless it has a backlog, which it says. So what lies between the stamp of
one and its arrival is the difference of the clocks.
"""

from __future__ import annotations

WRONG_S = 60
"""A clock that is off by more is wrong: the way takes seconds."""
OLDEST_MS = 365 * 24 * 3600 * 1000
NEWEST_MS = 5 * 60 * 1000
"""Readings may be stamped from a year before they were received to five minutes after; others are refused."""
BEHIND_MS = "clock_behind_ms"
"""The field that intake adds to what an agent says of itself by a wrong clock; negative where that is ahead."""
_WAITS_MS = 10_000
"""Where the oldest reading in the outbox has waited for so long, there is a backlog."""


def behind_s(time_ms: int, received_ms: int, oldest_age_ms: object) -> float | None:
    """Seconds, negative where the agent's clock is ahead; None while it has a backlog, or has not said."""
    if not isinstance(oldest_age_ms, int) or oldest_age_ms > _WAITS_MS:
        return None
    return (received_ms - time_ms) / 1000
