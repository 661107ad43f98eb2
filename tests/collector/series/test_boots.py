"""What one boot says of one thing: used memory by whatever the device tells of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from collector.series.boots import Boot, boards_of_devices, boots_of
from telemetry.readings import About
from tests.collector.series.made import T0, Bench, rows

MINUTE = 60_000


def boots(tmp_path: Path, kind: str, fields: Sequence[str], *values: Sequence[int | None]) -> list[Boot]:
    """Those of a thing that tells such values each ten minutes, from a second after its start on."""
    bench = Bench(tmp_path)
    told = [[10 * MINUTE * at, 10 * MINUTE * at, *each] for at, each in enumerate(values)]
    bench.arrive(About("dev-1", 1, {"board": "s3"}), rows(kind, ["main"], fields, *told))
    assert boards_of_devices(bench.db) == {"dev-1": "s3"}
    return list(boots_of(bench.db, ["dev-1"], (T0, T0 + 10**9)))


def test_used_is_told_or_follows_from_a_size_that_was_said_once(tmp_path: Path) -> None:
    (boot,) = boots(
        tmp_path, "heap", ("size", "used", "free"), (None, None, 60), (100, None, 70), (None, None, 80), (90, 5, None),
        (None, None, 30),
    )  # fmt: skip
    assert boot.used.tolist() == [30, 20, 5, 60], "the first reading is of the start-up"
    assert (boot.size, boot.is_free) == (90, False)
    assert (boot.ages - boot.times + T0).tolist() == pytest.approx([1000] * 4)


@pytest.mark.parametrize(("kind", "field"), [("heap", "free"), ("stack", "min_free")])
def test_what_tells_only_what_is_left_is_compared_by_that(kind: str, field: str, tmp_path: Path) -> None:
    (boot,) = boots(tmp_path, kind, (field,), (900,), *((800 - 10 * at,) for at in range(9)))
    assert (boot.size, boot.is_free) == (None, True)
    assert boot.measures() == {"level": -760, "peak": -720, "growth": 60}
    assert boot.between(50 * MINUTE, 200 * MINUTE).used.tolist() == [-760, -750, -740, -730, -720]


def test_a_part_of_a_heap_is_not_compared(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.arrive(*(rows("heap", [name], ("used",), [0, 0, 5], flags=flags) for name, flags in (("a", 0), ("b", 16))))
    assert [boot.names for boot in boots_of(bench.db, ["dev-1"], (T0, T0 + 1))] == [("a",)]


def test_a_thing_that_says_neither_has_no_boot(tmp_path: Path) -> None:
    assert boots(tmp_path, "heap", ("largest_free",), (900,), (800,)) == []
