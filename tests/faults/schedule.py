"""Faults in rounds, drawn from a seed: what one round composes happens at the same time."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tests.faults.rig import PARTS, Rig

KILL_GROUPS = (
    ("intake", "broker"),
    ("store:influx", "influx"),
    ("store:victoria", "victoria"),
    ("series", "judge"),
    ("intake", "series"),
)
"""Pairs that hide each other's losses; further ones come by chance."""

NETWORK = ("cut", "reset", "black_hole", "slow", "slices")
MOODS = ("busy", "later", "hang", "lost_answer")
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Round:
    """One round: who is killed together, who hangs, what network and store do meanwhile, how far the clock is off."""

    kills: tuple[str, ...] = ()
    paused: tuple[str, ...] = ()
    network: tuple[tuple[str, str], ...] = ()
    mood: str = "pass"
    clock_ms: int = 0
    hold_s: float = 1.0
    after_s: float = 0.5


def rounds(rng: random.Random, kills: int, agents: list[str]) -> Iterator[Round]:
    """Rounds with so many kills in all; the first ones go through the pairs in `KILL_GROUPS`."""
    names = [*PARTS, *agents, "broker", "influx", "victoria"]
    groups = rng.sample(KILL_GROUPS, len(KILL_GROUPS))
    left = kills
    while left > 0:
        victims = groups.pop() if groups else tuple(rng.sample(names, rng.choice((1, 1, 2, 2, 3))))
        victims = victims[:left]
        left -= len(victims)
        others = [name for name in names if name not in victims]
        yield Round(
            victims,
            (rng.choice(others),) if rng.random() < 0.4 else (),
            ((rng.choice(("agents", "intake", "victoria")), rng.choice(NETWORK)),) if rng.random() < 0.5 else (),
            rng.choice(MOODS) if rng.random() < 0.4 else "pass",
            rng.choice((-HOUR_MS, HOUR_MS)) if rng.random() < 0.3 else 0,
            rng.uniform(0.1, 1.5),
            rng.uniform(0.2, 2.0),
        )


def carry_out(rig: Rig, one: Round, done: Counter[str]) -> None:
    """Do a round and end it: the dead are started again, the rest is healed."""
    rig.front.mood = one.mood  # type: ignore[assignment]
    done[f"mood {one.mood}"] += 1
    for name, how in one.network:
        _hurt(rig, name, how)
        done[f"network {how}"] += 1
    for name in one.paused:
        rig.killable(name).pause()
        done["pauses"] += 1
    if one.clock_ms:
        rig.step_clock(one.clock_ms)
        done["clock steps"] += 1
    for name in one.kills:
        rig.killable(name).kill()
        done["kills"] += 1
    time.sleep(one.hold_s)
    rig.heal()
    time.sleep(one.after_s)


def _hurt(rig: Rig, name: str, how: str) -> None:
    if how == "cut":
        rig.proxies[name].cut()
    elif how == "reset":
        rig.proxies[name].reset()
    else:
        rig.proxies[name].mode = how  # type: ignore[assignment]
