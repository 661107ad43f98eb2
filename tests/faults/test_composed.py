"""Faults composed over the whole path, on real servers: nothing acknowledged is lost, nothing is made up, every row is
counted. A build that acknowledges before its commit must be found out, or these tests are blind."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.faults.run import ENOUGH, Report, composed, hammered
from tests.faults.schedule import rounds

SEED = 20_261_121


@pytest.mark.timeout(300)
def test_twenty_composed_kills_lose_nothing(tmp_path: Path) -> None:
    report = composed(tmp_path, kills=20, seed=SEED)
    assert (report.missing, report.invented, report.corrupted) == (0, 0, 0), report
    assert report.identity_violations == 0, report
    assert report.looks > 30, "the counters were looked at all along"
    assert report.kills == 20
    assert report.acked >= ENOUGH, "a run in which little arrives proves little"
    assert report.duplicates > 0, "a run without a repeated frame proves nothing about repeated frames"


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return hammered(tmp_path_factory.mktemp("broken"), kills=2, seed=SEED, build="hasty")


def test_acknowledging_before_the_commit_is_found_out(broken: Report) -> None:
    assert broken.loss > 0.1, broken
    assert not broken.kept


def test_the_same_kills_cost_the_real_build_nothing(tmp_path: Path) -> None:
    report = hammered(tmp_path, kills=2, seed=SEED, build="")
    assert report.kept, report
    assert report.acked > 100


def test_a_seed_gives_the_same_faults_each_time() -> None:
    first, again = (list(rounds(random.Random(3), 25, ["agent-1"])) for _ in range(2))
    assert first == again
    assert sum(len(one.kills) for one in first) == 25
    assert any(len(one.kills) > 1 for one in first)
