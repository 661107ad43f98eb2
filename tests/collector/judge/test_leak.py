"""The leak detector on used memory of known shape: what must be told, and how soon; what must be left alone."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.judge.detectors.leak import envelope, find_leaks
from tests.collector.judge.stream import Bench, rows

SIZE = 22_528
BASE = 4_000

RULE = """
[[rule]]
name = "heap-leak"
kind = "heap"
severity = "critical"
when = "leak_rate > 0"
keep_firing_for = "5m"
reason = "{leak_rate:rate} {leak_hours_left:hours}"
"""

Shape = Callable[[float], float]


def noisy(seed: int) -> Callable[[], float]:
    chance = random.Random(seed)
    return lambda: chance.choice((0, 0, 0, 64, 128, 400))


def leak(rate: float) -> Shape:
    return lambda t: BASE + rate * t


def saw(period: float, height: float, rate: float = 0) -> Shape:
    return lambda t: BASE + height * (t % period) / period + rate * t


def warm_up(height: float, tau: float) -> Shape:
    return lambda t: BASE + height * (1 - math.exp(-t / tau))


def step(at: float, height: float) -> Shape:
    return lambda t: BASE + (height if t >= at else 0)


LEAKS: dict[str, tuple[Shape, float]] = {  # used bytes over seconds, and by when it must be told
    "fast": (leak(100), 120),
    "fast, 20 a second": (leak(20), 300),
    "slower": (leak(5), 500),
    "late": (lambda t: BASE + 60 * max(0, t - 200), 360),
    "under a saw": (saw(17, 3000, 40), 330),
}
HEALTHY: dict[str, Shape] = {
    "plateau": lambda t: BASE,
    "saw of 10 s": saw(10, 12_000),
    "saw of 30 s": saw(30, 12_000),
    "saw of 55 s": saw(55, 9_000),
    "cache of 20 s": warm_up(10_000, 20),
    "cache of 60 s": warm_up(10_000, 60),
    "cache of 200 s": warm_up(10_000, 200),
    "one step": step(90, 8_000),
    "two steps": lambda t: step(60, 3000)(t) + step(300, 3000)(t),
    "wave": lambda t: BASE + 3000 * math.sin(t / 40),
    "random": lambda t: BASE + 5000 * random.Random(int(t)).random(),
}


@pytest.fixture(scope="module")
def told_after() -> dict[str, float]:
    """Ten minutes of all shapes together; when each one was first told, seconds."""
    bench = Bench(RULE)
    shapes = {name: shape for name, (shape, _) in LEAKS.items()} | HEALTHY
    noises = {name: noisy(number) for number, name in enumerate(shapes)}
    started = bench.now_ms
    for second in range(0, 600, 2):
        blocks = [
            rows("b", "heap", (name,), bench.now_ms + 1900, {"size": SIZE, "used": used})
            for name, shape in shapes.items()
            if (used := int(shape(second) + noises[name]())) <= SIZE
        ]
        bench.second(*blocks, seconds=2)
    first: dict[str, float] = {}
    for finding in bench.findings:
        first.setdefault(finding.names[0], (finding.at_ms - started) / 1000)
    return first


@pytest.mark.parametrize("name", LEAKS)
def test_leaks_are_told_in_time(told_after: dict[str, float], name: str) -> None:
    assert told_after.get(name, math.inf) <= LEAKS[name][1]


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_memory_is_left_alone(told_after: dict[str, float], name: str) -> None:
    assert name not in told_after


def test_rate_interval_and_time_left_are_right() -> None:
    buckets = np.arange(31.0)
    window = (BASE + 500 * buckets + np.random.default_rng(1).uniform(0, 80, 31))[None, :].astype(
        np.float64
    )  # 100 bytes/s at 5 s
    found = find_leaks(window, 5_000, np.array([float(SIZE)]), np.array([np.nan]), np.array([1.0]))
    assert found.rate[0] == pytest.approx(360_000, rel=0.02)
    assert found.low[0] < found.rate[0] < found.high[0]
    assert found.low[0] > 0.9 * found.rate[0]
    assert found.hours_left[0] == pytest.approx((SIZE - BASE - 15_000) / 360_000, rel=0.05)
    assert found.minutes[0] == pytest.approx(2.5)


def test_a_few_large_steps_are_no_steady_growth() -> None:
    window = (BASE + 4096.0 * (np.arange(31) // 8))[None, :].astype(np.float64)
    found = find_leaks(window, 20_000, np.array([SIZE]), np.array([np.nan]), np.array([1024.0]))
    assert np.isnan(found.rate[0])


def test_a_single_rise_below_an_earlier_peak_is_the_next_tooth() -> None:
    window = (BASE + 300 * np.arange(31.0))[None, :].astype(np.float64)
    one = (5_000, np.array([SIZE]))
    assert np.isnan(find_leaks(window, *one, np.array([20_000.0]), np.array([1.0])).rate[0])
    assert find_leaks(window, *one, np.array([8_000.0]), np.array([1.0])).rate[0] > 0


def test_a_window_without_samples_is_no_leak() -> None:
    found = find_leaks(np.full((3, 31), np.nan), 5_000, np.full(3, SIZE), np.full(3, np.nan), np.ones(3))
    assert np.isnan(found.rate).all()


@given(st.lists(st.integers(0, 10_000), min_size=31, max_size=31))
@settings(max_examples=50, deadline=None)
def test_the_envelope_never_falls_and_never_exceeds_what_is_to_come(used: list[int]) -> None:
    held = envelope(np.array([used], dtype=float))[0]
    assert (np.diff(held) >= 0).all()
    assert all(held[i] == min(used[i:]) for i in range(31))


@given(st.lists(st.integers(0, SIZE), min_size=31, max_size=31), st.integers(1, 5))
@settings(max_examples=50, deadline=None)
def test_memory_that_came_back_to_where_it_was_is_no_leak(used: list[int], steps: int) -> None:
    window = np.array([[*used[:-1], used[0]]], dtype=float)
    found = find_leaks(window, 5_000, np.array([float(SIZE)]), np.array([np.nan]), np.array([float(steps)]))
    assert np.isnan(found.rate[0])
