"""Nights of boards drawn otherwise than in `drawing.py`: what requests, collectors, tasks and caches do to a heap.

Nothing here is shared with the other model: requests have sizes of a log-normal law and stay a while, collectors run
when a heap is nearly full and leave some garbage, tasks work by their own clocks, caches fill by power laws, allocators
take a page more now and then. Some boards do two of these things. A leak loses by the minute, or by the event.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from detection.drawing import Array, Boot, Drawn, Random, Spec

LEAST_HEAP, MOST_HEAP, LEAST_LOST = 32 * 1024, 4 * 1024 * 1024, 4096
_GRAINS = (1, 4, 8, 16)


def draw_night(random: Random, name: str, seconds: float, *, leaks: bool) -> Drawn:
    """One night at a sample every ten seconds. The workload is what the board does; a leak is even."""
    size = int(np.exp(random.uniform(np.log(LEAST_HEAP), np.log(MOST_HEAP)))) // 1024 * 1024
    base = size * float(random.uniform(0.2, 0.6))
    times = np.arange(random.uniform(2, 12), seconds, 10.0)
    times = times[random.uniform(size=len(times)) > 0.005]
    kinds = [kind for kind in WORKS if not leaks or kind != "cache"]
    works = [str(one) for one in random.choice(kinds, 1 + (random.uniform() < 0.3), replace=False)]
    parts = [WORKS[work](random, times) for work in works]
    parts.append(random.uniform(0.001, 0.03) * random.gamma(2.0, 0.5, len(times)))  # what goes on everywhere
    used, lost = base + (size - base) * np.sum(parts, axis=0), 0.0
    if leaks:
        most = max(1.01 * LEAST_LOST, 0.5 * (size - float(used.max())))
        lost = LEAST_LOST * (most / LEAST_LOST) ** float(random.uniform())
        used = used + _lost(random, times, lost / seconds)
    grain = int(random.choice(_GRAINS))
    spec = Spec(
        name, "zephyr", "nrf52840", "1.0.0", size, base, "+".join(sorted(works)), "leak" if leaks else "",
        lost / seconds, period_s=10,
    )  # fmt: skip
    return Drawn(spec, [Boot(1, times, times, np.minimum(np.ceil(used / grain) * grain, size))])


def _lost(random: Random, times: Array, rate: float) -> Array:
    """By the moment, or by events of so many bytes each."""
    if random.uniform() < 0.5:
        return rate * times
    each = float(np.exp(random.uniform(np.log(16), np.log(256))))
    return each * np.cumsum(random.poisson(np.diff(times, prepend=0) * rate / each)).astype(np.float64)


# -- works: parts of the free memory at each moment --------------------------------------------------------------------


def _requests(random: Random, times: Array) -> Array:
    """Requests of log-normal sizes that come by chance and stay for seconds to minutes."""
    stay_s, at_once = float(np.exp(random.uniform(np.log(1), np.log(300)))), random.uniform(0.2, 5)
    count = random.poisson(at_once * times[-1] / stay_s)
    begins = np.sort(random.uniform(0, times[-1], min(count, 400_000)))
    ends = begins + random.exponential(stay_s, len(begins))
    sizes = random.uniform(0.003, 0.03) * random.lognormal(0, random.uniform(0.3, 1.0), len(begins))
    return _sum_upto(begins, sizes, times) - _sum_upto(ends, sizes, times)


def _collector(random: Random, times: Array) -> Array:
    """Garbage until a part of memory is full, then what is alive, and some garbage that floats."""
    height, period_s = random.uniform(0.1, 0.6), float(np.exp(random.uniform(np.log(30), np.log(3 * 3600))))
    floats, uneven = random.uniform(0.005, 0.05), random.uniform(0.01, 0.15)
    lasts = period_s * np.maximum(0.3, random.normal(1, uneven, int(2 * times[-1] / period_s) + 3))
    begins = np.concatenate([[0], np.cumsum(lasts)])
    feet = height * floats * np.abs(random.normal(0, 1, len(begins)))
    which = np.searchsorted(begins, times, side="right") - 1
    part = (times - begins[which]) / lasts[which]
    used: Array = feet[which] + (height - feet[which]) * part ** float(random.uniform(0.8, 1.25))
    return used


def _uploads(random: Random, times: Array) -> Array:
    """A buffer that is sent off at moments of a gamma law: teeth of all heights."""
    mean_s, even = float(np.exp(random.uniform(np.log(60), np.log(3600)))), random.uniform(1, 10)
    waits = random.gamma(even, mean_s / even, int(3 * times[-1] / mean_s) + 10)
    begins = np.concatenate([[0], np.cumsum(waits)])
    which = np.searchsorted(begins, times, side="right") - 1
    used: Array = random.uniform(0.02, 0.15) * (times - begins[which]) / mean_s
    return used


def _tasks(random: Random, times: Array) -> Array:
    """Two to four tasks, each takes a buffer for a part of its own period."""
    used: Array = np.zeros(len(times))
    for _ in range(random.integers(2, 5)):
        period_s = float(np.exp(random.uniform(np.log(20), np.log(7200))))
        busy, phase = random.uniform(0.05, 0.6), random.uniform()
        used += random.uniform(0.01, 0.1) * (((times / period_s + phase) % 1) < busy)
    return used


def _wander(random: Random, times: Array) -> Array:
    """A level that wanders about its mean within minutes to an hour."""
    keep = float(np.exp(-10 / np.exp(random.uniform(np.log(60), np.log(3600)))))
    noise, level = random.normal(0, np.sqrt(1 - keep**2), len(times)), np.zeros(len(times))
    for place in range(1, len(times)):
        level[place] = keep * level[place - 1] + noise[place]
    used: Array = random.uniform(0.005, 0.03) * (level - level.min())
    return used


def _cache(random: Random, times: Array) -> Array:
    """Fills exponentially within minutes to half a day, or ever more slowly by the law of Heaps, or is full one day."""
    height, hours = float(random.uniform(0.03, 0.5)), times / 3600
    law = random.integers(3)
    if law == 0:
        filled: Array = 1 - np.exp(-hours / np.exp(random.uniform(np.log(0.1), np.log(12))))
    elif law == 1:
        filled = (hours / 24) ** float(random.uniform(0.3, 0.8))
    else:
        filled = np.minimum(1.0, hours / float(random.uniform(0.1, 6)))
    return height * filled


def _pages(random: Random, times: Array) -> Array:
    """An allocator that takes another page when a record is asked for, ever more seldom, and keeps it."""
    records = np.unique(np.maximum.accumulate(random.gumbel(size=len(times))), return_index=True)[1]
    steps = np.searchsorted(records, np.arange(len(times)), side="right")
    used: Array = float(random.uniform(0.002, 0.02)) * steps.astype(np.float64)
    return used


def _sum_upto(moments: Array, sizes: Array, times: Array) -> Array:
    order = np.argsort(moments)
    sums = np.concatenate([[0], np.cumsum(sizes[order])])
    used: Array = sums[np.searchsorted(moments[order], times, side="right")]
    return used


WORKS: dict[str, Callable[[Random, Array], Array]] = {
    "requests": _requests, "collector": _collector, "uploads": _uploads, "tasks": _tasks, "wander": _wander,
    "cache": _cache, "pages": _pages,
}  # fmt: skip
