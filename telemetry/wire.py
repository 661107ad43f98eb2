"""The wire: frames of readings, as bytes. Pure; bad bytes raise WireError with a reason, never anything else.

    frame  = header body                    at most 60,000 bytes
    header = version u8, flags u8, epoch u64, seq u64, base u64, now_ms u64, crc32 u32      38 bytes, big-endian
    body   = msgpack array of blocks, applied in order
    block  = about | rows | clock
    about  = [0, device, boot, {name: text, ...}, {limit: bytes, ...}]
    rows   = [1, device, boot, kind, [name, ...], flags, resolution, t0, u0, [field, ...], [row, ...]]
    row    = [dt, du, value, ...]           time = t0 + dt ms; uptime = u0 + du ms, both nil when unknown
    value  = integer | text | nil           nil: this row has no such field
    clock  = [2, boot id, anchor]           anchor: wall ms at monotonic 0, nil until a collector has answered

The header keeps its form in every version: a frame of a newer one has its place and is kept until it is understood.
epoch names one life of the sender's outbox (random), seq counts its frames from 1, base is the oldest seq that it still
holds. now_ms is the sender's monotonic clock at publish. Header flag 1: t0 is on that monotonic clock, not wall time.
Flag 2, with flag 1: of an earlier boot of the sender; now_ms is the least that its clock would show, rows get `guess`.
Flag 4: a collector has had all that is older than base, or knows of it that it was lost.
crc32 (zlib) covers the header before it and the body. base and now_ms are set anew at each publish.
A row's flags are bits in the order of `readings.FLAGS`. Kinds, names and fields are those of `readings.KINDS`.
No ext types, no floats, no binary; the grammar itself bounds the depth at four.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

import msgpack
import msgspec

from telemetry.errors import WireError
from telemetry.readings import (
    FLAGS,
    HEAP_PARTS,
    KINDS,
    PORT_EVENTS,
    RESERVED,
    UNDERFLOW_FROM,
    About,
    Kind,
    Reading,
    Value,
    fault_of,
)
from telemetry.topics import is_name

VERSION = 1
MAX_FRAME = 60_000
MAX_ROWS = 5_000
MAX_TEXT = 1_024
MAX_NAME = 256
MONOTONIC = 1
EARLIER = 2
CONFIRMED = 4
_HEADER_FLAGS = MONOTONIC | EARLIER | CONFIRMED

_HEADER = struct.Struct(">BBQQQQI")
HEADER_BYTES = _HEADER.size
_ABOUT, _ROWS, _CLOCK = 0, 1, 2
_FIELD = re.compile(r"[a-z][a-z0-9_]{0,31}").fullmatch
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]").search
_CONTROL_ALL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]").sub
_MAX_TIME = 2**53
_MAX_NUMBER = 2**63


@dataclass(frozen=True, slots=True)
class Header:
    """A frame's fixed header; see the grammar on top of this module for the meaning of each field."""

    epoch: int
    seq: int
    base: int
    now_ms: int
    flags: int = 0
    version: int = VERSION


class Rows(msgspec.Struct, frozen=True, eq=False, array_like=True, tag=_ROWS, gc=False):
    """Readings that share device, boot, kind, names, flags and resolution. `rows` are as on the wire.

    `plain`, set when checking, says that all of them are whole numbers from 0 to below an underflow, or absent; two
    blocks are the same without it. Not looked at by the garbage collector: every reading is in one, and none in a ring.
    """

    device: str
    boot: int
    kind: str
    names: tuple[str, ...]
    flags: int
    resolution: int
    t0: int
    u0: int | None
    fields: tuple[str, ...]
    rows: list[list[Any]]
    plain: bool = False

    __hash__ = None  # type: ignore[assignment]  # what Python wants of things that may change

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rows) and _listed(self) == _listed(other)

    @property
    def is_spoken(self) -> bool:
        """Whether they are a word of the device: its agent may tell of its port, and it need not be alive."""
        return self.kind != "event" or self.names[0] not in PORT_EVENTS

    def readings(self) -> list[Reading]:
        """The same rows, one object each (slow: for tests, tools and odd corners)."""
        flags = tuple(name for bit, name in enumerate(FLAGS) if self.flags >> bit & 1)
        return [
            Reading(
                self.device,
                self.kind,
                self.names,
                self.t0 + row[0],
                {name: value for name, value in zip(self.fields, row[2:], strict=True) if value is not None},
                self.boot,
                None if self.u0 is None or row[1] is None else self.u0 + row[1],
                flags,
                self.resolution,
            )
            for row in self.rows
        ]


