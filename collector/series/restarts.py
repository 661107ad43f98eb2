"""How often a device has restarted since an alert was told: what it says of memory is of a boot that is over."""

from __future__ import annotations

SINCE_TOLD = """CASE WHEN alerts.status = 'firing' AND alerts.kind NOT IN ('device', 'event') AND alerts.boot > 0
            THEN max(0, coalesce(devices.boot - alerts.boot, 0)) ELSE 0 END"""
"""SQL, where `alerts` is joined with its `devices`: 0 for what is over, and for what outlives boots by itself."""


def before(restarts: int) -> str:
    """What an alert begins with that tells of memory before so many restarts: it stays until the new boot was clear for
    a while, or has shown it too."""
    if not restarts:
        return ""
    return "Before it restarted: " if restarts == 1 else f"Before its last {restarts} restarts: "
