"""What recorded readings do not say each by itself: what their device is, which of its boots they are of, and how often
it speaks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from telemetry.pace import Pace
from telemetry.readings import MEMORY_KINDS, SILENT_AFTER, About, Reading

LONGEST_SILENCE_MS = 6 * 3_600_000
"""For so long a device of which no period is known yet may say nothing."""
_UPTIME_SLACK_MS = 2_000
_WRAP_MS, _WRAP_SLACK_MS = 2**32, 60_000
_DRIFT = 0.05
"""By which part of the time two clocks may come apart."""
_SAME_WORD_MS = 1_000
"""What a device says twice within that time it says once."""


class _Life(NamedTuple):
    """The boot that a device is in by our count, by its own (-1: it does not say), how far its uptime was, and when."""

    boot: int
    said: int
    uptime_ms: int
    time_ms: int

    def fell(self, uptime_ms: int, time_ms: int) -> bool:
        """Whether that is less than it was, and no counter of 32 bits that began anew after 49.7 days."""
        since_ms = time_ms - self.time_ms
        behind_ms = self.uptime_ms + since_ms - uptime_ms
        turns = round(behind_ms / _WRAP_MS)
        wrapped = turns > 0 and abs(behind_ms - turns * _WRAP_MS) <= _WRAP_SLACK_MS + since_ms // 1000
        return uptime_ms < self.uptime_ms - _UPTIME_SLACK_MS and not wrapped

    def goes_on(self, uptime_ms: int, time_ms: int) -> bool:
        """Whether that is how far it must be by then."""
        since_ms = time_ms - self.time_ms
        return abs(self.uptime_ms + since_ms - uptime_ms) <= _UPTIME_SLACK_MS + _DRIFT * since_ms


class _Report(NamedTuple):
    """When a device began to report, and of what it has said something since: kinds and names."""

    time_ms: int
    things: set[tuple[str, tuple[str, ...]]]


class Descriptions:
    """What is known of each device: what a line leaves out is as lines before it said."""

    def __init__(self) -> None:
        self._known: dict[str, About] = {}

    def settle(self, about: About) -> About:
        """The description with all that is known; lines come in order of time."""
        known = self._known.get(about.device) or About(about.device, about.boot, {"platform": "other"})
        texts, limits = known.texts, known.limits
        if not about.texts.items() <= texts.items():
            texts = {**texts, **about.texts}
        if not about.limits.items() <= limits.items():
            limits = {**limits, **about.limits}
        self._known[about.device] = found = About(about.device, about.boot, texts, limits)
        return found


class Boots:
    """Counts the boots of each device: a new one begins when the lines say another, or when the uptime goes back.

    Where the lines say that the boot is the same, a misread uptime may be all that went back: that line waits for the
    device's next uptime. Log lines begin no boot: some are of a processor with a clock of its own.
    """

    def __init__(self) -> None:
        self._lives: dict[str, _Life] = {}
        self._doubted: dict[str, tuple[About, Reading]] = {}

    def settle(self, about: About, reading: Reading) -> Iterator[tuple[About, Reading]]:
        """Those that are settled by now, each with the boot that it is by our count; they come in order of time."""
        said, known, uptime_ms = reading.boot, self._lives.get(reading.device), _uptime_of(reading)
        if known is not None and uptime_ms is not None:
            if reading.device in self._doubted:
                of_doubted, doubted = self._doubted.pop(reading.device)
                if said > known.said or known.goes_on(uptime_ms, reading.time_ms):
                    doubted = replace(doubted, uptime_ms=None)
                yield self._settled(of_doubted, doubted)
                known = self._lives[reading.device]
            if 0 <= said == known.said and known.fell(uptime_ms, reading.time_ms):
                self._doubted[reading.device] = about, reading
                return
        yield self._settled(about, reading)

    def rest(self) -> Iterator[tuple[About, Reading]]:
        """Those that wait still, at the end."""
        for about, reading in self._doubted.values():
            yield self._settled(about, reading)

    def _settled(self, about: About, reading: Reading) -> tuple[About, Reading]:
        said, uptime_ms, time_ms = reading.boot, _uptime_of(reading), reading.time_ms
        known = self._lives.get(reading.device)
        if known is None:
            life = _Life(max(1, said), said, uptime_ms or 0, time_ms)
        elif known.said < 0 <= said and not (uptime_ms is not None and known.fell(uptime_ms, time_ms)):
            life = known._replace(said=said, uptime_ms=max(known.uptime_ms, uptime_ms or 0), time_ms=time_ms)
        elif said > known.said or (uptime_ms is not None and known.fell(uptime_ms, time_ms)):
            life = _Life(max(known.boot + 1, said), said, uptime_ms or 0, time_ms)
        elif 0 <= said < known.said:
            life = known._replace(boot=known.boot - 1)  # a last word of the boot before
        elif uptime_ms is not None and uptime_ms > known.uptime_ms:
            life = known._replace(uptime_ms=uptime_ms, time_ms=time_ms)
        else:
            life = known
        if known is None or life.boot >= known.boot:
            self._lives[reading.device] = life
        if life.boot == said:
            return about, reading
        return About(about.device, life.boot, about.texts, about.limits), replace(reading, boot=life.boot)


class Paces:
    """Learns how often each device speaks, so that one that reports every hour is not silent between two reports,
    whatever stands beside it in the file. Until a gap is known a period of hours is assumed. A report is what it says
    until it says something of the same heap, pool or task again: a board may tell of one some seconds after another.
    Of one that measures only measurements count: what it says as it starts, or when something happens, has no period.
    """

    def __init__(self) -> None:
        self._paces: dict[str, Pace] = {}
        self._reports: dict[str, _Report] = {}
        self._measuring: set[str] = set()

    def settle(self, about: About, reading: Reading) -> About:
        """The description with how long the device may be silent."""
        device, measures = reading.device, reading.kind in MEMORY_KINDS
        if measures and device not in self._measuring:
            self._measuring.add(device)
            self._paces.pop(device, None)
            self._reports.pop(device, None)
        pace = self._paces.setdefault(device, Pace(LONGEST_SILENCE_MS))
        if measures or device not in self._measuring:
            report, thing = self._reports.get(device), (reading.kind, reading.names)
            if report is None or (thing in report.things and reading.time_ms - report.time_ms >= _SAME_WORD_MS):
                report = self._reports[device] = _Report(reading.time_ms, set())
                pace.heard(reading.time_ms, 0)
            report.things.add(thing)
        silent_after_s = max(about.limits.get(SILENT_AFTER, 0), pace.silent_after_s)
        return About(about.device, about.boot, about.texts, {**about.limits, SILENT_AFTER: silent_after_s})


def _uptime_of(reading: Reading) -> int | None:
    return None if reading.kind == "log" else reading.uptime_ms