@dataclass(frozen=True, slots=True)
class Clock:
    """Which boot of the sender the monotonic times belong to, and its place in wall time (None: not yet known)."""

    boot_id: str
    anchor_ms: int | None


Block = About | Rows | Clock


class _About(msgspec.Struct, array_like=True, tag=_ABOUT):
    """As it stands in a body."""

    device: str
    boot: int
    texts: dict[str, str]
    limits: dict[str, int]

    def block(self) -> About:
        return About(self.device, self.boot, self.texts, self.limits)


class _Clock(msgspec.Struct, array_like=True, tag=_CLOCK):
    """As it stands in a body."""

    boot_id: str
    anchor_ms: int | None

    def block(self) -> Clock:
        return Clock(self.boot_id, self.anchor_ms)


_blocks = msgspec.msgpack.Decoder(list[_About | Rows | _Clock])


def clean_text(text: str, longest: int) -> str:
    """The text as the wire takes it: control characters become U+FFFD, what is too long is cut."""
    return _CONTROL_ALL("\ufffd", text)[:longest]


def flag_bits(flags: Sequence[str]) -> int:
    """The flags of a reading as the bits of a rows block."""
    return sum(1 << FLAGS.index(flag) for flag in flags)


def seal(header: Header, body: bytes) -> bytes:
    """A frame ready to publish."""
    start = _HEADER.pack(header.version, header.flags, header.epoch, header.seq, header.base, header.now_ms, 0)[:-4]
    return start + zlib.crc32(body, zlib.crc32(start)).to_bytes(4, "big") + body


def unseal(frame: bytes) -> tuple[Header, bytes]:
    """Header and body of a frame that can be read. Reasons: too_short, crc, sequence, too_large, version."""
    header, body = open_header(frame)
    require_readable(header, body)
    return header, body


def open_header(frame: bytes) -> tuple[Header, bytes]:
    """Header and body of a frame of any version: it has a place in the sequence, whatever its body is.

    Reasons: too_short, crc, sequence; nothing in such bytes can be believed.
    """
    if len(frame) < HEADER_BYTES:
        raise WireError("too_short", f"{len(frame)} bytes, a header alone has {HEADER_BYTES}")
    version, flags, epoch, seq, base, now_ms, crc = _HEADER.unpack_from(frame)
    body = frame[HEADER_BYTES:]
    if crc != zlib.crc32(body, zlib.crc32(frame[: HEADER_BYTES - 4])):
        raise WireError("crc")
    if not 1 <= base <= seq < _MAX_NUMBER or epoch >= _MAX_NUMBER or now_ms >= _MAX_TIME:
        raise WireError("sequence", f"base {base}, seq {seq}, epoch {epoch}, now {now_ms}")
    return Header(epoch, seq, base, now_ms, flags, version), body


def require_readable(header: Header, body: bytes) -> None:
    """WireError when the body is not for us to read. Reasons: too_large, version."""
    if HEADER_BYTES + len(body) > MAX_FRAME:
        raise WireError("too_large", f"{HEADER_BYTES + len(body)} bytes, at most {MAX_FRAME}")
    if header.version != VERSION or header.flags & ~_HEADER_FLAGS:
        raise WireError("version", f"{header.version}, flags {header.flags:#x}; this collector reads {VERSION}")


def encode_body(blocks: Sequence[Block]) -> bytes:
    """The body that `decode_body` reads back. The caller keeps it within MAX_FRAME - HEADER_BYTES."""
    return bytes(msgpack.packb([_listed(block) for block in blocks]))


def _listed(block: Block) -> list[Any]:
    if isinstance(block, Rows):
        return [
            _ROWS, block.device, block.boot, block.kind, list(block.names), block.flags, block.resolution,
            block.t0, block.u0, list(block.fields), block.rows,
        ]  # fmt: skip
    if isinstance(block, About):
        return [_ABOUT, block.device, block.boot, dict(block.texts), dict(block.limits)]
    return [_CLOCK, block.boot_id, block.anchor_ms]


def decode_body(body: bytes) -> list[Block]:
    """The blocks of a body. Reasons: msgpack, grammar, kind, field, text, row."""
    return [_block(block) for block in _unpacked(body)]


def read_body(body: bytes) -> list[Block]:
    """The blocks of a body that `decode_body` has passed and that stood on our own disk since: not checked again.

    What another version wrote raises WireError.
    """
    try:
        blocks = _blocks.decode(body)
    except msgspec.MsgspecError as error:
        raise WireError("grammar", str(error)) from None
    for block in blocks:
        if isinstance(block, Rows) and block.kind not in KINDS:
            raise WireError("kind", block.kind)
    return [block if isinstance(block, Rows) else block.block() for block in blocks]


