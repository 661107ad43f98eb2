"""Spans of time as rules and cases write them."""

from __future__ import annotations

import pytest

from collector.judge.rules import parse_rules
from collector.judge.spans import milliseconds

RULE = """
[[rule]]
name = "a"
kind = "heap"
severity = "info"
when = "free < 1"
reason = "x"
for = "SPAN"
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [("250ms", 250), ("5s", 5000), ("2m", 120_000), ("1d", 86_400_000), ("2m10s", 130_000), ("1h30m", 5_400_000)],
)
def test_a_rule_takes_every_span(text: str, expected: int) -> None:
    assert milliseconds(text) == expected
    (rule,) = parse_rules(RULE.replace("SPAN", text))
    assert rule.for_ms == expected


@pytest.mark.parametrize("text", ["", "5", "m", "2 minutes", "5m 3s", "-5m", "1.5h", "1234567s"])
def test_what_is_no_span_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match="is not a span of time; write 90s, 5m or 1h30m"):
        milliseconds(text)
