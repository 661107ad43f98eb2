"""Devices drawn by chance: what their memory does over weeks, sample by sample, and what is really wrong with them.

This is a model of its own, not the emulated allocators: those live a week in minutes, a benchmark needs years. Each
device has a heap with a level, traffic that comes and goes, a workload, and perhaps a fault; its memory over the uptime
of each boot is computed in columns. Ranges were chosen before any detector ran on them, and know nothing of its
constants.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Random = np.random.Generator

HOUR, DAY, WEEK = 3600.0, 86_400.0, 604_800.0
START_S = 1_790_000_000
PERIODS_S = (60, 120, 300, 600)
GRAIN = 8
LEAST_LEAK, MOST_LEAK, LEAK_HEAP = 20 / 60, 1024.0, 256 * 1024
"""Bytes a second from 20 a minute to 1 KiB a second, of a heap of 256 KiB; others in proportion."""

HEALTHY = ("steady", "saw-tooth", "daily", "cache", "server", "ratchet", "reboots")
LEAKS = ("leak", "late-leak", "event-leak", "daily-leak", "saw-leak", "self-healing-leak")
OTHERS = ("fragmentation", "step", "stack-creep")
REASON = {**dict.fromkeys(LEAKS, "leak"), **{name: name for name in OTHERS}}

_UNTOLD = (("mt3620", "fragmentation"), ("zephyr", "fragmentation"), ("mt3620", "stack-creep"))
"""What a system never tells: largest blocks, stacks."""

PRODUCTS = {"mt3620": "meter", "esp32": "plug", "zephyr": "sensor"}
PLATFORMS = {
    "mt3620": ((256 * 1024,), ("mt3620",)),
    "esp32": ((320_000, 290_000, 180_000, 4_194_304), ("esp32", "esp32s3", "esp32c3", "esp32s3-psram")),
    "zephyr": ((16_384, 22_528, 65_536, 131_072), ("nrf52840", "esp32s3", "stm32", "nrf5340")),
}


@dataclass(frozen=True, slots=True)
class Spec:
    """One drawn device. Bytes and seconds; `rate` bytes a second of what leaks or creeps, `from_s` when it begins."""

    name: str
    platform: str
    board: str
    firmware: str
    size: int
    base: float
    workload: str
    fault: str = ""
    rate: float = 0.0
    from_s: float = 0.0
    period_s: int = 300
    resolution: int = 1
    stack: int = 4096
    seed: int = 0


@dataclass(slots=True)
class Boot:
    """One boot as a collector sees it: times, uptimes, and columns of bytes; all of one length."""

    number: int
    times: Array
    uptimes: Array
    used: Array
    largest: Array | None = None
    stack: Array | None = None
    kernel: Array | None = None


@dataclass(slots=True)
class Drawn:
    """A device, its boots, and when its memory ended (seconds since the start, None if never within the time)."""

    spec: Spec
    boots: list[Boot] = field(default_factory=list)
    ended_s: float | None = None


def draw(seed: int, devices: int, faulty: float, seconds: float) -> list[Spec]:
    """The fleet of a seed."""
    random = np.random.default_rng([seed, 7])
    count = round(devices * faulty)
    kinds = [*LEAKS, *LEAKS, *OTHERS]
    faults = [kinds[index % len(kinds)] for index in range(count)] + [""] * (devices - count)
    return [
        _draw_one(random, f"{seed}-{number:04}", fault, seconds)
        for number, fault in enumerate(random.permutation(faults))
    ]


def _draw_one(random: Random, number: str, fault: str, seconds: float) -> Spec:
    platform = str(random.choice(["esp32", "zephyr", "mt3620"], p=[0.45, 0.35, 0.2]))
    if (platform, fault) in _UNTOLD:
        platform = "esp32"
    sizes, boards = PLATFORMS[platform]
    which = int(random.integers(len(sizes)))
    size, base = sizes[which], sizes[which] * float(random.uniform(0.3, 0.65))
    workload = _workload(random, platform, fault)
    rate = LEAST_LEAK * (MOST_LEAK / LEAST_LEAK) ** float(random.uniform()) * size / LEAK_HEAP
    from_s = float(random.uniform(0.05, 0.5)) * seconds if fault in ("late-leak", "step") else 0.0
    quantised = platform != "mt3620" and random.uniform() < 0.15 and size > 100_000
    return Spec(
        f"{PRODUCTS[platform]}-{number}",
        platform, boards[which], f"{random.integers(1, 3)}.{random.integers(0, 4)}.0", size, base, workload, str(fault),
        rate, from_s, int(random.choice(PERIODS_S, p=[0.1, 0.15, 0.5, 0.25])),
        1024 if platform == "mt3620" or quantised else 1, int(random.choice([1024, 2048, 4096, 8192])),
        int(random.integers(2**31)),
    )  # fmt: skip


def _workload(random: Random, platform: str, fault: str) -> str:
    if fault == "saw-leak":
        return "saw-tooth"
    if fault:
        return str(random.choice(["steady", "daily", "server", "saw-tooth"], p=[0.5, 0.2, 0.2, 0.1]))
    kinds = [kind for kind in HEALTHY if kind != "ratchet" or platform == "mt3620"]
    return str(random.choice(kinds))


class Life:
    """Draws what one device's memory does. Ratios are of its free memory at rest."""

    def __init__(self, spec: Spec, seconds: float) -> None:
        self.spec, self.seconds = spec, seconds
        self.random = np.random.default_rng(spec.seed)
        self.free = spec.size - spec.base
        draws: dict[str, Callable[[], Callable[[Array, Array], Array]]] = {
            "steady": self._steady, "saw-tooth": self._saw, "daily": self._daily, "cache": self._cache,
            "server": self._server, "ratchet": self._server, "reboots": self._steady,
        }  # fmt: skip
        uniform = self.random.uniform
        self.phase_s = float(uniform(0.1, 0.9)) * min(spec.period_s, 100)  # asked at fixed moments of the clock
        self.traffic = float(uniform(0.01, 0.08)) * self.free
        self.settling_s, self.settling = float(uniform(10, 120)), float(uniform(0.01, 0.06)) * self.free
        self.workload = draws[spec.workload]()
        self.up_s = float(uniform(1, 4)) * DAY if spec.workload == "reboots" else float(uniform(1, 6)) * WEEK
        self.floor = float(uniform(0.05, 0.3)) * self.free if spec.fault == "self-healing-leak" else 0.0
        self.day_phase = float(uniform(0, DAY))
        self.jump_s, self.jump = spec.from_s, float(uniform(0.15, 0.4)) * self.free
        self.event_s = float(np.clip(0.01 * self.free / max(spec.rate, 1e-9), 60, DAY))
        self.shrink_s, self.shrink = float(uniform(0.15, 0.7)) * seconds, float(uniform(0.6, 0.9))
        self.creep_s = float(uniform(0.1, 0.8)) * seconds

    # -- healthy memory: functions of uptime and time, seconds, that give bytes above the base -------------------------

    def _steady(self) -> Callable[[Array, Array], Array]:
        return lambda up, time: np.zeros_like(up)

    def _saw(self) -> Callable[[Array, Array], Array]:
        period = float(np.exp(self.random.uniform(np.log(60), np.log(8 * HOUR))))
        height = float(self.random.uniform(0.05, 0.35)) * self.free
        wobble = float(self.random.uniform(0, 0.2))
        return lambda up, time: height * (up / period % 1) * (1 + wobble * np.sin(up // period * 2.4))

    def _daily(self) -> Callable[[Array, Array], Array]:
        height, phase = float(self.random.uniform(0.05, 0.4)) * self.free, float(self.random.uniform(0, DAY))
        sharp = float(self.random.uniform(0.5, 2.0))
        return lambda up, time: height * ((1 - np.cos(2 * np.pi * (time + phase) / DAY)) / 2) ** sharp

    def _cache(self) -> Callable[[Array, Array], Array]:
        height = float(self.random.uniform(0.1, 0.5)) * self.free
        tau = float(np.exp(self.random.uniform(np.log(300), np.log(1.5 * DAY))))
        return lambda up, time: height * (1 - np.exp(-up / tau))

    def _server(self) -> Callable[[Array, Array], Array]:
        each, clients = float(self.random.uniform(0.01, 0.05)) * self.free, float(self.random.uniform(2, 6))
        return lambda up, time: each * self.random.poisson(clients, len(up)).astype(np.float64)

    # -- faults: bytes above the healthy memory ------------------------------------------------------------------------

    def _lost(self, up: Array, time: Array) -> Array:
        """What a leak has taken since the boot."""
        fault, rate = self.spec.fault, self.spec.rate
        if fault == "late-leak":
            since = np.maximum(0, time - self.spec.from_s)
            return rate * np.minimum(since, up)
        if fault == "event-leak":
            steps = np.diff(up, prepend=0) / self.event_s
            return rate * self.event_s * np.cumsum(self.random.poisson(np.maximum(0, steps)).astype(np.float64))
        if fault == "daily-leak":
            by_day = 1 - np.cos(2 * np.pi * (time + self.day_phase) / DAY)
            return rate * np.cumsum(np.diff(up, prepend=0) * by_day)
        if fault.endswith("leak"):
            return rate * up
        return np.zeros_like(up)

    # -- a boot --------------------------------------------------------------------------------------------------------

    def boot(self, number: int, born_s: float) -> tuple[Boot, float, bool]:
        """One boot from that moment on; when the next begins, and whether memory ended it."""
        spec, random = self.spec, self.random
        last_s = min(self.seconds, born_s + float(random.exponential(self.up_s)) + 600)
        asked = self._moments(born_s, last_s)
        time, which = self._between(asked, born_s, last_s)
        up = time - born_s
        rest = self._rest(up, time)
        lost = self._lost(up, time)
        traffic = self.traffic * random.beta(2, 3, len(up))
        used = spec.base + rest + traffic + lost
        ends = np.flatnonzero(used >= spec.size - self.floor) if spec.fault else np.zeros(0, dtype=np.int64)
        end = int(ends[0]) if len(ends) else len(up)
        if len(ends):
            last_s = float(time[end])
        which = which[which < end]
        which = which[self._heard(time[which])]
        boot = Boot(number, time[which], up[which], self._seen(used[which]))
        self._add_others(boot, (rest + traffic)[which], lost[which])
        return boot, last_s + float(random.uniform(2, 20)), bool(len(ends))

    def _moments(self, born_s: float, last_s: float) -> Array:
        """When this boot is asked: at fixed moments of the clock, give or take a little."""
        period_s = self.spec.period_s
        first = np.ceil((born_s + 5) / period_s) * period_s - self.phase_s
        time = np.arange(first if first > born_s + 5 else first + period_s, last_s, period_s)
        return time + self.random.uniform(0, 0.05, len(time)) * period_s

    def _between(self, asked: Array, born_s: float, last_s: float) -> tuple[Array, NDArray[np.int64]]:
        """The moments of this boot at which memory is computed, and which are asked: a leak ends when it ends."""
        spec = self.spec
        if spec.fault not in LEAKS:
            return asked, np.arange(len(asked))
        begin_s, lasts_s = max(born_s, spec.from_s), self.free / spec.rate
        asked = asked[asked <= begin_s + 3 * lasts_s + DAY]
        between = np.arange(begin_s + 1, begin_s + 3 * lasts_s, 0.02 * lasts_s)
        time = np.union1d(asked, between[between < last_s])
        return time, np.searchsorted(time, asked)

    def _rest(self, up: Array, time: Array) -> Array:
        rest = self.workload(up, time) + self.settling * (1 - np.exp(-up / self.settling_s))
        if self.spec.fault == "step":
            rest = rest + self.jump * (time >= self.jump_s)
        return rest

    def _heard(self, time: Array) -> NDArray[np.bool_]:
        """Some samples are lost, and now and then hours of them."""
        keep = self.random.uniform(size=len(time)) > 0.01
        for _ in range(self.random.poisson(len(time) * self.spec.period_s / (2 * WEEK))):
            start = self.random.uniform(time[0], time[-1])
            keep &= ~((time >= start) & (time < start + self.random.exponential(6 * HOUR)))
        return keep

    def _seen(self, used: Array) -> Array:
        """What the platform's counter shows: whole grains, pages that stay, or whole KiB."""
        used = np.ceil(used / GRAIN) * GRAIN
        if self.spec.platform == "mt3620":
            used = np.maximum.accumulate(np.ceil(used / 4096) * 4096) if len(used) else used
        elif self.spec.resolution > 1:
            free = np.floor((self.spec.size - used) / self.spec.resolution) * self.spec.resolution
            used = self.spec.size // self.spec.resolution * self.spec.resolution - np.maximum(0.0, free)
        seen: Array = np.minimum(used, self.spec.size)
        return seen

    def _add_others(self, boot: Boot, moving: Array, lost: Array) -> None:
        """The largest free block and the deepest stack, where the platform tells them."""
        spec, random, up = self.spec, self.random, boot.uptimes
        if spec.platform == "mt3620":
            return
        free = spec.size - boot.used
        whole = random.uniform(0.75, 0.95, len(up)) if len(up) else up
        if spec.fault == "fragmentation":
            whole = whole * (1 - self.shrink * (1 - np.exp(-2 * up / self.shrink_s)))
        if spec.platform == "esp32":
            boot.largest = np.floor(free * whole / max(GRAIN, spec.resolution)) * max(GRAIN, spec.resolution)
        depth = spec.stack * (0.4 + 0.15 * random.beta(2, 5, len(up))) if len(up) else up
        if spec.fault == "stack-creep":
            depth = depth + spec.stack * 0.5 * np.minimum(1, up / self.creep_s)
        boot.stack = np.minimum(spec.stack, np.maximum.accumulate(np.ceil(depth / 4) * 4)) if len(up) else up


def live(spec: Spec, seconds: float) -> Drawn:
    """All boots of a device."""
    life, device, born_s, number = Life(spec, seconds), Drawn(spec), 0.0, 1
    while born_s < seconds - 60:
        boot, next_s, by_memory = life.boot(number, born_s)
        device.boots.append(boot)
        if by_memory and device.ended_s is None:
            device.ended_s = next_s
        born_s, number = next_s, number + 1
    return device