def decode_each(body: bytes) -> tuple[list[Block], list[tuple[bytes, WireError]]]:
    """The good blocks of a body, and each bad one as a body of its own with what is wrong with it.

    WireError only when the body is no array of blocks at all.
    """
    good: list[Block] = []
    bad = []
    for block in _unpacked(body):
        try:
            good.append(_block(block))
        except WireError as error:
            bad.append((bytes(msgpack.packb([block])), error))
    return good, bad


def clock_of(body: bytes) -> Clock | None:
    """The clock block at the head of a body of our own; None where its times are wall time. The rest is not read."""
    unpacker = msgpack.Unpacker(max_ext_len=0, max_bin_len=0)
    unpacker.feed(body)
    try:
        first = unpacker.unpack() if unpacker.read_array_header() else None
        return _clock(first) if type(first) is list and first[:1] == [_CLOCK] and len(first) == 3 else None
    except (WireError, ValueError, msgpack.UnpackException):
        return None


def _unpacked(body: bytes) -> list[Any]:
    try:
        blocks = msgpack.unpackb(body, max_ext_len=0, max_bin_len=0)
    except (ValueError, OverflowError, msgpack.UnpackException) as error:
        raise WireError("msgpack", f"{type(error).__name__}: {error}") from None
    if type(blocks) is not list:
        raise WireError("grammar", "a body is an array of blocks")
    return blocks


def _block(block: Any) -> Block:
    if type(block) is list and block and type(block[0]) is int:
        if block[0] == _ROWS and len(block) == 11:
            return _rows(block)
        if block[0] == _ABOUT and len(block) == 5:
            return _about(block)
        if block[0] == _CLOCK and len(block) == 3:
            return _clock(block)
    raise WireError("grammar", "a block is [0, ...] about, [1, ...] rows or [2, ...] clock")


def _about(block: list[Any]) -> About:
    _, device, boot, texts, limits = block
    _require_device(device, boot)
    if type(texts) is not dict or type(limits) is not dict:
        raise WireError("grammar", "an about block holds two maps")
    for name, text in texts.items():
        _require_field(name)
        _require_text(text)
    for name, limit in limits.items():
        _require_field(name)
        if type(limit) is not int or not 0 <= limit < _MAX_NUMBER:
            raise WireError("grammar", f"limit {name} is not a size")
    return About(device, boot, texts, limits)


def _clock(block: list[Any]) -> Clock:
    _, boot_id, anchor = block
    if not is_name(boot_id) or not (anchor is None or _is_span(anchor)):
        raise WireError("grammar", "a clock block is [2, boot id, anchor or nil]")
    return Clock(boot_id, anchor)


def _rows(block: list[Any]) -> Rows:
    _, device, boot, kind, names, flags, resolution, t0, u0, fields, rows = block
    if type(names) is not list or type(fields) is not list:
        raise WireError("grammar", "names and fields are arrays")
    named, columns = tuple(names), tuple(fields)
    try:
        _require_head(device, boot, kind, named, flags, resolution, columns)
    except TypeError:  # an array or a map where a name or a number should be
        raise WireError("grammar", "names are texts, flags and resolution whole numbers") from None
    if not _is_span(t0) or not (u0 is None or _is_span(u0)):
        raise WireError("grammar", "t0 and u0 are whole numbers")
    plain = _require_rows(rows, fields, KINDS[kind])
    return Rows(device, boot, kind, named, flags, resolution, t0, u0, columns, rows, plain)


def _is_span(number: Any) -> bool:
    return type(number) is int and 0 <= number < _MAX_TIME


@lru_cache(4096, typed=True)  # the same few heads come again in every frame; what raises is not kept
def _require_head(
    device: Any, boot: Any, kind: Any, names: tuple[Any, ...], flags: Any, resolution: Any, fields: tuple[Any, ...]
) -> None:
    _require_device(device, boot)
    known = KINDS.get(kind) if type(kind) is str else None
    if known is None:
        raise WireError("kind", repr(kind)[:80])
    if len(names) != len(known.tags):
        raise WireError("grammar", f"{kind} is named by {len(known.tags)} texts")
    for name in names:
        _require_text(name, MAX_NAME)
    if not _is_span(flags) or not _is_span(resolution) or resolution < 1:
        raise WireError("grammar", "flags and resolution are whole numbers")
    if flags >> len(FLAGS):
        raise WireError("grammar", f"unknown flag bits {flags:#x}")
    _require_fields(fields, known)


