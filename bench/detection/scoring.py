"""Scores: first verdicts against what was drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from detection.drawing import LEAKS, REASON, WEEK, Drawn
from detection.hearing import Verdict

_LATE = 2.0
"""The share of the way counts at most so much: it was found after memory had ended."""
_AT_LEAST_H = 1 / 3600
"""Hours left for which widths are parts of them."""


def must_be_found(device: Drawn) -> bool:
    """A leak that ends memory within the time; any other fault."""
    return bool(device.spec.fault) and (device.spec.fault not in LEAKS or device.ended_s is not None)


def fraction(device: Drawn, at_s: float) -> float:
    """The share of the way from the beginning of a leak to the end of memory."""
    assert device.ended_s is not None
    return min(_LATE, max(0.0, at_s - device.spec.from_s) / (device.ended_s - device.spec.from_s))


def of_alerts(devices: Sequence[Drawn], first: Mapping[str, float | None]) -> dict[str, Any]:
    """Scores of anything that alerts on a device: precision, recall of leaks, earliness."""
    alerted = [device for device in devices if first.get(device.spec.name) is not None]
    leaks = [device for device in devices if device.spec.fault in LEAKS and device.ended_s is not None]
    found = [device for device in leaks if first.get(device.spec.name) is not None]
    shares = [fraction(device, float(first[device.spec.name] or 0)) for device in found]
    return {
        "precision": _part(sum(bool(device.spec.fault) for device in alerted), len(alerted)),
        "leak_recall": _part(len(found), len(leaks)),
        "detected_at_fraction": _rounded(median(shares)) if shares else None,
    }


def of_verdicts(devices: Sequence[Drawn], verdicts: Mapping[str, Sequence[Verdict]], seconds: float) -> dict[str, Any]:
    """Scores of the judge."""
    first = {name: told[0] if told else None for name, told in verdicts.items()}
    scores = of_alerts(devices, {name: one.at_s if one else None for name, one in first.items()})
    faulty = [device for device in devices if must_be_found(device)]
    kinds = sorted({device.spec.fault for device in faulty})
    right = [
        one.reason == REASON[device.spec.fault]
        for device in devices
        if device.spec.fault and (one := first[device.spec.name])
    ]
    healthy = [device for device in devices if not device.spec.fault]
    false = sum(len({verdict.reason for verdict in verdicts[device.spec.name]}) for device in healthy)
    weeks = len(healthy) * seconds / WEEK
    return {
        **scores,
        "recall_by_kind": {
            kind: _part(
                sum(bool(first[device.spec.name]) for device in faulty if device.spec.fault == kind),
                sum(device.spec.fault == kind for device in faulty),
            )
            for kind in kinds
        },
        "false_alarms": false,
        "healthy_device_weeks": round(weeks, 1),
        "false_alarms_per_1000_healthy_device_weeks": _rounded(1000 * false / weeks) if weeks else None,
        "right_reason": _part(sum(right), len(right)),
        **_forecasts(devices, verdicts),
    }


def _forecasts(devices: Sequence[Drawn], verdicts: Mapping[str, Sequence[Verdict]]) -> dict[str, Any]:
    """Of the first forecast of each device that ran out of memory later: how far it was off, and whether its interval
    held the end. Both, and the width of the interval, are parts: of the time that was left, and of that forecast."""
    first = [one for device in devices for one in _first_forecast(device, verdicts[device.spec.name])]
    errors = [abs(told.hours - told.left) / told.left for told in first]
    widths = [(told.latest - told.soonest) / max(told.hours, _AT_LEAST_H) for told in first]
    return {
        "forecast_error": {
            "count": len(first),
            "median": _rounded(median(errors)) if first else None,
            "p90": _rounded(float(np.quantile(errors, 0.9))) if first else None,
        },
        "forecast_in_interval": {
            "share": _part(sum(told.soonest <= told.left <= told.latest for told in first), len(first)),
            "width": _rounded(median(widths)) if first else None,
            "ended_sooner": sum(told.left < told.soonest for told in first),
            "ended_later": sum(told.left > told.latest for told in first),
        },
    }


class _Told(NamedTuple):
    """A forecast with its interval, and what was left in truth; hours."""

    hours: float
    soonest: float
    latest: float
    left: float


def _first_forecast(device: Drawn, verdicts: Sequence[Verdict]) -> list[_Told]:
    """The first one, if it is of a leak whose only end comes later; else none."""
    if device.spec.fault not in LEAKS or device.spec.fault == "self-healing-leak" or device.ended_s is None:
        return []
    told = []
    for verdict in verdicts[:1]:
        numbers, left = verdict.numbers, (device.ended_s - verdict.at_s) / 3600
        hours = numbers.get("leak_hours_left")
        if hours is not None and left > 0 and "leak_boots" not in numbers:
            ends = numbers.get("leak_hours_low", 0.0), numbers.get("leak_hours_high", math.inf)
            told.append(_Told(hours, *ends, left))
    return told


def at_equal_recall(
    devices: Sequence[Drawn], alerts: Mapping[tuple[str, float], Mapping[str, float | None]], name: str, recall: float
) -> dict[str, Any]:
    """A baseline at the setting with the best precision that finds as many leaks; else the one that finds most."""
    tried = [
        of_alerts(devices, first) | {"setting": setting} for (which, setting), first in alerts.items() if which == name
    ]
    equal = [scores for scores in tried if (scores["leak_recall"] or 0) >= recall]
    if equal:
        return max(equal, key=lambda scores: scores["precision"] or 0)
    return max(tried, key=lambda scores: (scores["leak_recall"] or 0, scores["precision"] or 0))


def _part(count: int, of: int) -> float | None:
    return _rounded(count / of) if of else None


def _rounded(value: float) -> float:
    return round(value, 4)
