from __future__ import annotations

import pytest

from collector.series.fill import Fill, fill_of


@pytest.mark.parametrize(
    ("kind", "values", "limits", "fill"),
    [
        ("process", {"total": 300_000, "user_mode": 131_072}, {}, Fill(131_072, 262_144)),
        ("process", {"user_mode": 131_072}, {"user_mode": 200_000}, Fill(131_072, 200_000)),
        ("process", {"total": 10, "quota": 40}, {}, Fill(10, 40)),
        ("process", {"total": 10}, {}, None),
        ("heap", {"size": 100, "used": 30, "free": 60}, {}, Fill(30, 100)),
        ("heap", {"size": 100, "free": 60}, {}, Fill(40, 100)),
        ("heap", {"used": 30, "free": 60}, {}, Fill(30, 90)),
        ("heap", {"free": 60}, {"heap": 100}, Fill(40, 100)),
        ("heap", {"free": 60}, {"heap": 50}, Fill(0, 50)),
        ("heap", {"used": 30, "threshold": 50}, {}, Fill(30, 50)),
        ("heap", {"used": 0, "free": 0}, {}, None),
        ("heap", {"free": 60}, {}, None),
        ("stack", {"size": 1024, "max_used": 1000}, {}, Fill(1000, 1024)),
        ("stack", {"size": 1024, "min_free": 24}, {}, Fill(1000, 1024)),
        ("stack", {"min_free": 24}, {"stack": 1024}, Fill(1000, 1024)),
        ("stack", {"min_free": 24}, {}, None),
        ("pool", {"size": 10, "used": 3}, {}, Fill(3, 10)),
        ("pool", {"size": 4096, "block_size": 128, "blocks_free": 30}, {}, Fill(256, 4096)),
        ("pool", {"size": 4096, "blocks_free": 30}, {}, None),
        ("task", {"current": 3, "heap_size": 10}, {}, None),
        ("event", {"size": 3}, {}, None),
    ],
)
def test_how_full_a_thing_is(kind: str, values: dict[str, int], limits: dict[str, int], fill: Fill | None) -> None:
    assert fill_of(kind, values, limits) == fill


def test_numbers_that_lost_their_footing_are_not_compared() -> None:
    values = {"size": 100, "used": 30}
    assert [fill_of("heap", values, {}, flags) is not None for flags in (1, 8, 2, 4, 16)] == [
        True, True, False, False, False,
    ]  # debugger, guess, unreliable, modulus, part  # fmt: skip
