"""Recorded traces are met exactly; wrong traces are told apart from wrong answers, and both by place."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emulators.heap import ALLOCATORS
from emulators.traces import InitialTable, Settings, Trace, TraceFault, compare, read_trace, replay
from emulators.traces.history import Limits, broken, history
from emulators.traces.recorded import Recorded
from emulators.traces.text import write
from telemetry.errors import ConfigError

CASES = Path(__file__).parents[1] / "cases" / "allocators"
ALL_RECORDED = Path(__file__).parents[3] / "shared" / "golden" / "allocators"


def document(path: Path) -> Recorded | InitialTable:
    read = read_trace(path.name, path.read_bytes())
    assert not isinstance(read, Trace)
    return read


def trace(lines: str) -> Trace:
    read = read_trace("my.trace", lines.encode())
    assert isinstance(read, Trace)
    return read


@pytest.mark.parametrize("allocator", ALLOCATORS)
def test_every_answer_is_the_recorded_one(allocator: str) -> None:
    files = sorted((CASES / allocator).glob("*.json.gz"))
    assert len(files) > 30
    for path in files:
        result = compare(path.name, document(path))
        assert result.differences == 0, result.first


@pytest.mark.skipif(not ALL_RECORDED.is_dir(), reason="the whole set of recordings is not beside the project")
def test_every_answer_of_the_whole_set_is_the_recorded_one() -> None:
    results = [compare(str(path), document(path)) for path in sorted(ALL_RECORDED.glob("*/*.json.gz"))]
    assert sum(result.operations for result in results) > 1_500_000
    assert [result.first for result in results if result.differences] == []


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda d: d["res"].__setitem__(7, 4), "operation 7 ("),
        (lambda d: d["stats"]["free_blocks"].__setitem__(1, 99), "free_blocks"),
        (lambda d: d["layout"].pop(), "layout, block"),
        (lambda d: d["res"].append(0), "there is none"),
        (lambda d: d["stats"]["at"].__setitem__(0, -9999), "there is none"),
    ],
)
def test_a_wrong_answer_is_found(spoil: Callable[[dict[str, Any]], Any], told: str) -> None:
    recorded = json.loads(gzip.decompress((CASES / "tlsf" / "adv0_8192.json.gz").read_bytes()))
    spoil(recorded)
    read = read_trace("spoilt", json.dumps(recorded).encode())
    assert not isinstance(read, Trace)
    result = compare("spoilt", read)
    assert result.differences == 1
    assert told in result.first


def test_a_wrong_table_is_found() -> None:
    table = json.loads(gzip.decompress((CASES / "zephyr_k" / "init_table.json.gz").read_bytes()))
    table["rows"][3]["m1"] += 8
    read = read_trace("table", json.dumps(table).encode())
    assert not isinstance(read, Trace)
    assert "m1 " in compare("table", read).first


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"m a 5\nm b\n", "line 2: expected 'm ID BYTES', found 'm b'"),
        (b"m a 5\nx b 3\n", "line 2: expected an operation (m, c, a, r or f), found 'x'"),
        (b"m a 4294967296\n", "line 1: expected a number of 0..4294967295 for BYTES"),
        (b"m a -1\n", "line 1: expected a number"),
        (b"a a 12 5\n", "line 1: expected a power of two for ALIGN, found 12"),
        (b"nothing of the kind\n", "line 1: expected a recorded trace"),
        (b"", "line 1: expected a recorded trace"),
        (b'{"format": "alloc-oracle/1",\n', "line 1: expected JSON"),
        (b'{"a": 1}', "$.format: expected alloc-oracle/1 or alloc-oracle-init/1, found none"),
        (b'{"format": "other/1", "allocator": "tlsf"}', "$.format: expected alloc-oracle/1"),
        (b'{"format": "alloc-oracle/1", "allocator": "dlmalloc"}', "$.allocator: expected one of tlsf"),
        (b'{"format":\n"alloc-oracle/\xff"}', "line 2: expected UTF-8, found the byte 0xff"),
        (b'{"a":' + b"[" * 100_000, "line 1: expected alloc-oracle/1"),
        (b"\x1f\x8b\x08\x00broken", "expected a whole gzip file"),
    ],
)
def test_a_malformed_file_is_refused_by_place(content: bytes, told: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        read_trace("bad", content)
    assert str(refusal.value).startswith("bad: ")
    assert told in str(refusal.value)


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("k", "mmq", "ops.k[2]: expected one of m c r a f, found 'q'"),
        ("k", "mm", "expected columns of equal length"),
        ("id", [1, -2, 3], "$.ops.id"),
        ("a", [1, "x", 3], "$.ops.a"),
    ],
)
def test_malformed_columns_are_refused_by_place(field: str, value: object, told: str) -> None:
    ops = {"k": "mmf", "id": [1, 2, 1], "a": [8, 8, 0], "b": [0, 0, 0]} | {field: value}
    raw = {"format": "alloc-oracle/1", "allocator": "tlsf", "config": {"heap_size": 8192}, "ops": ops}
    with pytest.raises(ConfigError, match=r"bad: ") as refusal:
        compare("bad", read_trace("bad", json.dumps(raw).encode()))  # type: ignore[arg-type]
    assert told in str(refusal.value)


@pytest.mark.parametrize(
    ("lines", "operation", "told"),
    [
        (
            "m a 5\nf a\n# comment\nf a\n",
            2,
            "f a, line 4: frees or resizes an id that is freed already (a double free)",
        ),
        ("m a 5\nf b\n", 1, "f b, line 2: frees or resizes an id that was never allocated (a foreign free)"),
        ("m a 5\nf a\nr a 9\n", 2, "a double free"),
        ("m a 5\nm a 6\n", 1, "m a 6, line 2: allocates an id that still holds a block"),
    ],
)
@pytest.mark.parametrize("allocator", ALLOCATORS)
def test_a_fault_of_the_traced_program_is_told(allocator: Any, lines: str, operation: int, told: str) -> None:
    with pytest.raises(TraceFault) as fault:
        replay(trace(lines), Settings(allocator, size=8192))
    assert fault.value.operation == operation
    assert told in str(fault.value)


def test_the_recorded_format_takes_a_second_free_as_free_of_null() -> None:
    ops = {"k": "mff", "id": [1, 1, 1], "a": [8, 0, 0], "b": [0, 0, 0]}
    raw = {"format": "alloc-oracle/1", "allocator": "tlsf", "config": {"heap_size": 8192}, "ops": ops}
    read = read_trace("twice", json.dumps(raw).encode())
    assert not isinstance(read, Trace)
    assert compare("twice", read).differences == 0


def test_plain_text_survives_a_round() -> None:
    lines = "m a 300\nc b 4 10\na c 64 100\nr a 0x100\nf b\n"
    assert write(trace(lines)) == "m a 300\nc b 4 10\na c 64 100\nr a 256\nf b\n"


def test_a_heap_too_small_fails_where_the_device_would() -> None:
    """Three blocks of 3000 bytes do not fit in 8 KiB: the third fails, and every limit says since when."""
    tight = trace("m a 3000\nm b 3000\nm c 3000\nf a\n")
    seen = history(tight, Settings("tlsf", size=8192))
    assert seen.failed.tolist() == [2]
    sentences = broken(Limits(max_used=5000, min_largest=2000, max_failed=0), seen)
    assert [sentence.rpartition("operation ")[2] for sentence in sentences] == ["1", "1", "2"]
    assert broken(Limits(max_used=6144, min_largest=0, max_failed=1), seen) == []


HEAP_TRACKER = """\
Heap-Tracker lib: malloc(1024)=0x40b2c0... SUCCESS: heap_allocated (1024 bytes)
Heap-Tracker: calloc(4,100)=0x40b6d0...
Heap-Tracker: realloc(0x40b2c0, 2048)=0x40c000... SUCCESS
Heap-Tracker: _realloc(0x40c000,2048,4096)=0x40d000...
Heap-Tracker: malloc(300000)=(nil)... SUCCESS
Heap-Tracker: free(0x999990)...
Heap-Tracker: _free(0x40d000,4096)...
"""

HEAP_TRACE = """\
====== Heap Trace: 3 records (100 capacity) ======
    24 bytes (@ 0x3ffb5040, Internal) allocated CPU 0 ccount 0x0d2a9b84 caller 0x400d8c52:0x400d8d12 freed
