"""What a user would write otherwise: a fixed threshold, and Prometheus' predict_linear. First alert of each device."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detection.drawing import HOUR, Drawn

THRESHOLDS = (0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
HORIZONS_H = (1, 4, 12, 24, 72, 168)
HOLDS_S = 600.0
PREDICT_HOLDS_S = 1800.0
WINDOW_S = 4 * HOUR

Array = NDArray[np.float64]


def first_alerts(device: Drawn) -> dict[tuple[str, float], float | None]:
    """When each setting of each baseline alerts first, seconds since the start; None where never.

    Neither knows of boots, as those that are written by hand do not.
    """
    times = np.concatenate([boot.times for boot in device.boots])
    used = np.concatenate([boot.used for boot in device.boots])
    found: dict[tuple[str, float], float | None] = {}
    for threshold in THRESHOLDS:
        found["threshold", threshold] = _held(times, used >= threshold * device.spec.size, HOLDS_S)
    level, slope = _fitted(times, used)
    for horizon in HORIZONS_H:
        ends = level + slope * horizon * HOUR >= device.spec.size
        found["predict_linear", horizon] = _held(times, ends, PREDICT_HOLDS_S)
    return found


def _held(times: Array, holds: NDArray[np.bool_], seconds: float) -> float | None:
    """The first moment at which it has held for so long."""
    if not holds.any():
        return None
    begins = np.flatnonzero(holds & ~np.append(False, holds[:-1]))
    ends = np.flatnonzero(holds & ~np.append(holds[1:], False))
    for begin, end in zip(begins, ends, strict=True):
        if times[end] - times[begin] >= seconds:
            return float(times[np.searchsorted(times, times[begin] + seconds)])
    return None


def _fitted(times: Array, used: Array) -> tuple[Array, Array]:
    """Least squares over the last four hours at each sample: the level now, and the slope a second."""
    start = np.searchsorted(times, times - WINDOW_S)
    sums = {
        name: np.append(0.0, np.cumsum(column))
        for name, column in {"t": times, "u": used, "tt": times**2, "tu": times * used}.items()
    }
    upto = np.arange(len(times)) + 1
    count = upto - start
    t, u, tt, tu = (sums[name][upto] - sums[name][start] for name in ("t", "u", "tt", "tu"))
    spread = tt - t * t / count
    with np.errstate(all="ignore"):
        slope = np.where((count >= 3) & (spread > 1), (tu - t * u / count) / spread, 0)
    return u / count + slope * (times - t / count), slope
