"""Boards whose memory never falls, watched from the boot on: prints one JSON object.

    python bench/quiet.py [--seed 1] [--boards 200]

Half of them leak, at an even pace in whole blocks, byte-exact, from the boot or a later hour on, one in four beside
what it takes to start. A leak is due once it has lost 1 % of the heap and has lasted for half an hour: `minutes_late`
is how much later it is told. The others fill a cache, take what they keep in a few steps, or stop growing after hours.
`false_boards` are those of them that are called leaking: who fills evenly looks like a leak until it stops.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from statistics import median

import numpy as np
from detection.drawing import HOUR, Array, Boot, Drawn, Spec
from detection.hearing import judged

SECONDS, TICK_S, SILENT_AFTER_S = 9 * HOUR, 20, 300
LEAST_S, PART = HOUR / 2, 0.01
HEALTHY = ("cache", "steps", "stops")


def board(random: np.random.Generator, name: str, *, leaks: bool) -> Drawn:
    """One board with its firmware."""
    size = int(_between(random, 16, 4096)) * 1024
    base, block = size * float(random.uniform(0.2, 0.6)), float(random.choice([8, 16, 24, 48, 64, 128, 256]))
    period_s = int(random.choice([5, 10, 10, 30, 60]))
    workload = str(random.choice(["plain", "plain", "plain", "warm"] if leaks else HEALTHY))
    from_s = float(random.choice([0, random.uniform(0, 4) * HOUR])) if leaks else 0.0
    rate = _between(random, 0.003, 0.2) * size / HOUR if leaks else 0.0
    spec = Spec(
        name, "zephyr", "nrf52840", "1.0.0", size, base, workload, "leak" if leaks else "", rate, from_s, period_s
    )
    times = np.arange(random.uniform(0, period_s), SECONDS, period_s, dtype=np.float64)
    taken = rate * np.maximum(0, times - from_s) + _of_workload(random, workload, size - base, times)
    used = base + np.floor(taken / block) * block
    alive = used < size
    return Drawn(spec, [Boot(1, times[alive], times[alive], used[alive])])


def _of_workload(random: np.random.Generator, workload: str, free: float, times: Array) -> Array:
    """What a healthy workload takes and keeps, bytes."""
    most = free * _between(random, 0.02, 0.6)
    if workload == "warm":
        return np.asarray(0.2 * most * (1 - np.exp(-times / _between(random, 30, 200))))
    if workload == "cache":
        return np.asarray(most * (1 - np.exp(-times / _between(random, 0.1 * HOUR, 30 * HOUR))))
    if workload == "steps":
        at = np.sort(random.uniform(0, SECONDS, int(random.integers(1, 6))))
        return most * np.searchsorted(at, times) / len(at)
    if workload == "stops":
        return most * np.minimum(1, times / _between(random, 0.1 * HOUR, 3 * HOUR))
    return np.zeros(len(times))


def _between(random: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def due_s(spec: Spec) -> float:
    """When its leak is to be told, seconds since the boot."""
    return spec.from_s + max(LEAST_S, PART * spec.size / spec.rate)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--boards", type=int, default=200)
    chosen = parser.parse_args()
    random = np.random.default_rng([chosen.seed, 10])
    devices = [board(random, f"board-{number:04}", leaks=number % 2 == 1) for number in range(chosen.boards)]
    verdicts = judged(devices, SECONDS, tick_s=TICK_S, silent_after_s=SILENT_AFTER_S)
    leaks = {name: [one for one in found if one.reason == "leak"] for name, found in verdicts.items()}
    told = {name: found[0].at_s for name, found in leaks.items() if found}
    specs = [device.spec for device in devices]
    due = {spec.name: due_s(spec) for spec in specs if spec.fault and due_s(spec) < SECONDS - LEAST_S}
    late = sorted((told[name] - at_s) / 60 for name, at_s in due.items() if name in told)
    well = [spec for spec in specs if not spec.fault]
    result = {
        "seed": chosen.seed,
        "leaks": len(due),
        "told": len(late),
        "minutes_late": {
            "median": round(median(late), 1),
            "p90": round(late[int(0.9 * len(late))], 1),
            "max": round(late[-1], 1),
        },
        "within_5_minutes": round(sum(one <= 5 for one in late) / len(due), 3),
        "healthy": dict(sorted(Counter(spec.workload for spec in well).items())),
        "false_boards": dict(sorted(Counter(spec.workload for spec in well if spec.name in told).items())),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