def _require_fields(fields: tuple[Any, ...], kind: Kind) -> None:
    if not fields:
        raise WireError("grammar", "rows without fields")
    known = (*kind.numbers, *kind.texts)
    for name in fields:
        _require_field(name)
        if name not in known and (not kind.open_fields or name in RESERVED or name in kind.tags):
            raise WireError("field", f"{kind.name} has no field {name}")
    if len(set(fields)) != len(fields):
        raise WireError("field", "a field stands there twice")


def _require_rows(rows: Any, fields: list[str], kind: Kind) -> bool:
    """Check whole blocks at a time: this runs for every reading of the fleet. Whether all is plain (see Rows)."""
    if type(rows) is not list or not rows or len(rows) > MAX_ROWS:
        raise WireError("row", f"a block holds 1 to {MAX_ROWS} rows")
    if set(map(type, rows)) != {list} or set(map(len, rows)) != {len(fields) + 2}:
        raise WireError("row", f"every row holds dt, du and {len(fields)} values")
    flat = list(chain.from_iterable(rows))
    types = set(map(type, flat))
    numeric = types <= {int, type(None)} and not any(name in kind.texts for name in fields)
    plain = numeric and _all_usual(flat, types)
    if types != {int} or not plain:
        _require_offsets(rows)
    if not numeric:
        _require_values(rows, fields, kind)
    return plain


def _all_usual(flat: list[Any], types: set[type]) -> bool:
    numbers = flat if types == {int} else [number for number in flat if number is not None]
    return not numbers or (min(numbers) >= 0 and max(numbers) < UNDERFLOW_FROM)


def _require_values(rows: list[list[Any]], fields: list[str], kind: Kind) -> None:
    for row in rows:
        for name, value in zip(fields, row[2:], strict=True):
            if type(value) is str and (kind.open_fields or name in kind.texts):
                _require_text(value)
            elif value is not None and (type(value) is not int or name in kind.texts):
                raise WireError("row", f"{name} is not {'text' if name in kind.texts else 'a whole number'}")


def _require_offsets(rows: list[list[Any]]) -> None:
    if not _all_spans([row[0] for row in rows]):
        raise WireError("row", "dt is a whole number of milliseconds from 0")
    if not _all_spans([row[1] for row in rows if row[1] is not None]):
        raise WireError("row", "du is a whole number of milliseconds from 0, or nil")


def _all_spans(numbers: list[Any]) -> bool:
    return not numbers or (set(map(type, numbers)) == {int} and min(numbers) >= 0 and max(numbers) < _MAX_TIME)


def _require_device(device: Any, boot: Any) -> None:
    if not is_name(device):
        raise WireError("grammar", f"device name {device!r:.80} is not [A-Za-z0-9][A-Za-z0-9_.-]{{0,63}}")
    if type(boot) is not int or not 0 <= boot < 2**32:
        raise WireError("grammar", "boot is a number below 2**32")


def _require_field(name: Any) -> None:
    if type(name) is not str or not _FIELD(name):
        raise WireError("field", repr(name)[:80])


def _require_text(text: Any, longest: int = MAX_TEXT) -> None:
    if type(text) is not str or len(text) > longest or _CONTROL(text):
        raise WireError("text", f"texts have at most {longest} characters and no control characters")


def row_faults(block: Rows) -> dict[int, str]:
    """Rows that no source can have printed: index to reason. Empty for nearly every block, and then cheap."""
    flags = tuple(name for bit, name in enumerate(FLAGS) if block.flags >> bit & 1)
    faults = {}
    for index in _suspects(block):
        row = block.rows[index][2:]
        values: dict[str, Value] = {n: v for n, v in zip(block.fields, row, strict=True) if v is not None}
        fault = fault_of(block.kind, values, flags, block.resolution)
        if fault:
            faults[index] = fault
    return faults


def _suspects(block: Rows) -> list[int]:
    """Rows worth a closer look, found by columns: one odd row must not make its block slow."""
    pairs = [(part, whole) for part, whole, _ in HEAP_PARTS if part in block.fields and whole in block.fields]
    if block.kind == "log" or (block.plain and not (pairs and block.kind == "heap")):
        return []
    columns = dict(zip(block.fields, list(zip(*block.rows, strict=True))[2:], strict=True))
    found: set[int] = set()
    for column in () if block.plain else columns.values():
        found.update(i for i, value in enumerate(column) if type(value) is int and not 0 <= value < UNDERFLOW_FROM)
    slack = block.resolution - 1
    for part, whole in pairs if block.kind == "heap" else ():
        both = enumerate(zip(columns[part], columns[whole], strict=True))
        found.update(i for i, (own, of) in both if own is not None and of is not None and own > of + slack)
    return sorted(found)
