"""Nights at the desk: blocks of boards of one kind, as the detector of nights gets them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from collector.judge.detectors.blocks import BLOCKS
from collector.judge.detectors.night import Night
from collector.judge.detectors.settled import find_leaks_of_nights
from tests.collector.judge.stream import Bench, as_one, rows

LIMIT, BASE, NIGHTS = 300_000.0, 120_000.0, 20
SAMPLES = 30
"""In a block: one every ten seconds."""
HOURS = np.arange((BLOCKS - 1) * SAMPLES) / 360
Shape = Callable[[np.random.Generator], np.ndarray]


def traffic(chance: np.random.Generator) -> np.ndarray:
    return 8_000 * chance.beta(2, 3, len(HOURS))


def clients(chance: np.random.Generator) -> np.ndarray:
    return np.asarray(traffic(chance) + 3_000.0 * chance.poisson(3, len(HOURS)))


def teeth(hours: float, height: float = 40_000) -> Shape:
    def drawn(chance: np.random.Generator) -> np.ndarray:
        begun = HOURS + chance.uniform(0, 0.05)
        return traffic(chance) + height * (begun / hours % 1)

    return drawn


def cache(tau_h: float) -> Shape:
    return lambda chance: traffic(chance) + 80_000 * (1 - np.exp(-HOURS / tau_h))


def night(shape: Shape, lost: float = 0.0, seed: int = 1, **known: float) -> Night:
    """So many nights of one kind, which all lose so many bytes in eight hours."""
    chance = np.random.default_rng(seed)
    used = np.stack([BASE + shape(chance) + lost * HOURS / 8 for _ in range(NIGHTS)])
    blocks = used.reshape(NIGHTS, BLOCKS - 1, SAMPLES)
    values = {
        "boots_at": -2.0, "stood_before": np.nan, "fell_before": np.nan, "limits": LIMIT, "peaks": 0.0, "most": np.nan,
        "resolutions": 1.0, "newest": np.nan,
    } | known  # fmt: skip
    columns = {name: np.full(NIGHTS, value) for name, value in values.items()}
    return Night(blocks.min(axis=2), blocks.mean(axis=2), 1 / 12, **columns, samples=blocks.astype(np.float32))


def only(of: Night, seen: np.ndarray) -> Night:
    """The same with those blocks only."""
    least, mean = (np.where(seen, each, np.nan) for each in (of.least, of.mean))
    return of._replace(least=least, mean=mean, samples=np.where(seen[:, None], of.samples, np.float32(np.nan)))


def told(of: Night) -> int:
    return int(np.isfinite(find_leaks_of_nights(of)[0].rate).sum())


def five_minutes(bench: Bench, seconds: int, lost_a_second: float, rest: Callable[[], float], boot: int = 1) -> None:
    """A tick with four readings a minute, from that uptime on, of two heaps: `leaks`, and `well` beside it."""
    blocks = [
        as_one([
            rows(
                "b", "heap", (name,), bench.now_ms + ms,
                {"size": 300_000, "free": int(180_000 - rate * (seconds + ms / 1000) - rest())},
                boot=boot, uptime_ms=seconds * 1000 + ms,
            )
            for ms in range(0, 300_000, 15_000)
        ])
        for name, rate in (("leaks", lost_a_second), ("well", 0.0))
    ]  # fmt: skip
    bench.second(*blocks, seconds=300)
