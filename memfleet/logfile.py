"""Saved console logs: plain, gzip or zstd, told by their first bytes; `-` is standard input."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import cast

import zstandard

from telemetry.errors import UsageError

CHUNK = 1 << 18
PIECE = 1 << 12
"""Packed bytes that are unpacked at once: a line that is repeated without end packs ten thousand to one."""
_GZIP = b"\x1f\x8b"
_ZSTANDARD = b"\x28\xb5\x2f\xfd"


def log_chunks(file: str) -> Iterator[bytes]:
    """The log's own bytes. UsageError when it cannot be read (any further)."""
    with _opened(file) as stream:
        try:
            yield from _unpacked(stream)
        except EOFError as error:
            raise UsageError(f"{file}: the packed log is cut short; what it held is above") from error
        except (OSError, zlib.error, zstandard.ZstdError) as error:
            raise UsageError(f"{file}: cannot be read any further ({error}); what it held is above") from error


def log_bytes(file: str) -> bytes:
    """The whole log."""
    return b"".join(log_chunks(file))


@contextmanager
def _opened(file: str) -> Iterator[BufferedReader]:
    if file == "-":
        yield cast(BufferedReader, sys.stdin.buffer)
        return
    try:
        stream = Path(file).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise UsageError(
            f"{file}: cannot be read ({error.strerror}); give a console log, or '-' for standard input"
        ) from error
    with stream:
        yield stream


def _unpacked(stream: BufferedReader) -> Iterator[bytes]:
    head = stream.peek(4)[:4] if hasattr(stream, "peek") else b""
    if head == _ZSTANDARD:
        return _from_zstandard(stream)
    plain = gzip.GzipFile(fileobj=stream) if head.startswith(_GZIP) else stream
    return iter(lambda: plain.read1(CHUNK), b"")


def _from_zstandard(stream: BufferedReader) -> Iterator[bytes]:
    """Frame after frame. EOFError when the last one has no end: the library's own reader says nothing of that."""
    frame, begun = zstandard.ZstdDecompressor().decompressobj(), False
    while data := stream.read1(PIECE):
        while data:
            begun = True
            yield frame.decompress(data)
            data = b""
            if frame.eof:
                data, begun = frame.unused_data, False
                frame = zstandard.ZstdDecompressor().decompressobj()
    if begun:
        raise EOFError
