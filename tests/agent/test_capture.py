"""Captures: what was written comes back, in time and whatever happened to the file."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.capture import CaptureWriter, Entry, Limits, captured_devices, read_capture
from agent.capture.masking import SECRETS, compiled, mask
from agent.capture.segment import entries_of, segments

NOW = 1_795_000_000_000
PACK = zstandard.ZstdCompressor(level=3, write_checksum=True).compress
DAY = 86_400_000


def writer(folder: Path, **limits: int) -> CaptureWriter:
    return CaptureWriter(
        folder, Limits(**({"max_bytes": 32 << 20, "max_ms": 14 * DAY, "write_ms": 30_000} | limits)), PACK
    )


@given(st.lists(st.tuples(st.binary(max_size=60), st.integers(0, 5000)), max_size=20))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_lines_come_back_as_they_were(tmp_path: Path, parts: list[tuple[bytes, int]]) -> None:
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    capture, now, expected = writer(folder), NOW, []
    for text, later in parts:
        now += later
        lines = text + b"\n"
        capture.write(lines, now)
        expected += [Entry(now, line) for line in lines.split(b"\n")[:-1]]
    capture.close()
    assert list(read_capture(folder)) == expected


def test_text_without_a_line_feed_is_kept_as_such(tmp_path: Path) -> None:
    capture = writer(tmp_path)
    capture.write(b"one\nuart:~$ ", NOW)
    capture.write(b"login: ", NOW + 1)
    capture.close()
    assert [entry.complete for entry in read_capture(tmp_path)] == [False, False]


def test_few_writes_and_an_incident_hurries(tmp_path: Path) -> None:
    capture = writer(tmp_path)
    for second in range(29):
        capture.write(b"line\n", NOW + second * 1000)
        capture.tick(NOW + second * 1000)
    assert not segments(tmp_path)
    capture.hurry(NOW + 28_500)
    capture.tick(NOW + 29_000)
    assert not segments(tmp_path)
    capture.tick(NOW + 29_500)
    assert len(list(read_capture(tmp_path))) == 29
    capture.write(b"more\n", NOW + 40_000)
    capture.tick(NOW + 70_000)
    assert len(list(read_capture(tmp_path))) == 30  # readable while it is written
    assert len(segments(tmp_path)) == 1


def test_only_the_wanted_time_is_read(tmp_path: Path) -> None:
    for start in (0, 1000, 2000):
        capture = writer(tmp_path / "d")
        capture.write(b"a\n", NOW + start)
        capture.write(b"b\n", NOW + start + 500)
        capture.close()
    assert captured_devices(tmp_path) == ["d"]
    assert [entry.time_ms - NOW for entry in read_capture(tmp_path / "d", NOW + 500, NOW + 2000)] == [
        500, 1000, 1500, 2000,
    ]  # fmt: skip


def test_size_and_age_are_bounded(tmp_path: Path) -> None:
    noise = random.Random(1)
    for day in range(30):
        capture = writer(tmp_path, max_bytes=6 << 20, max_ms=20 * DAY)
        for _ in range(2):
            capture.write(noise.randbytes(200_000).replace(b"\n", b"") + b"\n", NOW + day * DAY)
            capture.tick(NOW + day * DAY + 30_000)
        capture.close()
    kept = segments(tmp_path)
    assert sum(path.stat().st_size for _, path in kept) <= 6 << 20
    assert kept[-1][0] == NOW + 29 * DAY
    assert kept[0][0] >= NOW + 9 * DAY


def test_a_damaged_frame_costs_only_itself(tmp_path: Path) -> None:
    capture = writer(tmp_path, write_ms=1)
    for number in range(10):
        capture.write(b"line %d of a log\n" % number * 20, NOW + number * 10)
        capture.tick(NOW + number * 10 + 5)
    capture.close()
    path = segments(tmp_path)[0][1]
    whole = path.read_bytes()
    for place in random.Random(2).sample(range(len(whole)), 60):
        broken = bytearray(whole)
        broken[place] ^= 0x10
        path.write_bytes(broken)
        assert sum(1 for _ in entries_of(path)) >= 160
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        found = [entry.data for entry in entries_of(path)]
        assert all(data.startswith(b"line ") for data in found)


@given(st.binary(max_size=300))
def test_masking_keeps_the_lines_apart(lines: bytes) -> None:
    assert mask(compiled((*SECRETS, r"a\s+b", r"[^x]*")), lines).count(b"\n") == lines.count(b"\n")


def test_secrets_are_masked_and_the_rest_stays() -> None:
    log = (
        b'I (1) wifi: ssid: Home-5G, password = "hunter2"\n'
        b"GET https://joe:pw@host/x Authorization: Bearer abcdef123456\n"
        b"mail joe@example.com Free heap: 1234 bytes\nHostName=h;SharedAccessKey=abc=;x\n"
    )
    masked = mask(compiled(SECRETS), log)
    for secret in (b"Home-5G", b"hunter2", b":pw@", b"abcdef123456", b"joe@example.com", b"abc="):
        assert secret not in masked
    assert b"Free heap: 1234 bytes" in masked
