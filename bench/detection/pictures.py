"""Pictures for docs/judging.md: for each detector a case that it catches and one that it leaves alone, as SVG.

    cd bench && python -m detection.pictures ../docs/images [leak boots ...]

The devices are drawn as the benchmark draws them (what it never draws: here) and judged as it judges them; the mark is
where the judge told. What is told that should be left alone, or by another detector, is no picture, but an error.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from detection.drawing import DAY, HOUR, Array, Boot, Drawn, Spec, live
from detection.hearing import CLASSES, TICK_S, judged
from detection.panels import Scale, page, panel

SIZE, BASE, STACK = 131_072, 52_000, 4096
MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Case:
    """A chart: what stands above it, the workload and the fault to be drawn, by which chance."""

    title: str
    workload: str
    fault: str = ""
    seed: int = 21


@dataclass(frozen=True, slots=True)
class Picture:
    """What is told beside what is left alone: how long it is watched and how often asked, how fast it leaks (bytes a
    second), by which rules it is judged, which sentence is meant, and what is drawn of it."""

    told: Case
    left_alone: Case
    says: str
    lasts_s: float = 6 * DAY
    period_s: int = 300
    rate: float = 0.06
    rules: tuple[str, ...] = tuple(CLASSES)
    columns: Mapping[str, str] = field(default_factory=lambda: {"used": "used"})
    top: float = SIZE


PICTURES = {
    "leak": Picture(
        Case("A leak under a daily cycle", "daily", "leak", 1), Case("A cache that fills for days", "cache"), "grows by"
    ),
    "quiet": Picture(
        Case("A leak, after an hour", "quiet", "leak"), Case("A cache that fills", "quiet"), "grows by",
        lasts_s=4 * HOUR, period_s=10,
    ),
    "night": Picture(
        Case("A leak under clients, one night", "server", "leak"), Case("Teeth of a saw, one night", "saw-tooth"),
        "grows by", lasts_s=8 * HOUR, period_s=10, rate=0.7,
    ),
    "boots": Picture(
        Case("Reboots that hide a leak", "steady", "self-healing-leak", 10),
        Case("Teeth of a saw, one boot", "saw-tooth", seed=52),
        "boots together tell", lasts_s=6 * HOUR, rate=70.0,
    ),
    "fragmentation": Picture(
        Case("The largest block shrinks", "steady", "fragmentation"), Case("Traffic", "server"),
        "largest free block", columns={"used": "used", "largest": "largest free block"},
    ),
    "step": Picture(
        Case("Taken at once, and kept", "steady", "step"), Case("Taken by day, back by night", "daily"), "at once"
    ),
    "stack": Picture(
        Case("A stack ever deeper", "steady", "stack-creep", 10), Case("A stack that has seen its worst", "steady"),
        "The stack of", columns={"stack": "deepest use"}, top=STACK,
    ),
    "sockets": Picture(
        Case("The kernel's part: sockets stay open", "sockets", "leak"), Case("Sockets by day", "sockets"),
        "the kernel holds", columns={"kernel": "the kernel's part"}, top=3 * SIZE,
    ),
    "restarts": Picture(
        Case("Restarts that nobody wanted", "restarts", "crashes"),
        Case("A board that sleeps, but for 20 s", "restarts"),
        "restarted", lasts_s=2 * HOUR, period_s=10, rules=("reboot-loop", "restarts-often"),
    ),
    "peers": Picture(
        Case("One holds more than its peers", "peers", "more"), Case("Its peers have just restarted", "peers"),
        "peers", lasts_s=DAY, period_s=600, rules=("unlike-peers",),
    ),
}  # fmt: skip


def devices_of(case: Case, picture: Picture) -> list[Drawn]:
    """The devices of a chart, the one that is meant last."""
    board = "mt3620" if case.workload == "sockets" else "esp32"
    one = Spec(
        f"{case.workload}-{case.fault or 'healthy'}", board, board, "1.0.0", SIZE, BASE, case.workload, case.fault,
        picture.rate, 3.5 * DAY, picture.period_s, 1, STACK, case.seed,
    )  # fmt: skip
    draws = _NEVER_IN_THE_BENCHMARK.get(case.workload)
    return draws(one, picture.lasts_s) if draws else [live(one, picture.lasts_s)]


def _quiet(spec: Spec, lasts_s: float) -> list[Drawn]:
    """Memory that never falls."""
    times = _times(spec, 0, lasts_s)
    taken = 0.05 * SIZE * np.maximum(0, times / HOUR - 1) if spec.fault else 20_000 * (1 - np.exp(-times / HOUR))
    return [Drawn(spec, [Boot(1, times, times, BASE + np.floor(taken / 16) * 16)])]


def _sockets(spec: Spec, lasts_s: float) -> list[Drawn]:
    """What the kernel holds for five more connections by day."""
    times = _times(spec, 0, lasts_s)
    by_day = 5 * 16_384 * (np.abs(times % DAY - 13 * HOUR) < 4 * HOUR)
    leaked = 4096 * np.floor(times / (3 * HOUR)) if spec.fault else 0 * times
    return [Drawn(spec, [Boot(1, times, times, np.full(len(times), BASE), kernel=49_152 + by_day + leaked)])]


def _restarts(spec: Spec, lasts_s: float) -> list[Drawn]:
    """A board that restarts at once each ten minutes or so, or that wakes for a moment each five."""
    random, device, born_s = np.random.default_rng(spec.seed), Drawn(spec), 0.0
    while born_s < lasts_s:
        up_s = float(random.uniform(4, 16)) * MINUTE if spec.fault else 20.0
        times = _times(spec, born_s, min(born_s + up_s, lasts_s))
        grown = 15_000 * (1 - np.exp(-(times - born_s) / MINUTE))
        device.boots.append(Boot(len(device.boots) + 1, times, times - born_s, BASE + grown))
        born_s += up_s + 5 if spec.fault else 5 * MINUTE
    return [device]


def _peers(spec: Spec, lasts_s: float) -> list[Drawn]:
    """A dozen boards whose caches fill again after a boot: one takes 30 KiB more, or else all but that one restart."""
    random = np.random.default_rng(spec.seed)
    specs = [replace(spec, name=f"{spec.name}-{number}") for number in range(12)]
    return [_peer(random, one, lasts_s, one is specs[-1]) for one in specs]


def _peer(random: np.random.Generator, spec: Spec, lasts_s: float, is_meant: bool) -> Drawn:
    times, later_s = _times(spec, 0, lasts_s), lasts_s / 2
    is_later, uptimes = times >= later_s, times + float(random.uniform(8, 11)) * HOUR
    if not spec.fault and not is_meant:
        uptimes = np.where(is_later, times - later_s, uptimes)
    cache = float(random.uniform(24_000, 28_000)) * (1 - np.exp(-uptimes / (3 * HOUR)))
    used = BASE + cache + random.uniform(0, 1000, len(times)) + 30_000 * (is_later & bool(spec.fault and is_meant))
    begins = [0, *(np.flatnonzero(np.diff(uptimes) < 0) + 1).tolist(), len(times)]
    parts = [slice(*ends) for ends in pairwise(begins)]
    return Drawn(spec, [Boot(number, times[part], uptimes[part], used[part]) for number, part in enumerate(parts, 1)])


def _times(spec: Spec, from_s: float, to_s: float) -> Array:
    return np.arange(from_s, to_s, spec.period_s, dtype=np.float64)


_NEVER_IN_THE_BENCHMARK: Mapping[str, Callable[[Spec, float], list[Drawn]]] = {
    "quiet": _quiet, "sockets": _sockets, "restarts": _restarts, "peers": _peers,
}  # fmt: skip


def drawn(name: str) -> str:
    """The picture of that name; ValueError where the judge says something else than it is to show."""
    picture = PICTURES[name]
    scale, tick_s = Scale(picture.lasts_s, picture.top, picture.columns), min(TICK_S, 6 * picture.period_s)
    panels = []
    for case, says in ((picture.told, picture.says), (picture.left_alone, "")):
        devices = devices_of(case, picture)
        *others, told = judged(devices, picture.lasts_s, tick_s, rules=picture.rules).values()
        first = told[0] if told else None
        if any(others) or bool(first) != bool(says) or (first and says not in first.sentence):
            raise ValueError(f"{name}: {case.title}: the judge is to say {says!r}, and says {first}, {others}")
        panels.append(panel(case.title, devices, scale, first.at_s if first else None))
    return page(panels)


def main() -> None:
    """Write them all, or those that are named."""
    for name in sys.argv[2:] or PICTURES:
        (Path(sys.argv[1]) / f"judging-{name}.svg").write_text(drawn(name))


if __name__ == "__main__":
    main()
