"""Boots of a device whose count began anew: they go on above those that it had, and never fall."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.intake.boots import ANY_EPOCH, TABLES, Boots

LARGEST = 2**32 - 1


class Counting:
    """Boots on a file; `again` reads them back from disk."""

    def __init__(self, path: Path | str = ":memory:") -> None:
        self.db = sqlite3.connect(path)
        self.db.executescript(TABLES)
        self.boots = Boots(self.db)

    def hear(self, *boots: int, agent: str = "a1", epoch: int = 7) -> list[int]:
        return [self.boots.number("d1", boot, agent, epoch) for boot in boots]

    def again(self) -> None:
        self.boots.write(self.db)
        self.boots.committed()
        self.boots = Boots(self.db)


@pytest.fixture
def counting(tmp_path: Path) -> Iterator[Counting]:
    made = Counting(tmp_path / "boots")
    yield made
    made.db.close()


def test_one_outbox_counts_by_itself(counting: Counting) -> None:
    assert counting.hear(3, 4, 4, 9, 8) == [3, 4, 4, 9, 8]
    counting.again()
    assert counting.hear(9, 10) == [9, 10]


def test_a_lost_outbox_counts_on_above(counting: Counting) -> None:
    counting.hear(6, 7)
    assert counting.hear(1, 1, 2, epoch=8) == [8, 8, 9]
    counting.again()
    assert counting.hear(2, 3, epoch=8) == [9, 10]
    assert counting.hear(1, epoch=9) == [11]


def test_an_outbox_that_goes_on_under_a_new_epoch_goes_on_with_its_boots(counting: Counting) -> None:
    counting.hear(6, 7)
    assert counting.hear(7, 8, epoch=8) == [7, 8]
    assert counting.hear(1, epoch=9) == [9]
    assert counting.hear(1, 2, epoch=10) == [9, 10]


def test_another_agent_never_goes_on_with_a_boot(counting: Counting) -> None:
    counting.hear(5)
    assert counting.hear(5, agent="a2", epoch=8) == [6]
    assert counting.hear(20, agent="a3", epoch=9) == [20]
    assert counting.hear(5, 6, agent="a1", epoch=7) == [21, 22]


def test_what_comes_out_of_quarantine_is_counted_as_its_agent_counts(counting: Counting) -> None:
    counting.hear(6, 7)
    counting.hear(1, epoch=8)
    assert counting.hear(1, epoch=ANY_EPOCH) == [8]
    assert counting.hear(2, epoch=8) == [9]
    assert counting.hear(1, agent="a2", epoch=ANY_EPOCH) == [10], "refused before the device was given to that agent"
    assert counting.hear(2, agent="a2", epoch=5) == [11]


def test_there_is_a_largest_number(counting: Counting) -> None:
    counting.hear(LARGEST)
    assert counting.hear(1, LARGEST, epoch=8) == [1, LARGEST]


@given(st.lists(st.tuples(st.sampled_from(["a1", "a2"]), st.integers(1, 3), st.integers(1, 5)), max_size=30))
def test_whoever_counts_a_count_that_rises_stays_one_and_no_boot_falls_below_another_count(
    steps: list[tuple[str, int, int]],
) -> None:
    counting, newest = Counting(), 0
    raw: dict[tuple[str, int], int] = {}
    before = None
    for agent, epoch, more in steps:
        who = agent, epoch + (10 if agent == "a2" else 0)
        raw[who] = raw.get(who, 0) + more
        (number,) = counting.hear(raw[who], agent=agent, epoch=who[1])
        assert number > newest if before == who else number >= newest
        newest, before = max(newest, number), who
    counting.db.close()
