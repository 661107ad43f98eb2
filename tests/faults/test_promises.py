"""docs/promises.md: a line for every promise, and every test it names is there."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent.parent
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (TESTS.parent / "docs" / "promises.md").read_text().splitlines()
    if re.match(r"\| \d+ \|", line)
]


def test_every_promise_has_a_line_with_a_test_and_a_figure() -> None:
    assert [int(row[0]) for row in ROWS] == list(range(1, 24))
    assert all(len(row) == 4 and all(row) for row in ROWS)


def test_every_test_that_is_named_is_there() -> None:
    for number, _, named, _ in ROWS:
        folder = TESTS
        for name in re.findall(r"`([\w/]+\.py)`", named):
            path = TESTS / name if "/" in name else folder / name
            assert path.exists(), f"promise {number} names {name}"
            folder = path.parent
