"""What holds for any bytes: nothing raises, no split of the stream matters, foreign lines change nothing."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.consoles import Console, Fact
from agent.consoles.console import FORMS
from agent.consoles.dispatch import Dispatch, shape
from agent.consoles.framer import LINE_CAP, Framer
from agent.consoles.line import read_line
from agent.consoles.mending import split_glued
from agent.consoles.transport import LINE_END, peel, split_prompt
from tests.agent.consoles.cases import case_directories, facts_of

LOGS = [(path / "input.log").read_bytes() for path in case_directories()]
FOREIGN = b"I (41251) wifi:state: run -> init (c800)\n"

_needles = st.sampled_from(sorted({needle for form in FORMS for needle in form.needles}))
_numbers = st.integers(-1, 2**65).map(str)
_pieces = st.one_of(_needles, _numbers, st.text(max_size=8), st.sampled_from(["\n", "\r\r\n", "\t", "0x", ": ", " | "]))
_lines_like = st.lists(_pieces, max_size=60).map("".join).map(str.encode)
_fragments = st.lists(st.sampled_from(LOGS).flatmap(lambda log: st.sampled_from(log.split(b"\n"))), max_size=30)


@given(st.one_of(st.binary(max_size=400), _lines_like))
def test_any_bytes_are_read(data: bytes) -> None:
    console = Console()
    console.feed(data)
    console.close()
    assert console.understood <= console.lines <= data.count(b"\n") + 1


@given(_fragments.map(b"\n".join), st.lists(st.integers(0, 3000), max_size=8))
@settings(deadline=None, max_examples=60)
def test_split_of_the_stream_does_not_matter(data: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    console = Console()
    facts: list[Fact] = []
    for start, end in pairwise(edges):
        facts += console.feed(data[start:end])
    assert facts + console.close() == facts_of(data)


@pytest.mark.parametrize("pieces", [1, 7])
def test_cases_read_alike_in_small_pieces(pieces: int) -> None:
    for log in LOGS:
        assert facts_of(log, pieces=pieces) == facts_of(log)


def _numbers_of(facts: list[Fact]) -> set[tuple[str, tuple[str, ...], str, int]]:
    """The memory that facts speak of; what was begun and broken off (`heap_call`) is no reading."""
    return {
        (fact.kind, fact.names, field, value)
        for fact in facts
        if fact.kind in ("process", "heap", "task", "stack", "pool")
        for field, value in fact.values.items()
        if isinstance(value, int)
    }


CLEAN = [path for path in case_directories() if not path.name.endswith("-damaged")]
CONSOLES = [path for path in CLEAN if not path.name.startswith(("001-", "azure-table"))]
"""Without the tables that a command prints on a computer: there no device prints in between."""


@given(st.sampled_from(CLEAN), st.data())
@settings(deadline=None, max_examples=150)
def test_foreign_text_within_a_line_makes_no_wrong_number(case: Path, data: st.DataObject) -> None:
    log = (case / "input.log").read_bytes()
    place = data.draw(st.integers(0, len(log)))
    disturbed = log[:place] + FOREIGN + log[place:]
    assert _numbers_of(facts_of(disturbed)) <= _numbers_of(facts_of(log))


@given(st.sampled_from(CLEAN), st.data())
@settings(deadline=None, max_examples=150)
def test_torn_end_makes_no_wrong_number(case: Path, data: st.DataObject) -> None:
    log = (case / "input.log").read_bytes()
    torn = log[: data.draw(st.integers(0, len(log)))]
    assert _numbers_of(facts_of(torn)) <= _numbers_of(facts_of(log))


@pytest.mark.parametrize("case", CONSOLES, ids=lambda path: path.name)
def test_foreign_lines_between_lines_change_nothing(case: Path) -> None:
    lines = (case / "input.log").read_bytes().splitlines(keepends=True)
    disturbed = b"".join(line + FOREIGN for line in lines)
    assert _numbers_of(facts_of(disturbed)) == _numbers_of(facts_of(b"".join(lines)))


@given(st.text(max_size=80))
def test_peeling_is_final(text: str) -> None:
    once = peel(text)
    assert peel(once) == peel(peel(once))


_layers = st.sampled_from(
    [
        "\x1b[0;31m", "\x1b[0m", "\u241b[0;32m", "ESC[1;33m", "[0;31m", "[0m", "\ufffd", "\x00", "2026-11-20 22:14:18 ",
        "13:31:39.719 -> ", "09:41:07.123 > ", "[2026-11-02_10:14:22:871]", "[15:33:39] ", "[Apr 29 10:29:50.746] ",
        "00> ", "    console: ", "uart:~$ ", "[esp32]> ", "OVMS# ", "E (61903) ", "I (24) boot: ", "D (1) main: ",
        "[  1001][E][main.cpp:41] ", "[00:00:01.234,000] <err> os: ", "[00:00:01.234,000] ", "<wrn> bt: ", "W: ",
        "free 4", "Dec: ", "face> ", " (", "] <", "Heap summary", "cafe", "12", "\t", "\r", "│ ",
    ]
)  # fmt: skip
_look = Dispatch(FORMS).look


@given(st.lists(st.one_of(_layers, st.text(max_size=3)), max_size=6).map("".join))
@settings(max_examples=500)
def test_what_is_seen_of_a_shape_holds_for_the_line(text: str) -> None:
    text = text.replace("\n", "").rstrip(LINE_END)
    seen = _look(shape(text))
    assert set(seen.words) >= {
        (word, number) for number, form in enumerate(FORMS) for word in form.needles if word in text
    }
    if seen.alone:
        assert split_glued(peel(text))[0] == ""
    if seen.bare:
        assert (peel(text), split_prompt(text)[0]) == (text, "")
    if not seen.prefixed:
        assert read_line(1, text).body == text


def test_line_above_the_cap_is_dropped_and_counted_in_any_split() -> None:
    data = b"Free heap: 1000\n" + b"x" * (LINE_CAP + 1) + b"Free heap: 9999\nFree heap: 2000\n"
    for pieces in (len(data), 4096, 65536):
        framer = Framer()
        lines = [line for start in range(0, len(data), pieces) for line in framer.feed(data[start : start + pieces])]
        assert lines == ["Free heap: 1000", "", "Free heap: 2000"]
        assert framer.oversized == 1


def test_endless_noise_takes_no_memory() -> None:
    framer = Framer()
    for _ in range(64):
        assert framer.feed(b"\xff" * LINE_CAP) == []
    assert framer.feed(b"\nFree heap: 1\n") == ["", "Free heap: 1"]
