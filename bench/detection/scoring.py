"""Scores: first verdicts against what was drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np

from detection.drawing import LEAKS, REASON, WEEK, Drawn
from detection.hearing import Verdict

_LATE = 2.0
"""The share of the way counts at most so much: it was found after memory had ended."""


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
    return scores | {
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
        "forecast_error": _forecast_errors(devices, verdicts),
    }


def _forecast_errors(devices: Sequence[Drawn], verdicts: Mapping[str, Sequence[Verdict]]) -> dict[str, float | None]:
    """Of the first forecast of each device that ran out of memory later: its error as a part of the time left."""
    errors = []
    for device in devices:
        if device.spec.fault not in LEAKS or device.spec.fault == "self-healing-leak" or device.ended_s is None:
            continue
        for verdict in verdicts[device.spec.name][:1]:
            hours, left = verdict.numbers.get("leak_hours_left"), (device.ended_s - verdict.at_s) / 3600
            if hours is not None and left > 0 and "leak_boots" not in verdict.numbers:
                errors.append(abs(hours - left) / left)
    if not errors:
        return {"count": 0, "median": None, "p90": None}
    return {
        "count": len(errors), "median": _rounded(median(errors)), "p90": _rounded(float(np.quantile(errors, 0.9)))
    }  # fmt: skip


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
