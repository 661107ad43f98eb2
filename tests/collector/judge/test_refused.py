"""A gateway whose readings are refused looks well, and is not heard: somebody is told."""

from __future__ import annotations

import pytest

from collector.agentclock import BEHIND_MS
from collector.intake.refusals import REFUSED_ROWS, REFUSED_WHY
from tests.collector.judge.stream import Bench, rows, told


def say(bench: Bench, refused: int, **more: int) -> None:
    """What the agent says of itself for three minutes."""
    values = {"oldest_age_ms": 0, REFUSED_ROWS: refused, **more, **({REFUSED_WHY: "owner"} if refused else {})}
    for _ in range(6):
        bench.second(rows("gw-1", "agent", (), bench.now_ms + 900, values), agent="gw-1")
        bench.wait(29)


def test_a_gateway_whose_readings_are_refused_is_told_until_they_are_no_more() -> None:
    bench = Bench()
    say(bench, 9)
    assert bench.findings == []
    say(bench, 12_345)
    assert told(bench.findings) == [("gateway-refused", "firing")]
    assert "12345 readings that this gateway brought" in bench.findings[0].reason
    assert "were refused (most of them: owner) and wait in quarantine" in bench.findings[0].reason
    say(bench, 0)
    say(bench, 0)
    assert told(bench.findings)[1:] == [("gateway-refused", "resolved")]


@pytest.mark.parametrize(
    ("behind_ms", "rule"), [(-600_000, "gateway-clock-ahead"), (500 * 86_400_000, "gateway-clock")]
)
def test_of_a_clock_that_is_wrong_the_clock_is_told(behind_ms: int, rule: str) -> None:
    bench = Bench()
    say(bench, 500, **{BEHIND_MS: behind_ms})
    assert told(bench.findings) == [(rule, "firing")]
