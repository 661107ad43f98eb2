"""What holds for any bytes: nothing raises, no split of the stream matters, foreign lines change nothing."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.consoles import Console, Fact
from agent.consoles.console import FORMS, LONGEST
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
    assert console.understood <= console.lines <= data.count(b"\n") + data.count(b"\r") + 1


@given(_fragments.map(b"\n".join), st.lists(st.integers(0, 3000), max_size=8))
@settings(deadline=None, max_examples=60)
def test_split_of_the_stream_does_not_matter(data: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    console = Console()
    facts: list[Fact] = []
    for start, end in pairwise(edges):
        facts += console.feed(data[start:end])
    assert facts + console.close() == facts_of(data)


@given(
    st.lists(st.sampled_from(["\r", "\n", "\r\n", "\0", " ", "Free heap: 70001", "bytes", "HWM\tStack", "x" * 170])),
    st.lists(st.integers(0, 400), max_size=6),
    st.sampled_from(["utf-8", "utf-16-le", "utf-16-be", "utf-16"]),
)
def test_split_does_not_matter_to_returns_and_encodings(words: list[str], cuts: list[int], encoding: str) -> None:
    data = "".join(words).encode(encoding)
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    whole, parts = Console(), Console()
    facts = [fact for start, end in pairwise(edges) for fact in parts.feed(data[start:end])]
    assert facts + parts.close() == whole.feed(data) + whole.close()
    assert (parts.lines, parts.oversized) == (whole.lines, whole.oversized)


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
CONSOLES = [path for path in CLEAN if not path.name.startswith(("001-", "azure-table", "utf-16"))]
"""Without what a computer has written, tables and UTF-16: there no device prints in between."""


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


@given(st.sampled_from(CLEAN), st.data())
@settings(deadline=None, max_examples=100)
def test_lost_bytes_never_raise(case: Path, data: st.DataObject) -> None:
    log = (case / "input.log").read_bytes()
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(log)))
        log = log[:place] + log[place + data.draw(st.integers(1, 40)) :]
    facts_of(log)


TORN = {
    "a chip report row joined to the next": b"  Total Size        :   3622  Free Bytes        :   326608 B ( 319.0 KB)",
    "a heap line joined to a word": b"Heap  | Free:Allocated 100 bytes (leaked)",
    "a dump's heap": b"Showing data for heap: 0",
    "statistics without their end": b"allocated 10400, free 89600, max allocated 2",
    "statistics that do not add up": b"allocated 10400, free 89600, max allocated 10400, heap size 10",
    "totals without their end": b"    free 22076 allocated 139972 min_free 41",
    "a stamp within a line": b"[15:33:39]Free heap: [15:33:39] temperature 12",
    "a number joined to the next line": b"I (9) app: Free internal 413Free heap: 158 KB",
    "thousands with separators": b"I (9) app: free heap 1,234,567",
    "a member without its end": b'{"memoryStats":{"currentMemoryUsageInBytes":1474',
    "a caps line without its end": b"Task: main -> CAP_8BIT: 10",
    "a shell's column without its label": b"uart:free:           58312",
    "source code in a document": b'printk("Allocation failed - heap exhausted");',
    "no external memory": b"Total PSRAM: 0, Free PSRAM: 0",
}


@pytest.mark.parametrize("line", TORN.values(), ids=TORN.keys())
def test_what_is_torn_or_no_memory_gives_nothing(line: bytes) -> None:
    assert facts_of(line + b"\n") == []


def test_a_number_without_the_unit_that_the_line_always_had_is_torn() -> None:
    whole, torn = b"I (9) app: Free memory: 172208 bytes\n", b"I (10) app: Free memory: 1722\n"
    assert _numbers_of(facts_of(whole + torn)) == {("heap", ("default",), "free", 172208)}


@pytest.mark.parametrize("fill", ["1", "a", " ", "-", "0123456789abcdef", "total=1 "])
def test_long_lines_take_no_long_time(fill: str) -> None:
    """Expressions that look for something in all of a line must not take the square of any length."""
    begin = time.process_time()
    for needle in ("Free Block:", "Mem alloc fail.", "(real size", "task="):
        for length in (LONGEST - 100, LINE_CAP - 100):
            facts_of((needle + fill * (length // len(fill)) + "!\n").encode())
    assert time.process_time() - begin < 3


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
@settings(max_examples=200)
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
        assert lines == ["Free heap: 1000", "\0", "Free heap: 2000"]
        assert framer.oversized == 1


def test_endless_noise_takes_no_memory() -> None:
    framer = Framer()
    for _ in range(64):
        assert framer.feed(b"\xff" * LINE_CAP) == []
    assert framer.feed(b"\nFree heap: 1\n") == ["\0", "Free heap: 1"]
