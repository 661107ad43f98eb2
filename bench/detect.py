"""How right the judge is: draws a fleet, lets the judge hear weeks of it, prints one JSON object.

    python bench/detect.py [--seed 1|11-20] [--devices 200] [--weeks 2] [--faulty 0.2] [--verbose]
    python bench/detect.py --labelled DIRECTORY [--verbose]

The devices are those of `detection/drawing.py`, or of a directory as `detection/labelled.py` reads it (without
baselines); the judge hears them through its own entrance, as arrivals and ticks.
The baselines are a fixed threshold and `predict_linear` over four hours, each at the setting that finds as many leaks.
`detected_at_fraction` is the median share of the time from the beginning of a leak to the end of memory;
`forecast_error` that of the first forecast, as a part of the time that was left; `forecast_in_interval` the share of
these whose interval held the end, and its median width as a part of the forecast; `healthy_device_weeks` the ground of
the false alarms: a healthy device counts once for each kind of verdict.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from detection.baselines import first_alerts
from detection.drawing import WEEK, Drawn, Spec, draw, live
from detection.hearing import Verdict, judged
from detection.labelled import judged_directory
from detection.scoring import at_equal_recall, must_be_found, of_verdicts

Alerts = dict[tuple[str, float], float | None]
Heard = tuple[list[Drawn], dict[str, list[Verdict]], dict[str, Alerts]]


def hear(specs: list[Spec], seconds: float) -> Heard:
    """One process' share of the fleet: devices without their samples, verdicts, alerts of the baselines."""
    devices = [live(spec, seconds) for spec in specs]
    verdicts = judged(devices, seconds)
    alerts = {device.spec.name: first_alerts(device) for device in devices}
    return [Drawn(device.spec, [], device.ended_s) for device in devices], verdicts, alerts


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", default="1", help="one seed, or several as 11-20: scores of all together and of each")
    parser.add_argument("--devices", type=int, default=200, help="of each seed")
    parser.add_argument("--weeks", type=float, default=2)
    parser.add_argument("--faulty", type=float, default=0.2)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--labelled", type=Path, help="a directory of labelled readings instead of a drawn fleet")
    parser.add_argument("--verbose", action="store_true", help="say on standard error what was missed or wrong")
    chosen = parser.parse_args()
    begun = time.monotonic()
    if chosen.labelled is not None:
        devices, verdicts, seconds = judged_directory(chosen.labelled)
        result = {"directory": str(chosen.labelled), "devices": len(devices), "weeks": round(seconds / WEEK, 3)}
        _finish(result | of_verdicts(devices, verdicts, seconds), begun)
    else:
        devices, verdicts = _drawn(chosen, begun)
    if chosen.verbose:
        _explain(devices, verdicts)


def _drawn(chosen: argparse.Namespace, begun: float) -> tuple[list[Drawn], dict[str, list[Verdict]]]:
    seconds = chosen.weeks * WEEK
    first, _, last = chosen.seed.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    specs = [spec for seed in seeds for spec in draw(seed, chosen.devices, chosen.faulty, seconds)]
    devices, verdicts, alerts = _heard(specs, seconds, chosen.processes)
    result: dict[str, Any] = {"seed": chosen.seed, "devices": len(devices), "weeks": chosen.weeks}
    result |= scored(devices, verdicts, alerts, seconds)
    if len(seeds) > 1:
        each = {seed: [device for device in devices if device.spec.name.split("-")[1] == str(seed)] for seed in seeds}
        result["by_seed"] = {seed: of_verdicts(own, verdicts, seconds) for seed, own in each.items()}
    _finish(result, begun)
    return devices, verdicts


def _finish(result: dict[str, Any], begun: float) -> None:
    print(json.dumps(result | {"seconds": round(time.monotonic() - begun, 1)}))


def _heard(specs: list[Spec], seconds: float, processes: int) -> Heard:
    """Devices do not depend on each other: each process hears its share."""
    with ProcessPoolExecutor(processes) as pool:
        shares = [specs[number::processes] for number in range(processes)]
        parts = list(pool.map(hear, shares, [seconds] * processes))
    return (
        [device for part in parts for device in part[0]],
        {name: told for part in parts for name, told in part[1].items()},
        {name: own for part in parts for name, own in part[2].items()},
    )


def scored(
    devices: list[Drawn], verdicts: dict[str, list[Verdict]], by_device: dict[str, Alerts], seconds: float
) -> dict[str, Any]:
    """Scores of the judge, and those of the baselines beside it."""
    scores = of_verdicts(devices, verdicts, seconds)
    settings = next(iter(by_device.values()))
    alerts = {setting: {name: own[setting] for name, own in by_device.items()} for setting in settings}
    recall = scores["leak_recall"] or 0.0
    return scores | {
        f"baseline_{name}": at_equal_recall(devices, alerts, name, recall) for name in ("threshold", "predict_linear")
    }


def _explain(devices: list[Drawn], verdicts: dict[str, list[Verdict]]) -> None:
    for device in devices:
        told, spec = verdicts[device.spec.name], device.spec
        if (must_be_found(device) and not told) or (told and not spec.fault):
            end = "never" if device.ended_s is None else f"{(device.ended_s - spec.from_s) / 3600:.1f} h"
            print(
                f"{spec.name} {spec.platform} {spec.fault or 'healthy'}/{spec.workload} every {spec.period_s} s, "
                f"ends {end}, from {spec.from_s / 3600:.0f} h, {spec.size} bytes: "
                + ("MISSED" if not told else f"{told[0].at_s / 3600:.1f} h {told[0].reason}: {told[0].sentence}"),
                file=sys.stderr,
            )


if __name__ == "__main__":
    main()
