"""Columns that follow from what devices print."""

from __future__ import annotations

import numpy as np
import pytest

from collector.judge.columns import GROWING_KINDS, derive, rule_columns, stored_columns


def free_of(kind: str, **told: float) -> float:
    stored = {name: np.array([told.get(name, np.nan)]) for name in stored_columns(kind)}
    return float(derive(kind, stored)["free"][0])


@pytest.mark.parametrize(
    ("kind", "told", "free"),
    [
        ("process", {"user_mode": 100, "quota": 256}, 156),
        ("process", {"user_mode": 100, "limit": 200}, 100),
        ("heap", {"size": 100, "used": 30}, 70),
        ("heap", {"size": 100, "used": 30, "free": 60}, 60),
        ("task", {"current": 30, "heap_size": 100}, 70),
        ("stack", {"max_used": 30, "size": 100}, 70),
        ("stack", {"min_free": 20, "size": 100}, 20),
        ("pool", {"used": 30, "size": 100}, 70),
        ("pool", {"blocks_free": 7, "block_size": 10, "size": 100}, 70),
    ],
)
def test_what_is_free(kind: str, told: dict[str, float], free: float) -> None:
    assert free_of(kind, **told) == free


def test_of_nothing_no_part_is_full() -> None:
    stored = {name: np.array([1.0, 1.0]) for name in stored_columns("pool")} | {"size": np.array([0.0, 4.0])}
    assert np.array_equal(derive("pool", stored)["fill"], [np.nan, 0.25], equal_nan=True)


@pytest.mark.parametrize("kind", GROWING_KINDS)
def test_each_kind_of_memory_has_what_is_free_and_used_of_its_limit(kind: str) -> None:
    assert {"used", "free", "limit", "fill"} <= set(rule_columns(kind))
    assert np.isnan(free_of(kind))
