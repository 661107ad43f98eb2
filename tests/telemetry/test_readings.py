"""What a reading may say, and what no source can have printed."""

from __future__ import annotations

import re

import pytest

from telemetry.readings import KINDS, MEMORY_KINDS, RESERVED, UNDERFLOW_FROM, fault_of

INFLUXQL_KEYWORDS = """
all alter analyze any as asc begin by create continuous database databases default delete desc destinations
diagnostics distinct drop duration end every explain field for from grant grants group groups in inf insert into
key keys kill limit show measurement measurements name offset on order password policy policies privileges
queries query read replication resample retention revoke select series set shard shards slimit soffset stats
subscription subscriptions tag to user users values where with write
"""


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_names_need_no_quotes_in_any_store(kind) -> None:
    names = (*kind.tags, *kind.numbers, *kind.texts)
    assert len(set(names)) == len(names)
    for name in names:
        assert re.fullmatch("[a-z][a-z0-9_]{0,31}", name)
        assert name not in INFLUXQL_KEYWORDS.split()


@pytest.mark.parametrize("kind", MEMORY_KINDS)
def test_kinds_of_memory_use_no_name_that_stores_keep_themselves(kind: str) -> None:
    assert RESERVED.isdisjoint((*KINDS[kind].tags, *KINDS[kind].numbers))


@pytest.mark.parametrize("kind", MEMORY_KINDS)
@pytest.mark.parametrize(
    ("number", "fault"),
    [
        (0, None),
        (UNDERFLOW_FROM - 1, None),
        (UNDERFLOW_FROM, "underflow"),
        (2**32 - 1, "underflow"),
        (2**32, None),
        (2**63 - 1, None),
        (2**63, "not_64_bit"),
        (-1, "negative"),
    ],
)
def test_the_edges_of_what_memory_can_measure(kind: str, number: int, fault: str | None) -> None:
    assert fault_of(kind, {KINDS[kind].numbers[0]: number}) == fault


@pytest.mark.parametrize("number", [-5, 2**32 - 5])
def test_a_counter_that_lost_its_footing_may_say_anything(number: int) -> None:
    assert fault_of("heap", {"used": number}, ("unreliable",)) is None
    assert fault_of("heap", {"used": number}, ("debugger",)) is not None


@pytest.mark.parametrize(
    ("free", "largest", "resolution", "fault"),
    [
        (100, 100, 1, None),
        (100, 101, 1, "largest_above_free"),
        (1024, 2047, 1024, None),
        (1024, 2048, 1024, "largest_above_free"),
    ],
)
def test_the_largest_free_block_is_part_of_what_is_free(free: int, largest: int, resolution: int, fault) -> None:
    assert fault_of("heap", {"free": free, "largest_free": largest}, resolution=resolution) == fault


@pytest.mark.parametrize(
    ("values", "resolution", "fault"),
    [
        ({"size": 100, "free": 0, "used": 100}, 1, None),
        ({"size": 100, "free": 101}, 1, "above_size"),
        ({"size": 100, "used": 101}, 1, "above_size"),
        ({"size": 1024, "used": 2047}, 1024, None),
        ({"size": 100, "used": 60, "free": 50}, 1, None),  # something was freed between the two counters
        ({"size": 100, "free": 10, "min_free": 20}, 1, None),
        ({"size": 100, "used": 30, "max_used": 20}, 1, None),
        ({"size": 100, "used": 30, "free": 0, "max_used": 40}, 1, None),
    ],
)
def test_nothing_in_a_heap_is_larger_than_the_heap(values: dict[str, int], resolution: int, fault: str | None) -> None:
    assert fault_of("heap", values, resolution=resolution) == fault
    assert fault_of("heap", values, ("modulus",), resolution) is None
    assert fault_of("pool", values, resolution=resolution) is None


def test_an_uptime_of_49_days_is_no_underflow() -> None:
    assert fault_of("device", {"uptime": 2**32 - 1}) is None
    assert fault_of("agent", {"disk_free": 2**32 - 1}) is None


def test_texts_have_no_faults() -> None:
    assert fault_of("event", {"reason": "-1", "code": -11}) is None
