"""Readings as lines of JSON: what `memfleet export` writes, `memfleet emulate --virtual` too, and backtests read.

    line   = {"device", "platform", "firmware", "kind", "name", "time_s", "uptime_s", "boot", FIELD: VALUE, ...}
    name   = text, or a list where the kind has two names (a task and its heap); "" where it has none
    time_s = seconds since 1970; uptime_s = seconds since the device's boot, null when unknown

Also `board`, `os` and labels in `texts`, `limits` (bytes), `resolution` (bytes) and `flags` where there are any. A line
may leave out all but device, kind and time_s: of its device holds what lines before it said. The fields may also stand
in an object `fields`. One reading a line, in any order. What others write is taken as far as it can be: a device may
have any name up to 128 characters, or a number; an unknown value may be null or NaN; fields that a kind has not are
left out. What was meant otherwise is refused: text where a number belongs ("12 KiB"), a time in milliseconds,
flags that are none.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from telemetry.errors import UsageError
from telemetry.readings import FLAGS, KINDS, PLATFORMS, About, Reading, Value

_OWN = ("device", "platform", "firmware", "kind", "name", "time_s", "uptime_s", "boot")
_EXTRA = ("texts", "limits", "resolution", "flags", "fields")
_BASE = frozenset((*_OWN, *_EXTRA))
_TEXTS = ("platform", "firmware", "board")
_TAKEN = frozenset((*_BASE, *_TEXTS))
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_MOST_SECONDS = 1e11
"""Five thousand years: a time above it was written in milliseconds."""
_LONGEST_NAME = 128
_NUMBERS = (int, float)
"""Types of a number in JSON: by type, since a truth is an int too."""


class _Time(msgspec.Struct):
    time_s: Annotated[float, msgspec.Meta(ge=0, lt=_MOST_SECONDS)]


_decode_time = msgspec.json.Decoder(_Time).decode


def encode(reading: Reading, about: About) -> bytes:
    """The line of a reading of the device that `about` describes, without its end."""
    names, own = reading.names, about.texts
    line: dict[str, Any] = {
        "device": reading.device,
        "platform": own.get("platform", "other"),
        "firmware": own.get("firmware", ""),
        "kind": reading.kind,
        "name": "" if not names else names[0] if len(names) == 1 else names,
        "time_s": reading.time_ms / 1000,
        "uptime_s": None if reading.uptime_ms is None else reading.uptime_ms / 1000,
        "boot": reading.boot,
    }
    texts = {key: own[key] for key in own if key not in ("platform", "firmware")}
    if texts:
        line["texts"] = texts
    if about.limits:
        line["limits"] = dict(about.limits)
    if reading.flags:
        line["flags"] = reading.flags
    if reading.resolution != 1:
        line["resolution"] = reading.resolution
    if _TAKEN.isdisjoint(reading.values):
        line |= reading.values
    else:  # a device's own firmware; an event's fields may have any name
        line["fields"] = dict(reading.values)
    return _encode(line)


def time_of(line: bytes) -> float:
    """The `time_s` of a line; UsageError where it has none."""
    try:
        return _decode_time(line).time_s
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return _number(_table(line), "time_s")


def decode(line: bytes) -> tuple[About, Reading]:
    """A reading, and of its device what this line says. UsageError says what is wrong with it.

    Without `boot`, it is -1: whoever reads the lines in order can tell boots apart by the uptime.
    """
    table = _table(line)
    device, kind = _device(table.get("device")), table.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        said = "is missing; give one" if kind is None else f"{str(kind)[:80]!r} is none"
        raise UsageError(f"kind {said} of {', '.join(KINDS)}")
    uptime_s = None if _is_unknown(table.get("uptime_s")) else _number(table, "uptime_s")
    boot = -1 if _is_unknown(table.get("boot")) else int(_number(table, "boot"))
    reading = Reading(
        device, kind, _names(table, kind), round(_number(table, "time_s") * 1000), _fields(table, kind), boot,
        None if uptime_s is None else round(uptime_s * 1000), _flags(table),
        max(1, table["resolution"]) if isinstance(table.get("resolution"), int) else 1,
    )  # fmt: skip
    return About(device, boot, _about_texts(table), _about_limits(table)), reading


def _table(line: bytes) -> dict[str, Any]:
    try:
        return _decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        table = _with_nan(line)
        if table is None:
            raise UsageError(f"is no JSON object: {error}") from None
        return table


def _with_nan(line: bytes) -> dict[str, Any] | None:
    """A line with NaN or Infinity in it: no JSON, and yet what many programs write. None when it is not that."""
    if b"NaN" not in line and b"Infinity" not in line:
        return None
    try:
        table = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return table if isinstance(table, dict) else None


def _device(name: Any) -> str:
    text = str(name) if isinstance(name, int) and not isinstance(name, bool) else name
    if name is None:
        raise UsageError("device is missing")
    if not isinstance(text, str) or not 0 < len(text) <= _LONGEST_NAME or not text.isprintable():
        raise UsageError(f"device: {str(name)[:80]!r} is no name of 1 to {_LONGEST_NAME} characters")
    return text


def _is_unknown(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _is_unknown_number(value: Any) -> bool:
    """Whether it says that there is no value: null, NaN or infinite."""
    return value is None or type(value) in _NUMBERS


def _number(table: Mapping[str, Any], key: str) -> float:
    value: Any = table.get(key)
    if value is None:
        raise UsageError(f"{key} is missing")
    if type(value) in _NUMBERS and value >= _MOST_SECONDS and key.endswith("_s"):
        raise UsageError(f"{key}: {value} is too large for seconds; are these milliseconds?")
    if type(value) not in _NUMBERS or not 0 <= value < _MOST_SECONDS:
        raise UsageError(f"{key}: {str(value)[:80]!r} is no number from 0 on")
    return float(value)


def _names(table: Mapping[str, Any], kind: str) -> tuple[str, ...]:
    name = table.get("name")
    if type(name) is str and len(KINDS[kind].tags) == 1:
        return (name,)
    names = list(name) if isinstance(name, list) else [] if name is None else [name]
    names = [str(part) if isinstance(part, int) else part for part in names]
    wanted = KINDS[kind].tags
    if not all(isinstance(part, str) for part in names):
        raise UsageError(f"name: {str(name)[:80]!r} is neither text nor a list of texts")
    if not wanted:
        return ()
    if len(names) > len(wanted):
        raise UsageError(f"name: {kind} takes {' and '.join(wanted)}, not {len(names)} names")
    return tuple(names) + ("",) * (len(wanted) - len(names))


def _fields(table: Mapping[str, Any], kind: str) -> dict[str, Value]:
    known = KINDS[kind]
    values: dict[str, Value] = {}
    inner = table.get("fields")
    parts = (table.items(), inner.items()) if isinstance(inner, dict) else (table.items(),)
    for number, items in enumerate(parts):
        for key, value in items:
            if number == 0 and key in _BASE:
                continue
            if type(value) in _NUMBERS and (key in known.numbers or known.open_fields) and math.isfinite(value):
                values[key] = round(value)
            elif isinstance(value, str) and (key in known.texts or known.open_fields):
                values[key] = value
            elif key in known.numbers and not _is_unknown_number(value):
                raise UsageError(f"{key}: {json.dumps(value)[:80]} is no number")
    return values  # what else stands in the line is somebody else's


def _flags(table: Mapping[str, Any]) -> tuple[str, ...]:
    given = table.get("flags")
    if given is None:
        return ()
    if not isinstance(given, list) or not all(flag in FLAGS for flag in given):
        raise UsageError(f"flags: {json.dumps(given)[:80]} is no list of {', '.join(FLAGS)}")
    return tuple(flag for flag in FLAGS if flag in given)


def _about_texts(table: Mapping[str, Any]) -> dict[str, str]:
    more = table.get("texts")
    texts = {key: text for key, text in more.items() if isinstance(text, str)} if isinstance(more, dict) else {}
    for key in _TEXTS:
        if isinstance(text := table.get(key), str):
            texts[key] = text
    if texts.get("platform", "other") not in PLATFORMS:
        texts["platform"] = "other"
    return texts


def _about_limits(table: Mapping[str, Any]) -> dict[str, int]:
    limits = table.get("limits")
    if not isinstance(limits, dict):
        return {}
    return {key: limit for key, limit in limits.items() if isinstance(limit, int) and limit > 0}
