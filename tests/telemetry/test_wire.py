"""The wire: fixed vectors, round trips, and that hostile bytes are answered by WireError and nothing else."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.errors import WireError
from telemetry.readings import FLAGS, KINDS, RESERVED, About, fault_of
from telemetry.wire import (
    HEADER_BYTES,
    MAX_FRAME,
    MAX_ROWS,
    Block,
    Clock,
    Header,
    Rows,
    clean_text,
    decode_body,
    decode_each,
    encode_body,
    flag_bits,
    open_header,
    row_faults,
    seal,
    unseal,
)

CASES = sorted((Path(__file__).parent.parent / "cases" / "wire").glob("*.hex"))


def vector(path: Path) -> tuple[bytes, dict[str, Any]]:
    """The bytes of a case, and what they mean or the reason why they are refused."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return bytes.fromhex(" ".join(lines)), json.loads(path.with_suffix(".json").read_text())


def told(block: Block) -> dict[str, Any]:
    """A block in the terms of the JSON files."""
    if isinstance(block, Rows):
        return {"readings": json.loads(json.dumps([dataclasses.asdict(reading) for reading in block.readings()]))}
    return {"about" if isinstance(block, About) else "clock": dataclasses.asdict(block)}


@pytest.mark.parametrize("path", [p for p in CASES if not p.stem.startswith("bad-")], ids=lambda path: path.stem)
def test_vector_means_what_its_file_says_and_is_written_the_same_way(path: Path) -> None:
    frame, expected = vector(path)
    header, body = unseal(frame)
    blocks = decode_body(body)
    assert dataclasses.asdict(header) == {**expected["header"], "version": 1}
    assert [told(block) for block in blocks] == expected["blocks"]
    assert seal(header, encode_body(blocks)) == frame


@pytest.mark.parametrize("path", [p for p in CASES if p.stem.startswith("bad-")], ids=lambda path: path.stem)
def test_bad_vector_is_refused_for_its_reason(path: Path) -> None:
    frame, expected = vector(path)
    with pytest.raises(WireError) as caught:
        decode_body(unseal(frame)[1])
    assert caught.value.reason == expected["error"]


NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=40)
TIMES = st.integers(0, 2**53 - 1)
SPANS = st.integers(0, 2**32)
NUMBERS = st.integers(-(2**63), 2**64 - 1)
FIELDS = st.from_regex(r"[a-z][a-z0-9_]{0,31}", fullmatch=True)


@st.composite
def rows_blocks(draw: st.DrawFn) -> Rows:
    kind = draw(st.sampled_from(list(KINDS.values())))
    known = st.sampled_from(kind.numbers + kind.texts)
    own = FIELDS.filter(lambda name: name not in RESERVED and name not in kind.tags)
    fields = draw(st.lists(known | own if kind.open_fields else known, min_size=1, max_size=5, unique=True))
    values = [
        st.none() | (TEXTS if name in kind.texts else NUMBERS if name in kind.numbers else TEXTS | NUMBERS)
        for name in fields
    ]
    row = st.tuples(SPANS, st.none() | SPANS, *values).map(list)
    return Rows(
        draw(NAMES), draw(st.integers(0, 2**32 - 1)), kind.name, tuple(draw(TEXTS) for _ in kind.tags),
        draw(st.integers(0, 2 ** len(FLAGS) - 1)), draw(st.integers(1, 4096)), draw(TIMES), draw(st.none() | TIMES),
        tuple(fields), draw(st.lists(row, min_size=1, max_size=6)),
    )  # fmt: skip


ABOUTS = st.builds(
    About, NAMES, st.integers(0, 2**32 - 1), st.dictionaries(FIELDS, TEXTS), st.dictionaries(FIELDS, TIMES)
)
BLOCKS = st.lists(rows_blocks() | ABOUTS | st.builds(Clock, NAMES, st.none() | TIMES), max_size=4)
SEQUENCES = st.tuples(st.integers(1, 2**63 - 1), st.integers(1, 2**63 - 1)).map(sorted)


@given(BLOCKS, SEQUENCES, st.integers(0, 2**63 - 1), TIMES, st.integers(0, 3))
def test_what_is_written_is_read_back(blocks: list[Block], seqs: list[int], epoch: int, now: int, flags: int) -> None:
    header = Header(epoch, seqs[1], seqs[0], now, flags)
    found, body = unseal(seal(header, encode_body(blocks)))
    assert found == header
    assert decode_body(body) == blocks
    assert decode_each(body) == (blocks, [])


@given(BLOCKS)
def test_rows_that_pass_the_sanity_rules_fit_every_store(blocks: list[Block]) -> None:
    for block in blocks:
        if isinstance(block, Rows):
            faults = row_faults(block)
            for index, reading in enumerate(block.readings()):
                if block.kind != "log":
                    fault = fault_of(reading.kind, reading.values, reading.flags, reading.resolution)
                    assert faults.get(index) == fault, "by columns as one by one"
                if index not in faults:
                    numbers = [value for value in reading.values.values() if isinstance(value, int)]
                    assert all(-(2**63) <= number < 2**63 for number in numbers)


WHOLE = {"too_large", "too_short", "version", "crc", "sequence"}
REASONS = WHOLE | {"msgpack", "grammar", "kind", "field", "text", "row"}


