"""Readings as lines of JSON: what is written is read back, what others write is understood or refused with a reason."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from telemetry import ndjson
from telemetry.errors import UsageError
from telemetry.readings import FLAGS, KINDS, About, Reading

TEXTS = some.text(some.characters(exclude_categories=("Cs",)), max_size=20)


@some.composite
def readings(draw: some.DrawFn) -> Reading:
    kind = draw(some.sampled_from(list(KINDS.values())))
    numbers = draw(some.dictionaries(some.sampled_from(kind.numbers), some.integers(0, 2**40))) if kind.numbers else {}
    texts = draw(some.dictionaries(some.sampled_from(kind.texts), TEXTS)) if kind.texts else {}
    return Reading(
        draw(some.from_regex(r"[a-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True)),
        kind.name,
        tuple(draw(TEXTS) for _ in kind.tags),
        draw(some.integers(0, 2**42)),
        numbers | texts,
        draw(some.integers(0, 1000)),
        draw(some.none() | some.integers(0, 2**41)),
        tuple(flag for flag in FLAGS if draw(some.booleans())),
        draw(some.sampled_from((1, 1024))),
    )


@given(readings(), some.sampled_from(("esp32", "mt3620")), some.sampled_from(({}, {"board": "b", "site": "Ulm"})))
@example(Reading("d", "device", (), 0, {"board": "as the device says"}), "esp32", {})
def test_what_is_written_is_read_back(reading: Reading, platform: str, more: dict[str, str]) -> None:
    about = About(reading.device, reading.boot, {"platform": platform, "firmware": "1.2", **more}, {"heap": 4096})
    line = ndjson.encode(reading, about)
    assert b"\n" not in line
    assert ndjson.decode(line) == (about, reading)
    assert ndjson.time_of(line) == reading.time_ms / 1000


def test_the_line_is_the_one_that_is_documented() -> None:
    about = About("board-1", 2, {"platform": "zephyr", "firmware": "1.4"})
    reading = Reading("board-1", "heap", ("kernel",), 1_790_000_000_500, {"size": 4096, "free": 1024}, 2, 61_500)
    assert json.loads(ndjson.encode(reading, about)) == {
        "device": "board-1", "platform": "zephyr", "firmware": "1.4", "kind": "heap", "name": "kernel",
        "time_s": 1_790_000_000.5, "uptime_s": 61.5, "boot": 2, "size": 4096, "free": 1024,
    }  # fmt: skip


def test_lines_of_others_may_say_less_and_say_it_otherwise() -> None:
    about, reading = ndjson.decode(b'{"device":"a","kind":"task","name":"net","time_s":3,"fields":{"current":7.0}}')
    assert (reading.names, reading.values, reading.boot, reading.uptime_ms) == (("net", ""), {"current": 7}, -1, None)
    assert about.texts == {}
    about, _ = ndjson.decode(b'{"device":"a","kind":"heap","time_s":3,"platform":"amiga","texts":{"site":"ulm"}}')
    assert about.texts == {"platform": "other", "site": "ulm"}
    _, reading = ndjson.decode(b'{"device":"a","kind":"process","name":"","time_s":3,"user_mode":9,"colour":"red"}')
    assert (reading.names, reading.values) == ((), {"user_mode": 9})


def test_unknown_values_may_be_written_as_programs_write_them() -> None:
    _, reading = ndjson.decode(
        b'{"device":12,"kind":"heap","name":3,"time_s":3.5,"uptime_s":NaN,"boot":null,"size":9,"free":NaN,"used":null}'
    )
    assert (reading.device, reading.names, reading.values) == ("12", ("3",), {"size": 9})
    assert (reading.boot, reading.uptime_ms, reading.time_ms) == (-1, None, 3500)
    assert ndjson.time_of(b'{"device":"a room/b","time_s":4,"free":Infinity}') == 4


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"[1]", "no JSON object"),
        (b'{"device":"a\\tb","kind":"heap","time_s":1}', "is no name"),
        (b'{"kind":"heap","time_s":1}', "device is missing"),
        (b'{"device":"a","kind":"heap","time_s":NaN}', "time_s"),
        (b'{"device":"a","kind":"heep","time_s":1}', "none of process"),
        (b'{"device":"a","kind":"heap","time_s":"soon"}', "time_s"),
        (b'{"device":"a","kind":"heap","time_s":1,"name":["a","b"]}', "takes heap"),
        (b'{"device":"a","kind":"heap","time_s":1,"boot":-3}', "boot"),
        (b'{"device":"a","kind":"heap","free":1}', "time_s is missing"),
        (b'{"device":"a","time_s":1,"free":1}', "kind is missing"),
        (b'{"device":"a","kind":"heap","time_s":1793000000000,"free":1}', "milliseconds"),
        (b'{"device":"a","kind":"heap","time_s":1,"free":"12 KiB"}', 'free: "12 KiB" is no number'),
        (b'{"device":"a","kind":"heap","time_s":1,"free":true}', "free: true is no number"),
        (b'{"device":"a","kind":"heap","time_s":1,"free":1,"flags":"debugger"}', 'flags: "debugger" is no list of '),
        (
            b'{"device":"a","kind":"heap","time_s":1,"free":1,"flags":["debuger"]}',
            r'flags: \["debuger"\] is no list of ',
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_reason(line: bytes, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        ndjson.decode(line)


@given(some.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(line: bytes) -> None:
    with contextlib.suppress(UsageError):
        ndjson.decode(line)
