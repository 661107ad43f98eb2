"""Tell which form a trace file has, and read it."""

from __future__ import annotations

import gzip
import re
import zlib

import msgspec

from emulators.heap import ALLOCATORS
from emulators.traces import initial, logs, recorded, text
from emulators.traces.initial import InitialTable
from emulators.traces.recorded import Recorded
from emulators.traces.trace import Trace
from telemetry.errors import ConfigError

_GZIP = b"\x1f\x8b"
_MARK = b"\xef\xbb\xbf"
"""Some editors begin a text with it."""


class _Header(msgspec.Struct):
    format: str = ""
    allocator: str = ""


def read_trace(source: str, data: bytes) -> Recorded | InitialTable | Trace:
    """A recorded trace or table (JSON, gzip'ed or not), a plain text trace, or the trace that a device's log tells of.

    `source` names the file in messages. Raises ConfigError with the place and what was expected there.
    """
    plain = _unpacked(source, data).removeprefix(_MARK)
    if plain.lstrip()[:1] == b"{":
        return _document(source, plain)
    lines = plain.decode("utf-8", errors="replace").splitlines()
    return text.read(source, lines) if text.looks_like(lines) else logs.read(source, lines)


def _unpacked(source: str, data: bytes) -> bytes:
    if data[:2] != _GZIP:
        return data
    try:
        return gzip.decompress(data)
    except (EOFError, OSError, zlib.error) as error:
        raise ConfigError(source, [f"expected a whole gzip file: {error}"]) from error


def _document(source: str, data: bytes) -> Recorded | InitialTable:
    known = {recorded.FORMAT: Recorded, initial.FORMAT: InitialTable}
    try:
        data.decode()
        header = msgspec.json.decode(data, type=_Header)
        if header.format not in known:
            raise ConfigError(source, [f"$.format: expected {' or '.join(known)}, found {header.format or 'none'}"])
        if header.allocator not in ALLOCATORS:
            raise ConfigError(
                source, [f"$.allocator: expected one of {', '.join(ALLOCATORS)}, found {header.allocator or 'none'}"]
            )
        document: Recorded | InitialTable = msgspec.json.decode(data, type=known[header.format])
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at ")
        raise ConfigError(source, [f"{where.strip('`') or '$'}: {what}"]) from error
    except UnicodeDecodeError as error:
        line, byte = data.count(b"\n", 0, error.start) + 1, data[error.start]
        raise ConfigError(source, [f"line {line}: expected UTF-8, found the byte {byte:#04x}"]) from error
    except RecursionError as error:  # nothing but brackets
        raise ConfigError(source, [f"line 1: expected {' or '.join(known)}: {error}"]) from error
    except msgspec.DecodeError as error:
        raise ConfigError(source, [f"line {_line(data, str(error))}: expected JSON: {error}"]) from error
    return document


def _line(data: bytes, message: str) -> int:
    """The line of the byte that a decoder's message names; the last one for a document that ends too early."""
    byte = re.search(r"byte (\d+)", message)
    return data.count(b"\n", 0, int(byte[1]) if byte else len(data.rstrip())) + 1
