"""Saved console logs: plain, gzip or zstd, told by their first bytes; `-` is standard input."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path
from typing import IO, cast

import zstandard

from telemetry.errors import UsageError

CHUNK = 1 << 18
_GZIP = b"\x1f\x8b"
_ZSTANDARD = b"\x28\xb5\x2f\xfd"


def log_chunks(file: str) -> Iterator[bytes]:
    """The log's own bytes. UsageError when it cannot be read (any further)."""
    with _opened(file) as stream:
        while data := _read(stream, file):
            yield data


def log_bytes(file: str) -> bytes:
    """The whole log."""
    return b"".join(log_chunks(file))


def _read(stream: BufferedIOBase, file: str) -> bytes:
    try:
        return stream.read1(CHUNK)
    except EOFError as error:
        raise UsageError(f"{file}: the packed log is cut short; what it held is above") from error
    except (OSError, zlib.error, zstandard.ZstdError) as error:
        raise UsageError(f"{file}: cannot be read any further ({error}); what it held is above") from error


@contextmanager
def _opened(file: str) -> Iterator[BufferedIOBase]:
    if file == "-":
        yield _unpacked(cast(BufferedIOBase, sys.stdin.buffer))
        return
    try:
        stream = Path(file).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise UsageError(
            f"{file}: cannot be read ({error.strerror}); give a console log, or '-' for standard input"
        ) from error
    with stream:
        yield _unpacked(stream)


def _unpacked(stream: BufferedIOBase) -> BufferedIOBase:
    head = stream.peek(4)[:4] if hasattr(stream, "peek") else b""
    if head.startswith(_GZIP):
        return cast(BufferedIOBase, gzip.open(stream))
    if head == _ZSTANDARD:
        unpacker = zstandard.ZstdDecompressor().stream_reader(cast(IO[bytes], stream), read_across_frames=True)
        return cast(BufferedIOBase, unpacker)
    return stream
