"""The maps that ship, each held by messages of its system: tests/cases/maps/<system>.ndjson, one case a line.

Every object of `expect` must be told as it stands there, in that order, and nothing else of memory.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agent.maps import load_maps, shipped_names
from agent.maps.trial import Trial
from telemetry.readings import KINDS, MEMORY_KINDS

CASES = Path(__file__).parents[2] / "cases" / "maps"
ROWS = [
    (file.stem, json.loads(line)) for file in sorted(CASES.glob("*.ndjson")) for line in file.read_text().splitlines()
]
TRAPS = {
    1: "units", 2: "quantised", 3: "StatusMEM.Free, OpenBeken's constants", 4: "different heaps", 5: "names that lie",
    6: "RestartReason as an object", 7: "topics of the user's", 8: "retained", 9: "reconnects", 12: "split values",
}  # fmt: skip
"""Traps that show in single messages; the others are in test_life.py (10), test_devices.py (11, 12), below, and in
`tests/memfleet/test_map_traps.py` (13, 14)."""


MAPS = load_maps()


def told(row: dict[str, Any]) -> list[dict[str, Any]]:
    return Trial(MAPS).take(row["topic"], row["payload"].encode(), row["retained"], 1_790_000_000_000)


@pytest.mark.parametrize(("system", "row"), ROWS, ids=[f"{system}: {row['why']}" for system, row in ROWS])
def test_a_message_says_what_it_says(system: str, row: dict[str, Any]) -> None:
    found = told(row)
    assert [{key: one.get(key) for key in wanted} for one, wanted in zip(found, row["expect"], strict=True)] == row[
        "expect"
    ]
    for one, wanted in zip(found, row["expect"], strict=True):
        if one["kind"] in MEMORY_KINDS:
            fields = set(KINDS[one["kind"]].numbers)
            assert one.keys() & fields == wanted.keys() & fields, "no more than is expected"


@pytest.mark.parametrize("trap", TRAPS)
def test_every_trap_of_single_messages_has_a_case(trap: int) -> None:
    assert any(f"trap {trap}," in row["why"] or f"trap {trap}:" in row["why"] for _, row in ROWS)


def test_every_map_that_ships_has_cases() -> None:
    covered = {system for system, _ in ROWS}
    without_topics = {"wled", "saved-lines"}  # HTTP answers and saved lines: test_corpus.py has them
    assert set(shipped_names()) - without_topics == covered


@pytest.mark.parametrize("retained", [False, True])
def test_a_retained_message_never_gives_a_sample(retained: bool) -> None:
    for _, row in ROWS:
        found = [one for one in told(row | {"retained": retained}) if one["kind"] in MEMORY_KINDS]
        assert not (found and retained), row
        assert not any("uptime_ms" in one or "booted" in one for one in told(row | {"retained": True})), row


def test_what_is_no_message_of_its_system_is_passed_over() -> None:
    for _, row in ROWS:
        for payload in ("", "{", "[1,", "null", "{}", "[]", "\udcff", '{"Heap":{}}', '{"StatusMEM":[1]}', "[" * 5000):
            found = Trial(MAPS).take(row["topic"], payload.encode(errors="surrogateescape"), False, 0)
            assert not [one for one in found if one["kind"] in MEMORY_KINDS]
