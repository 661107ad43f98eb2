"""The case directories of this room: `input.log` is a console, `expected.jsonl` what `memfleet parse` prints of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from agent.consoles import Console, Fact
from memfleet.commands.parse import as_object

ROOT = Path(__file__).parents[3]
CASES = ROOT / "tests" / "cases"
CORPUS = ROOT.parent / "shared" / "corpus"


def case_directories() -> list[Path]:
    """Every case of a console, the seed systems' first."""
    return sorted(path.parent for room in ("seeds", "consoles") for path in (CASES / room).glob("*/input.log"))


def facts_of(data: bytes, *, pieces: int | None = None) -> list[Fact]:
    """All facts of a console, fed at once or `pieces` bytes at a time."""
    console = Console()
    step = pieces or max(len(data), 1)
    facts = [fact for start in range(0, len(data), step) for fact in console.feed(data[start : start + step])]
    return facts + console.close()


def shown(facts: list[Fact]) -> list[dict[str, Any]]:
    """The facts as they stand in `expected.jsonl`."""
    return [json.loads(json.dumps(as_object(fact))) for fact in facts]
