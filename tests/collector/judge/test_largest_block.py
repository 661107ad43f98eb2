"""Growth of used memory that takes the largest free block, while more is free; what takes neither is left alone."""

from __future__ import annotations

import numpy as np
import pytest

from collector.judge.detectors.ground import Ground
from collector.judge.detectors.history import BUCKETS
from collector.judge.detectors.largest_block import leaks_of_largest_block
from collector.judge.detectors.leak import find_leaks
from collector.judge.detectors.views import HOURS_OF, VIEWS
from collector.judge.expression import Numbers
from tests.collector.judge.stream import Bench, rows

SIZE = 100_000.0
BASE, OUTSIDE = 30_000.0, 55_000.0
"""Used, and outside of the largest free block of 45,000: holes of 25,000 lie between."""
VIEW = np.array([VIEWS.index((4, False))])
PART = np.linspace(0, 1, BUCKETS - 1)[None, :]
"""Of the way through the window."""


def ground(**known: float) -> Ground:
    """What is known of a heap of SIZE bytes in a boot that has just begun."""
    unknown = dict.fromkeys(Ground._fields, np.nan) | {"limits": SIZE, "resolutions": 1, "ratchets": 0, "hidden": 0}
    values = unknown | {"peaks": 0, "given_back": 0, "heard_ms": 0, "open_ms": 0} | known
    return Ground(**{name: np.array([value], dtype=np.float64) for name, value in values.items()})


def told(used: Numbers, outside: Numbers, **of_block: float) -> bool:
    assert np.isnan(find_leaks(used, VIEW, ground()).rate[0])  # by what is free it is none
    found = leaks_of_largest_block(used, outside, VIEW, ground(), ground(**of_block))
    return bool(np.isfinite(found.rate[0]))


def stairs(height: float, steps: int) -> Numbers:
    return OUTSIDE + height * np.floor(steps * PART) / steps


def test_growth_that_takes_the_largest_block_is_a_leak_of_used_memory() -> None:
    used, outside = BASE + 25_000 * PART, OUTSIDE + 25_000 * PART
    assert told(used, outside)
    found = leaks_of_largest_block(used, outside, VIEW, ground(), ground())
    assert found.grown[0] == 25_000
    assert found.rate[0] == pytest.approx(25_000 / (30 * HOURS_OF[VIEW[0]]))


@pytest.mark.parametrize("steps", [4, 6, 9])
def test_a_largest_block_shrinks_in_steps(steps: int) -> None:
    assert told(BASE + 25_000 * PART, stairs(30_000, steps))


HEALTHY: dict[str, tuple[Numbers, Numbers]] = {
    "a largest block that shrinks while used memory hardly grows": (BASE + 8_000 * PART, OUTSIDE + 30_000 * PART),
    "a largest block that shrinks while less is used": (BASE + 18_000 * PART, OUTSIDE + 30_000 * PART),
    "a largest block that settles": (BASE + 25_000 * PART, OUTSIDE + 25_000 * np.minimum(1, 4 * PART)),
    "used memory that grows in the holes": (BASE + 25_000 * PART, OUTSIDE + 10_000 * PART),
    "a block that was taken for a moment": (
        BASE + 25_000 * PART,
        np.where(PART > 0.96, 90_000, OUTSIDE + 10_000 * PART),
    ),
    "a cache that fills": (
        BASE + 27_000 * (1 - np.exp(-4 * PART)),
        OUTSIDE + 27_000 * (1 - np.exp(-4 * PART)),
    ),
    "a step": (BASE + 25_000 * (PART > 0.5), OUTSIDE + 27_000 * (PART > 0.5)),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_what_is_no_leak_is_left_alone(name: str) -> None:
    assert not told(*HEALTHY[name])


@pytest.mark.parametrize(
    ("of_block", "is_told"),
    [
        ({}, True),
        ({"newest": OUTSIDE}, False),
        ({"held_before": OUTSIDE + 25_000}, False),
        ({"given_back": 9e3}, False),
    ],
)
def test_a_largest_block_that_comes_back_is_no_end(of_block: dict[str, float], is_told: bool) -> None:
    """Now, before, or of late."""
    assert told(BASE + 25_000 * PART, OUTSIDE + 25_000 * PART, **of_block) == is_told


def test_it_is_told_of_a_heap_and_when_its_block_is_gone() -> None:
    bench = Bench()
    for number in range(600):
        lost = 200 * number
        values = {"size": int(SIZE), "free": int(SIZE - BASE) - lost, "largest_free": 45_000 - lost}
        bench.second(rows("board-1", "heap", ("main",), bench.now_ms + 299_000, values), seconds=300)
        if bench.findings:
            break
    (said,) = bench.findings
    assert said.rule == "heap-leak"
    assert "and the largest free block is gone in about" in said.reason
    left = (45_000 - lost) / (200 * 12)
    assert said.numbers["leak_hours_left"] == pytest.approx(left, rel=0.1)
    assert lost < 0.45 * (SIZE - BASE)