freed by 0x400d8c62:0x400d8d12
   100 bytes (@ 0x3ffb5040, Internal) allocated CPU 0 ccount 0x0d2aab84 caller 0x400d8c52:0x400d8d12
  4096 bytes (@ 0x3f800800,    PSRAM) allocated CPU 1 ccount 0x0d2aab99 caller 0x400d8c52:0x400d8d12 freed
"""

SYSTEM_VIEW = """\
[0.002244575] HEAP: Allocated 1 bytes @ 0x3ffaffd8 from task "alloc" on core 0 by:
[0.002258425] HEAP: Freed bytes @ 0x3ffaffd8 from task "alloc" on core 0 by:
"""

HEAPTRACE = """\
[heaptrace] ptr=0x20001048 size=96 heap=_system_heap alloc_tid=0x20000a10 alloc_thread=main alloc_cpu=0 alloc_ms=12
[heaptrace] ptr=0x200010b0 size=32 heap=_system_heap alloc_tid=0x20000a10 alloc_thread=main alloc_cpu=0 alloc_ms=15
outstanding_blocks=2 outstanding_bytes=128
"""


@pytest.mark.parametrize(
    ("log", "operations", "allocator"),
    [
        (HEAP_TRACKER, ["m 0 1024", "c 1 4 100", "r 0 2048", "r 0 4096", "m 2 300000", "f 0"], "musl_oldmalloc"),
        (HEAP_TRACE, ["m 0 24", "f 0", "m 1 100", "m 2 4096", "f 2"], "tlsf"),
        (SYSTEM_VIEW, ["m 0 1", "f 0"], "tlsf"),
        (HEAPTRACE, ["m 0 96", "m 1 32"], "zephyr_k"),
    ],
)
def test_a_log_becomes_a_trace(log: str, operations: list[str], allocator: str) -> None:
    """Ids are address.number in the log's trace; here only the number is looked at."""
    made = trace(log)
    lines = [line.split(" ") for line in write(made).splitlines()]
    assert [" ".join([kind, name.split(".")[1], *rest]) for kind, name, *rest in lines] == operations
    assert made.allocator == allocator
    replay(made, Settings(made.allocator))


def test_frees_of_blocks_that_the_log_never_saw_are_counted() -> None:
    assert trace(HEAP_TRACKER).notes == ("left out: frees of blocks allocated before the log begins, 1 times",)


def test_sizes_that_no_device_asks_for_are_counted() -> None:
    """A torn line may run two numbers together."""
    torn = (
        "Heap-Tracker lib: malloc(10241024102410)=0x40b2c0...\nHeap-Tracker lib: realloc(0x40b2c0, 99999999999)=(nil)\n"
    )
    made = trace(torn + HEAP_TRACKER)
    assert write(made).split("\n")[0].split()[2] == "1024"
    assert made.notes[1] == "left out: calls with 4 GiB or more, 2 times"
