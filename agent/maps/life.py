"""Whether a device has restarted. Pure; all times are milliseconds of the clock that stamps the messages.

A device restarted when its uptime fell short of what it was plus the time that has passed, when its own count of boots
rose, or when it sent what it sends after a boot only. A new connection is no restart, nor is a 32-bit count of
milliseconds that starts again. A wake from deep sleep begins the uptime anew and is still no reboot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent.maps.report import Report

Verdict = Literal["", "boot", "wake"]

WRAP_MS = 2**32
SLACK_MS = 10_000
"""What delivery and rounding may take off an uptime before that means something."""
DRIFT = 5000
"""A device's clock may be wrong by one part in so many."""
WRAP_SLACK_MS = 60_000
SAME_BOOT_MS = 30_000
"""A message that follows a boot belongs to the boot that the uptime told of within this span."""


@dataclass(slots=True)
class Life:
    """What is known of a device's present boot. `uptime_ms` is what it was at `seen_ms`, wraps added; `count` is the
    device's own count of boots, `uncounted` those found since without it."""

    uptime_ms: int | None = None
    seen_ms: int = 0
    count: int | None = None
    uncounted: int = 0
    sleeps: bool = False
    known: bool = False
    found_ms: int | None = None

    def observe(self, report: Report) -> Verdict:
        """Take in a message: did the device restart, or wake, since the last one?"""
        if report.reset_class:
            self.sleeps = report.reset_class == "deep_sleep"
        first, self.known = not self.known, True
        fell = self._fell(report) if report.uptime_ms is not None else False
        told = report.booted and not self._told_before(report)
        risen = self._has_risen(report)
        if not (fell or told or risen) or first:
            if report.booted and first:
                self._begin(report)
            return ""
        self.uncounted += report.boots is None
        if not fell:
            self._begin(report)
        self.found_ms = report.time_ms if fell and not report.booted else None
        return "wake" if self.sleeps else "boot"

    def uptime_at(self, time_ms: int) -> int | None:
        """The uptime at that time; None when the device has never told one in this boot."""
        return None if self.uptime_ms is None else max(0, self.uptime_ms + time_ms - self.seen_ms)

    def _begin(self, report: Report) -> None:
        """A boot without an uptime of its own: it has just begun."""
        if report.uptime_ms is None:
            self.uptime_ms, self.seen_ms = 0, report.time_ms

    def _fell(self, report: Report) -> bool:
        told = report.uptime_ms or 0
        before, self.uptime_ms = self.uptime_ms, told
        elapsed, self.seen_ms = report.time_ms - self.seen_ms, report.time_ms
        if before is None:
            return False
        slack = SLACK_MS + 2 * report.uptime_step_ms + max(0, elapsed) // DRIFT
        expected = before + elapsed
        if report.wraps:
            turns = max(0, round((expected - told) / WRAP_MS))
            whole = told + turns * WRAP_MS
            if turns and abs(whole - expected) <= slack + WRAP_SLACK_MS:
                self.uptime_ms = whole
                return False
        if told < before - 2 * report.uptime_step_ms:
            return True
        return expected - told > slack and told <= elapsed + slack  # else it was late, not young

    def _told_before(self, report: Report) -> bool:
        if report.boots is not None and report.boots == self.count:
            return True
        found, self.found_ms = self.found_ms, None
        return found is not None and report.time_ms - found <= SAME_BOOT_MS

    def _has_risen(self, report: Report) -> bool:
        if report.boots is None:
            return False
        before, self.count = self.count, report.boots
        found, self.uncounted = self.uncounted, 0
        return before is not None and report.boots > before and not found
