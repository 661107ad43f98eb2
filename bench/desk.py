"""One board over one night: prints one JSON object.

    python bench/desk.py [--seed 1] [--nights 200]

Eight hours at a sample every ten seconds, from a boot on. Half as many leaking nights as healthy ones: each loses at
least 4 KiB, at most half of its free memory, at an even pace. Healthy nights are steady, teeth, clients that come and
go, or caches. `false_nights` are healthy ones of which anything was said; `hours` the median time to the verdict.
"""

from __future__ import annotations

import argparse
import json
from statistics import median

import numpy as np
from detection.drawing import HOUR, PLATFORMS, Drawn, Spec, live
from detection.hearing import judged
from detection.nights import draw_night

SECONDS, PERIOD_S, LEAST_LOST, SILENT_AFTER_S = 8 * HOUR, 10, 4096, 300
HEALTHY = ("steady", "saw-tooth", "server", "cache")


def night(random: np.random.Generator, number: int, *, leaks: bool) -> Spec:
    """One board with its firmware."""
    platform = str(random.choice(["esp32", "zephyr"]))
    sizes, boards = PLATFORMS[platform]
    which = int(random.integers(len(sizes)))
    size, base = sizes[which], sizes[which] * float(random.uniform(0.3, 0.65))
    most = max(LEAST_LOST * 1.01, 0.5 * (size - base))
    lost = float(LEAST_LOST * (most / LEAST_LOST) ** random.uniform()) if leaks else 0.0
    workload = str(random.choice(HEALTHY[:3] if leaks else HEALTHY))
    return Spec(
        f"{'leak' if leaks else 'well'}-{number:04}", platform, boards[which], "1.0.0", size, base, workload,
        "leak" if leaks else "", lost / SECONDS, 0.0, PERIOD_S, 1, 4096, int(random.integers(2**31)),
    )  # fmt: skip


def drawn(seed: int, nights: int, *, second: bool) -> list[Drawn]:
    """The nights of a seed, the leaking ones last."""
    random = np.random.default_rng([seed, 9 if second else 8])
    kinds = [(number, leaks) for leaks in (False, True) for number in range(nights // (1 + leaks))]
    if second:
        names = [f"{'leak' if leaks else 'well'}-{number:04}" for number, leaks in kinds]
        return [draw_night(random, name, SECONDS, leaks=leaks) for name, (_, leaks) in zip(names, kinds, strict=True)]
    return [live(night(random, number, leaks=leaks), SECONDS) for number, leaks in kinds]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--nights", type=int, default=200)
    parser.add_argument("--second", action="store_true", help="draw the nights by the second model")
    chosen = parser.parse_args()
    devices = drawn(chosen.seed, chosen.nights, second=chosen.second)
    specs = [device.spec for device in devices]
    verdicts = judged(devices, SECONDS, tick_s=60, silent_after_s=SILENT_AFTER_S)
    told = {spec.name: verdicts[spec.name][0] for spec in specs if verdicts[spec.name]}
    leaking = [spec for spec in specs if spec.fault]
    found = [told[spec.name] for spec in leaking if spec.name in told]
    result = {
        "seed": chosen.seed,
        "healthy_nights": chosen.nights,
        "false_nights": sum(not spec.fault for spec in specs if spec.name in told),
        "leaking_nights": len(leaking),
        "recall": round(len(found) / len(leaking), 3),
        "recall_by_workload": {
            workload: round(sum(spec.name in told for spec in own) / len(own), 3)
            for workload in sorted({spec.workload for spec in leaking})
            if (own := [spec for spec in leaking if spec.workload == workload])
        },
        "right_reason": round(sum(one.reason == "leak" for one in found) / max(1, len(found)), 3),
        "hours": round(median(one.at_s for one in found) / HOUR, 2) if found else None,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
