"""A whole run: faults by schedule, healing, draining, the verdict. `python -m tests.faults.run --kills 200 --seed 7`
prints one JSON object last; exit status 1 when a promise was broken or nothing was proved."""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.faults.part import HASTY_COMMIT_MS
from tests.faults.rig import Rig, rig
from tests.faults.schedule import Round, carry_out, rounds
from tests.waiting import wait_until

PROBE_S = 30.0
DRAIN_S = 120.0
ENOUGH = 1_000
"""A run in which less arrives proves little."""
STORES = ("series", "influx", "victoria")


@dataclass(slots=True)
class Report:
    """What a run proved. `missing`, `invented` and `corrupted` are numbers over all stores."""

    kills: int = 0
    acked: int = 0
    missing: int = 0
    invented: int = 0
    corrupted: int = 0
    duplicates: int = 0
    identity_violations: int = 0
    seed: int = 0
    missing_acked: int = 0
    probe_s: float = 0.0
    looks: int = 0
    own_deaths: int = 0
    done: dict[str, int] = field(default_factory=dict)
    details: list[str] = field(default_factory=list)

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        return not (self.missing or self.invented or self.corrupted or self.identity_violations)

    @property
    def loss(self) -> float:
        """Share of the acknowledged numbers that a store lacks."""
        return self.missing_acked / max(1, self.acked)


def drained(under_test: Rig, limit_s: float = DRAIN_S) -> None:
    """Wait until every store has everything, or no longer: what is missing then is for the verdict."""
    deadline = time.monotonic() + limit_s
    waiting = list(STORES)
    while waiting and time.monotonic() < deadline:
        waiting = [where for where in waiting if not under_test.has_all(where)]
        time.sleep(0.3)


def verdict(under_test: Rig, report: Report) -> Report:
    """Fill in what the stores and counters say at the end."""
    under_test.look()
    for where in STORES:
        found = under_test.oracle.judge(under_test.found(where))
        report.missing += len(found.missing)
        report.invented += len(found.invented)
        report.corrupted += len(found.corrupted)
        report.missing_acked = max(report.missing_acked, found.missing_acked)
        for word in ("missing", "invented", "corrupted"):
            if some := getattr(found, word):
                report.details.append(f"{where}: {word} {len(some)}, as {some[:5]}")
    report.acked = under_test.oracle.acked()
    report.duplicates = under_test.counters().get("duplicate_rows", 0)
    report.identity_violations = len(under_test.violations)
    report.details += under_test.violations[:5]
    report.looks = under_test.looks
    report.own_deaths = sum(child.own_deaths for child in under_test.children.values())
    return report


def composed(folder: Path, kills: int, seed: int, agents: int = 2) -> Report:
    """So many kills in rounds drawn from the seed, then heal, probe, drain and judge."""
    done: Counter[str] = Counter()
    with rig(folder, agents=agents) as under_test:
        wait_for_acks(under_test, 100)
        for one in rounds(random.Random(seed), kills, under_test.oracle.agents):
            carry_out(under_test, one, done)
        until_repeated(under_test)
        wait_for_acks(under_test, ENOUGH)
        report = Report(kills=done["kills"], seed=seed)
        report.probe_s = round(max(under_test.probe(agent, PROBE_S) for agent in under_test.oracle.agents), 2)
        under_test.rest()
        drained(under_test)
        report.done = dict(done)
        return verdict(under_test, report)


def hammered(folder: Path, kills: int, seed: int, build: str) -> Report:
    """Nothing but the intake is killed, each time once it has acknowledged numbers that were issued in this life."""
    rng = random.Random(seed)
    with rig(folder, agents=1, build=build) as under_test:
        for _ in range(kills):
            wait_for_acks(under_test, under_test.oracle.issued() + rng.randint(50, 100))
            carry_out(under_test, Round(kills=("intake",), hold_s=0.05, after_s=0.0), Counter())
        wait_for_acks(under_test, under_test.oracle.issued() + 1)
        under_test.rest()
        if build:
            time.sleep(2 * HASTY_COMMIT_MS / 1000)  # even the hasty build has committed
        drained(under_test, 5.0 if build else DRAIN_S)  # what a hasty build has lost never comes
        return verdict(under_test, Report(kills=kills, seed=seed))


def until_repeated(under_test: Rig, tries: int = 20) -> None:
    """Cut the intake off until frames come again that it had: a run without any proves nothing about them."""
    for _ in range(tries):
        if under_test.counters().get("duplicate_rows"):
            return
        under_test.proxies["intake"].cut()
        wait_for_acks(under_test, under_test.oracle.acked() + 1)


def wait_for_acks(under_test: Rig, count: int) -> None:
    """Wait until so many numbers are acknowledged."""
    try:
        wait_until(lambda: under_test.oracle.acked() >= count, f"{count} numbers acknowledged")
    except AssertionError as vain:
        logs = "\n".join(f"{child.log}: {child.log.read_text()[-600:]}" for child in under_test.children.values())
        raise AssertionError(f"{vain}; {under_test.oracle.acked()} were\n{logs}") from None


def main() -> int:
    """The command."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=200)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--agents", type=int, default=2)
    options.add_argument("--folder", type=Path, help="keep files and logs here")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="memfleet-soak-") as kept:
        folder = chosen.folder or Path(kept)
        folder.mkdir(parents=True, exist_ok=True)
        report = composed(folder, chosen.kills, chosen.seed, chosen.agents)
    print(json.dumps(asdict(report)))
    return 0 if report.kept and report.duplicates and report.acked >= ENOUGH else 1


if __name__ == "__main__":
    sys.exit(main())
