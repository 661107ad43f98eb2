"""How often a device speaks: what is silence to it, and what only its way."""

from __future__ import annotations

import random

from telemetry.pace import Pace

MINUTE_MS = 60_000


def spans_s(gaps_ms: list[int]) -> list[int]:
    """After how long the device was silent, at the begin of each gap."""
    pace, now_ms, spans = Pace(), 0, []
    for gap_ms in gaps_ms:
        pace.heard(now_ms, 0)
        spans.append(pace.silent_after_s)
        now_ms += gap_ms
    return spans


def test_a_device_that_speaks_unevenly_is_not_called_silent_time_and_again() -> None:
    chance = random.Random(5)
    gaps_ms = [int(5 * MINUTE_MS * chance.uniform(0.5, 3)) for _ in range(2000)]
    silences = sum(gap > 1000 * span for gap, span in list(zip(gaps_ms, spans_s(gaps_ms), strict=True))[10:])
    assert silences == 0


def test_one_outage_is_no_period_a_new_setting_is_one_after_two_gaps() -> None:
    steady, hourly = [10 * MINUTE_MS] * 30, [60 * MINUTE_MS] * 30
    assert set(spans_s([*steady, 600 * MINUTE_MS, *steady])[3:]) == {1800}
    assert spans_s([*steady, *hourly])[30:34] == [1800, 1800, 10_800, 10_800]
    assert spans_s([*hourly, *steady])[-1] == 1800
