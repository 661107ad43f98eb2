"""What a stretch of time says of each thing, in a few numbers: the desk's morning report."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from collector.judge.reasons import span
from collector.series.boots import Boot, Numbers, boots_of

_HOUR_MS = 3_600_000
_LEAST_SAMPLES = 8
_LEAST_SPAN_MS = 1_800_000
_PARTS = 60
_GAP = 5
_Z = 1.96


@dataclass(frozen=True, slots=True)
class Line:
    """One thing of one device over the time asked for.

    `boots` that were seen; `slope`, `slope_low`, `slope_high` in bytes/hour of its last boot, with the 95 %
    interval, or where that was too short those of the verdict; `verdict` is what the judge last said of it, `fine`
    when it had nothing to say, or `unclear`, with the reason in `why` (of what is over: how it ended); `suspect` is
    the task whose memory grows most; `hours_left` at the end of the time, of what the judge forecast (0: it was
    due); `gaps` are stretches without readings, five times as long as usual or more, `longest_gap_s` the longest;
    `ended_ms` is when the alert of the verdict ended, None where none did.
    """

    device: str
    kind: str
    names: tuple[str, ...]
    boots: int
    samples: int
    slope: float | None
    slope_low: float | None
    slope_high: float | None
    verdict: str
    why: str
    suspect: str
    hours_left: float | None
    gaps: int
    longest_gap_s: float
    ended_ms: int | None = None


@dataclass(frozen=True, slots=True)
class _Alert:
    rule: str
    reason: str
    slope: tuple[float, float, float] | None
    hours_left: float | None
    ended_ms: int | None


def report(db: sqlite3.Connection, devices: Sequence[str], span_ms: tuple[int, int]) -> list[Line]:
    """A line for each thing of these devices, and for what else was told of them; what was told comes first."""
    by_thing: dict[tuple[str, str, tuple[str, ...]], list[Boot]] = {}
    for boot in boots_of(db, devices, span_ms):
        by_thing.setdefault((boot.device, boot.kind, boot.names), []).append(boot)
    alerts = _alerts(db, span_ms)
    suspects = {device: _suspect(device, by_thing) for device in devices}
    lines = [_line(thing, boots, alerts, suspects[thing[0]]) for thing, boots in by_thing.items()]
    lines += [
        _told_of(thing, alert) for thing, alert in alerts.items() if thing[0] in suspects and thing not in by_thing
    ]
    return sorted(lines, key=_rank)


def _rank(line: Line) -> tuple[Any, ...]:
    was_told, is_over = line.verdict not in ("fine", "unclear"), line.ended_ms is not None
    return not was_told, is_over, not line.samples, line.device, line.kind, line.names


def _told_of(thing: tuple[str, str, tuple[str, ...]], alert: _Alert) -> Line:
    """What has no slope and was told of all the same: restarts, failed allocations, silence."""
    return Line(*thing, 0, 0, None, None, None, alert.rule, alert.reason, "", alert.hours_left, 0, 0.0, alert.ended_ms)


def slope_of(times: Numbers, used: Numbers) -> tuple[float, float, float] | None:
    """Slope and 95 % interval of the least used memory in up to 60 parts, bytes/hour (Theil 1950, Sen 1968); None
    where half an hour and eight samples are not there."""
    if len(used) < _LEAST_SAMPLES or times[-1] - times[0] < _LEAST_SPAN_MS:
        return None
    parts = min(_PARTS, len(used) // 2)
    cuts = np.linspace(0, len(used), parts + 1).astype(int)[:-1]
    least, at = np.minimum.reduceat(used, cuts), times[cuts]
    i, j = np.triu_indices(parts, 1)
    slopes = np.sort((least[j] - least[i]) / (at[j] - at[i])) * _HOUR_MS
    spread = _Z * math.sqrt(parts * (parts - 1) * (2 * parts + 5) / 18)
    low = max(0, int((len(slopes) - spread) / 2))
    high = min(len(slopes) - 1, math.ceil((len(slopes) + spread) / 2))
    return float(np.median(slopes)), float(slopes[low]), float(slopes[high])


def gaps_of(times: Iterable[Numbers]) -> tuple[int, float]:
    """How many stretches without readings there are within boots, and how long the longest is, seconds."""
    steps = np.concatenate([np.zeros(0), *(np.diff(each) for each in times)])
    if not len(steps):
        return 0, 0.0
    long = steps[steps > _GAP * max(1.0, float(np.median(steps)))]
    return len(long), float(long.max()) / 1000 if len(long) else 0.0


def _line(
    thing: tuple[str, str, tuple[str, ...]],
    boots: Sequence[Boot],
    alerts: dict[tuple[str, str, tuple[str, ...]], _Alert],
    suspect: str,
) -> Line:
    last = boots[-1]
    slope, alert = slope_of(last.times, last.used), alerts.get(thing)
    middle, low, high = slope or (alert and alert.slope) or (None, None, None)
    gaps, longest_s = gaps_of(boot.times for boot in boots)
    verdict, why = ("fine", "") if slope else ("unclear", _why(last))
    if alert is not None:
        verdict, why = alert.rule, alert.reason
    return Line(
        *thing, len({boot.boot for boot in boots}), sum(len(boot.used) for boot in boots),
        middle, low, high, verdict, why, suspect if alert is not None and thing[1] != "task" else "",
        alert.hours_left if alert else None, gaps, longest_s, alert.ended_ms if alert else None,
    )  # fmt: skip


def _why(last: Boot) -> str:
    if len(last.used) < _LEAST_SAMPLES:
        return f"only {len(last.used)} samples after the start-up of its last boot, {_LEAST_SAMPLES} are the least"
    seen = span((last.times[-1] - last.times[0]) / 1000)
    return f"its last boot was seen for {seen} after start-up, 30 min are the least"


def _suspect(device: str, by_thing: dict[tuple[str, str, tuple[str, ...]], list[Boot]]) -> str:
    """The task whose memory surely grows, and most."""
    growing = [
        (slope[0], " / ".join(name for name in thing[2] if name))
        for thing, boots in by_thing.items()
        if thing[:2] == (device, "task") and (slope := slope_of(boots[-1].times, boots[-1].used)) and slope[1] > 0
    ]
    return max(growing)[1] if growing else ""


def _alerts(db: sqlite3.Connection, span_ms: tuple[int, int]) -> dict[tuple[str, str, tuple[str, ...]], _Alert]:
    """The worst alert of each thing that fired at some time of the span: open ones before those that are over."""
    found: dict[tuple[str, str, tuple[str, ...]], _Alert] = {}
    rows = db.execute(
        "SELECT device, kind, names, rule, reason, numbers, status, at_ms FROM alerts WHERE since_ms <= :end"
        " AND (status = 'firing' OR at_ms >= :start) ORDER BY status,"
        " CASE severity WHEN 'critical' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END, since_ms",
        {"start": span_ms[0], "end": span_ms[1]},
    )
    for device, kind, names, rule, reason, numbers, status, at_ms in rows:
        known = msgspec.json.decode(numbers)
        fires = status == "firing"
        left, ended_ms = (_left(known, span_ms[1] - at_ms), None) if fires else (None, at_ms)
        alert = _Alert(rule, reason, _slope_told(known), left, ended_ms)
        found.setdefault((device, kind, tuple(msgspec.json.decode(names))), alert)
    return found


def _left(numbers: Mapping[str, float], passed_ms: int) -> float | None:
    """What is left of a forecast, hours, 0 when it is due; None where there is none, or where it was for the boots of a
    device that has restarted since."""
    told = numbers.get("leak_hours_left")
    if told is None:
        return None
    left = told - passed_ms / _HOUR_MS
    return None if left <= 0 and "leak_boots" in numbers else max(0.0, left)


def _slope_told(numbers: Mapping[str, float]) -> tuple[float, float, float] | None:
    """The slope that a verdict gives, with its interval."""
    rate, low, high = (numbers.get(name) for name in ("leak_rate", "leak_rate_low", "leak_rate_high"))
    return None if rate is None or low is None or high is None else (rate, low, high)