def reason_of(frame: bytes) -> str | None:
    """Why a frame is refused, None when it is read; any other exception goes through."""
    try:
        decode_body(unseal(frame)[1])
    except WireError as error:
        return error.reason
    return None


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_a_wire_error(data: bytes) -> None:
    assert reason_of(data) in REASONS
    assert reason_of(seal(Header(1, 1, 1, 0), data)) in REASONS | {None}


LEAVES = st.none() | st.booleans() | st.floats() | NUMBERS | TEXTS | st.binary(max_size=4) | st.just("heap")
THINGS = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=3))


@given(BLOCKS, st.data())
def test_a_good_body_with_one_thing_exchanged_is_read_or_refused(blocks: list[Block], data: st.DataObject) -> None:
    body = msgpack.unpackb(encode_body(blocks))
    place = body
    while isinstance(place, list) and place:
        index = data.draw(st.integers(0, len(place) - 1))
        if not isinstance(place[index], list) or data.draw(st.booleans()):
            place[index] = data.draw(THINGS)
            break
        place = place[index]
    exchanged = msgpack.packb(body)
    reason = reason_of(seal(Header(1, 1, 1, 0), exchanged))
    assert reason in REASONS | {None}
    for block in decode_body(exchanged) if reason is None else ():
        if isinstance(block, Rows):
            row_faults(block)
            block.readings()


@given(BLOCKS.filter(len), st.data())
def test_one_flipped_bit_is_noticed(blocks: list[Block], data: st.DataObject) -> None:
    frame = bytearray(seal(Header(5, 9, 2, 1), encode_body(blocks)))
    bit = data.draw(st.integers(0, len(frame) * 8 - 1))
    frame[bit // 8] ^= 1 << bit % 8
    with pytest.raises(WireError):
        unseal(bytes(frame))


def test_a_bad_block_costs_the_other_blocks_nothing() -> None:
    good, bad = Clock("a", None), [1, "no rows"]
    body = msgpack.packb([[2, "a", None], bad, [2, "a", None]])
    blocks, refused = decode_each(body)
    assert blocks == [good, good]
    assert [(msgpack.unpackb(data), error.reason) for data, error in refused] == [([bad], "grammar")]


def test_a_frame_over_the_limit_is_refused_whole() -> None:
    at_limit = seal(Header(1, 1, 1, 0), bytes(MAX_FRAME - HEADER_BYTES))
    unseal(at_limit)
    with pytest.raises(WireError, match="too_large"):
        unseal(seal(Header(1, 1, 1, 0), bytes(MAX_FRAME - HEADER_BYTES + 1)))


def test_a_frame_of_any_version_has_a_place_in_the_sequence() -> None:
    header = Header(5, 7, 3, 99, flags=0x80, version=9)
    assert open_header(seal(header, b"what a later version writes")) == (header, b"what a later version writes")
    for newer in (header, replace(header, version=1), replace(header, flags=0)):
        with pytest.raises(WireError, match="version"):
            unseal(seal(newer, b""))


def test_a_block_over_the_row_limit_is_refused() -> None:
    block = Rows("d", 0, "stack", ("t",), 0, 1, 0, None, ("size",), [[0, None, 1]] * (MAX_ROWS + 1))
    with pytest.raises(WireError, match="row"):
        decode_body(encode_body([block]))


def test_flag_bits_are_in_the_order_of_the_flags() -> None:
    assert flag_bits(()) == 0
    assert flag_bits(FLAGS) == 2 ** len(FLAGS) - 1
    assert [flag_bits([flag]) for flag in FLAGS] == [1, 2, 4, 8, 16]


@pytest.mark.parametrize(
    ("kind", "fields", "values", "fault"),
    [
        ("heap", ("free",), [2**32 - 200], "underflow"),
        ("heap", ("free",), [-1], "negative"),
        ("heap", ("free", "largest_free"), [10, 11], "largest_above_free"),
        ("heap", ("size", "free", "used"), [10, 11, 0], "above_size"),
        ("heap", ("used", "size"), [11, 10], "above_size"),
        ("heap", ("used", "size"), [11, None], None),
        ("pool", ("used", "size"), [11, 10], None),
        ("event", ("size",), [2**63], "not_64_bit"),
        ("device", ("uptime",), [2**64 - 1], "not_64_bit"),
        ("device", ("uptime",), [2**32 - 200], None),
        ("agent", ("disk_free",), [2**32 - 1], None),
        ("event", ("code",), [-11], None),
        ("heap", ("free", "largest_free"), [None, 11], None),
        ("heap", ("free",), [2**33], None),
    ],
)
def test_row_faults_names_what_no_source_can_have_printed(kind, fields, values, fault) -> None:
    names = tuple("n" for _ in KINDS[kind].tags)
    block = Rows("d", 0, kind, names, 0, 1, 0, None, fields, [[0, None, *values]] * 2)
    assert row_faults(block) == ({} if fault is None else {0: fault, 1: fault})


@given(st.text(max_size=300))
def test_cleaned_text_passes_the_wire(text: str) -> None:
    block = Rows("d", 0, "log", (), 0, 1, 0, None, ("text",), [[0, None, clean_text(text, 200)]])
    assert decode_body(encode_body([block])) == [block]
