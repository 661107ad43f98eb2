"""Readings as lines of JSON: what `memfleet export` writes, `memfleet emulate --virtual` too, and backtests read.

    line   = {"device", "platform", "firmware", "kind", "name", "time_s", "uptime_s", "boot", FIELD: VALUE, ...}
    name   = text, or a list where the kind has two names (a task and its heap); "" where it has none
    time_s = seconds since 1970; uptime_s = seconds since the device's boot, null when unknown

Also `board`, `os` and labels in `texts`, `limits` (bytes), `resolution` (bytes) and `flags` where there are any. A line
may leave out all but device, kind and time_s; the fields may also stand in an object `fields`. One reading a line, in
any order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from telemetry.errors import UsageError
from telemetry.readings import FLAGS, KINDS, PLATFORMS, About, Reading, Value
from telemetry.topics import is_name

_OWN = ("device", "platform", "firmware", "kind", "name", "time_s", "uptime_s", "boot")
_EXTRA = ("texts", "limits", "resolution", "flags", "fields")
_BASE = frozenset((*_OWN, *_EXTRA))
_TEXTS = ("platform", "firmware", "board")
_TAKEN = frozenset((*_BASE, *_TEXTS))
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_MOST_SECONDS = 2**53 / 1000


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
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise UsageError(f"has no time_s: {error}") from None


def decode(line: bytes) -> tuple[About, Reading]:
    """A reading and what the line says of its device. UsageError says what is wrong with it.

    Without `boot`, it is -1: whoever reads the lines in order can tell boots apart by the uptime.
    """
    table = _table(line)
    device, kind = table.get("device"), table.get("kind")
    if not isinstance(device, str) or not is_name(device):
        raise UsageError(f"device {str(device)[:80]!r} is no name: letters, digits, '_', '.', '-', at most 64")
    if not isinstance(kind, str) or kind not in KINDS:
        raise UsageError(f"kind {str(kind)[:80]!r} is none of {', '.join(KINDS)}")
    uptime_s = None if table.get("uptime_s") is None else _number(table, "uptime_s")
    boot = -1 if table.get("boot") is None else int(_number(table, "boot"))
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
        raise UsageError(f"is no JSON object: {error}") from None


def _number(table: Mapping[str, Any], key: str) -> float:
    value = table.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _MOST_SECONDS:
        raise UsageError(f"{key}: {str(value)[:80]!r} is no number from 0 on")
    return float(value)


def _names(table: Mapping[str, Any], kind: str) -> tuple[str, ...]:
    name = table.get("name")
    names = [name] if isinstance(name, str) else list(name or ())
    wanted = KINDS[kind].tags
    if not all(isinstance(part, str) for part in names):
        raise UsageError(f"name: {str(name)[:80]!r} is neither text nor a list of texts")
    if not wanted:
        return ()
    if len(names) > len(wanted):
        raise UsageError(f"name: {kind} takes {' and '.join(wanted)}, not {len(names)} names")
    return tuple(names) + ("",) * (len(wanted) - len(names))


def _fields(table: Mapping[str, Any], kind: str) -> dict[str, Value]:
    given = {key: value for key, value in table.items() if key not in _BASE}
    if isinstance(table.get("fields"), dict):
        given |= table["fields"]
    known = KINDS[kind]
    values: dict[str, Value] = {}
    for key, value in given.items():
        if isinstance(value, bool) or value is None:
            continue
        if isinstance(value, int | float) and (key in known.numbers or known.open_fields) and abs(value) < 2**63:
            values[key] = round(value)
        elif isinstance(value, str) and (key in known.texts or known.open_fields):
            values[key] = value
    return values  # what else stands in the line is somebody else's


def _flags(table: Mapping[str, Any]) -> tuple[str, ...]:
    given = table.get("flags")
    return tuple(flag for flag in FLAGS if flag in given) if isinstance(given, list) else ()


def _about_texts(table: Mapping[str, Any]) -> dict[str, str]:
    more = table.get("texts")
    texts = {key: text for key, text in more.items() if isinstance(text, str)} if isinstance(more, dict) else {}
    texts |= {key: table[key] for key in _TEXTS if isinstance(table.get(key), str)}
    if texts.get("platform") not in PLATFORMS:
        texts["platform"] = "other"
    return texts


def _about_limits(table: Mapping[str, Any]) -> dict[str, int]:
    limits = table.get("limits")
    if not isinstance(limits, dict):
        return {}
    return {key: limit for key, limit in limits.items() if isinstance(limit, int) and limit > 0}
