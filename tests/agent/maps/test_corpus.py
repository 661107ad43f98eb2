"""The shared corpus of published payloads, where it is there: every row that carries memory gives its `expected`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.maps import load_maps
from agent.maps.identity import name_of
from agent.maps.trial import Trial
from telemetry.readings import MEMORY_KINDS

CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "mqtt" / "payloads.ndjson"
ROWS = [json.loads(line) for line in CORPUS.read_text().splitlines()] if CORPUS.exists() else []
NUMBERED = list(enumerate(ROWS, 1))
MAPS = load_maps()

FIELDS = {
    "heap_free_bytes": "free", "heap_size_bytes": "size", "heap_min_free_bytes": "min_free",
    "heap_largest_block_bytes": "largest_free", "heap_largest_block_bytes_est": "largest_free",
    "heap_used_bytes": "used", "heap_max_used_bytes": "max_used", "heap_free_total_bytes": "free",
    "process_rss_bytes": "total", "used_bytes": "used", "max_used_bytes": "max_used", "free_bytes": "free",
    "free_min_bytes": "min_free", "objects": "alloc_blocks",
}  # fmt: skip
AZURE = {"heap_used_bytes": "total", "heap_max_used_bytes": "peak_user_mode"}
TOLD = {
    "mac": "mac", "fw_version": "firmware", "board": "board", "hostname": "hostname", "boot_count": "boots",
    "reset_reason": "reset_reason", "reset_class": "reset_class",
}  # fmt: skip
LEFT = {
    20: "a retained will says nothing of now",
    22: "a MAC of zeros only is painted over: it is nobody's",
    26: "the announced name is the device's name, its id the alias",
    59: "`$broker` is no name: it is called mosquitto",
}
"""Lines whose identity or connection is left out, and why. Their memory is not left out."""


@pytest.mark.skipif(not ROWS, reason="the shared corpus is not there")
@pytest.mark.parametrize(("line", "row"), [pytest.param(n, row, id=f"{n}-{row['system']}") for n, row in NUMBERED])
def test_a_row_gives_what_it_is_expected_to(line: int, row: dict[str, Any]) -> None:
    found = Trial(MAPS).take(row["topic"] or "", row["payload"].encode(), bool(row["retained"]), 1_790_000_000_000)
    memory = [one for one in found if one["kind"] in MEMORY_KINDS]
    expected = row["expected"]
    wanted = list(sizes(row["system"], expected))
    for field, size, name in wanted:
        those = [one for one in memory if field in one and (name is None or one["name"] == name)]
        assert any(agrees(one, field, size) for one in those), f"{field} {size} of {name}; told is {memory}"
    if not wanted:
        assert not memory, "nothing is expected"
    coarse = expected.get("heap_free_resolution_bytes")
    if coarse is not None:
        # The corpus tells the step of one and the same KiB counter as 1024, 1025 and 2048: what counts is that it is
        # a coarse one.
        assert all((one.get("resolution", 1) >= 1024) == (coarse >= 1024) for one in memory if "free" in one)
    if line not in LEFT and row["topic"] and found:
        identity(found, expected)


def sizes(system: str, expected: dict[str, Any]) -> Iterator[tuple[str, int, str | None]]:
    """Field, bytes and name of every size that is expected."""
    fields = FIELDS | (AZURE if system == "azure_sphere" else {})
    for key, value in expected.items():
        if key in fields and value is not None:
            yield fields[key], value, None
    for group in ("pools", "stacks"):
        for name, numbers in expected.get(group, {}).items():
            yield from ((FIELDS[key], value, name) for key, value in numbers.items() if key in FIELDS)


def agrees(one: dict[str, Any], field: str, size: int) -> bool:
    """Equal, but for one step where the source counts in steps: some rows are a step off their own payload."""
    coarse: int = one.get("resolution", 1)
    return abs(int(one[field]) - size) <= (coarse if coarse > 1 else 0)


def identity(found: list[dict[str, Any]], expected: dict[str, Any]) -> None:
    first = found[0]
    assert first["device"] == name_of(expected.get("device_id", first["device"]))
    for key, ours in TOLD.items():
        if key in expected:
            assert first.get(ours) == expected[key], key
    if "uptime_s" in expected:
        assert first["uptime_ms"] == int(expected["uptime_s"] * 1000)
    if "boot_event" in expected:
        assert first.get("booted", False) is expected["boot_event"]
    if "online" in expected:
        assert first["online"] is expected["online"]


@pytest.mark.skipif(not ROWS, reason="the shared corpus is not there")
def test_the_corpus_is_read_at_all() -> None:
    assert sum(1 for row in ROWS for _ in sizes(row["system"], row["expected"])) > 50
