"""Patterns of the user's own lines: read before everything else, and every fault of the file said at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.consoles import Console
from agent.consoles.patterns import Pattern, literals
from agent.patternfile import load_patterns
from telemetry.errors import ConfigError

FILE = r"""
[[patterns]]
match = 'pool (?P<pool>\w+): (?P<used>\d+) of (?P<size>\d+) KB$'
kind = "pool"
unit = "KiB"

[[patterns]]
match = 'lwip pbufs (?P<used>\d+)/(?P<size>\d+) blk (?P<blocks_free>\d+)'
kind = "pool"
name = "pbuf"
unit = "words"
system = "esp32"

[[patterns]]
match = 'ran dry at (?P<address>0x[0-9a-f]+)'
kind = "event"
name = "pool_empty"
"""
LOG = b"""I (10) mem: pool sensors: 12 of 64 KB
I (20) net: lwip pbufs 100/400 blk 7
E (30) net: ran dry at 0x3ffb0010
I (40) mem: pool sensors: 13 of 6"""


def patterns(tmp_path: Path, text: str = FILE) -> tuple[Pattern, ...]:
    path = tmp_path / "patterns.toml"
    path.write_text(text)
    return load_patterns(path)


def test_own_lines_are_read(tmp_path: Path) -> None:
    console = Console(None, patterns(tmp_path))
    facts = console.feed(LOG) + console.close()
    read = [(fact.kind, fact.names, dict(fact.values), fact.resolution) for fact in facts if fact.kind != "log"]
    assert read == [
        ("pool", ("sensors",), {"used": 12 * 1024, "size": 64 * 1024}, 1024),
        ("pool", ("pbuf",), {"used": 400, "size": 1600, "blocks_free": 7}, 1),
        ("event", ("pool_empty",), {"address": 0x3FFB0010}, 1),
    ]
    assert console.system == "esp32"


def test_every_fault_of_the_file_is_said(tmp_path: Path) -> None:
    text = """
[[patterns]]
match = '(?P<free>\\\\d+'
kind = "heap"
[[patterns]]
match = 'x (?P<fre>\\\\d+)'
kind = "heap"
name = "main"
[[patterns]]
match = 'x (?P<free>\\\\d+)'
kind = "heap"
[[patterns]]
match = 'x'
kind = "heaps"
[[patterns]]
match = 'nothing named'
kind = "process"
""".replace("\\\\", "\\")
    with pytest.raises(ConfigError) as caught:
        patterns(tmp_path, text)
    assert len(caught.value.faults) == 5
    for words in (
        "no regular expression",
        "'fre' is no field of heap",
        "needs 1 name(s), for heap",
        "is none of",
        "no named",
    ):
        assert any(words in fault for fault in caught.value.faults), words


@pytest.mark.parametrize(
    ("pattern", "runs"),
    [
        (r"heap (?P<free>\d+) free", ["heap ", " free"]),
        (r"a|b", []),
        (r"colou?r", ["colo", "r"]),
        (r"x{2,3}yz", ["yz"]),
        (r"\[mem\] [a-z]+: \d+", ["[mem] ", ": "]),
        (r"^(?:a|b) used$", [" used"]),
        (r"[]x]end", ["end"]),
    ],
)
def test_words_that_every_match_holds(pattern: str, runs: list[str]) -> None:
    assert literals(pattern) == runs


@given(st.from_regex(r"[a-c.\\d+*?\[\](){}|^$ ]{0,14}", fullmatch=True), st.text("abcd. {}", max_size=12))
def test_a_needle_never_hides_a_match(pattern: str, text: str) -> None:
    try:
        compiled = re.compile(pattern)
    except re.error:
        return
    if compiled.search(text):
        assert Pattern(compiled, "process").needle in text
