"""The pattern file: TOML, every fault at once.

[[patterns]]
match = 'pool (?P<pool>\\w+): (?P<used>\\d+) of (?P<size>\\d+) KB'
kind = "pool"
unit = "KiB"
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from agent.consoles.patterns import UNITS, Pattern
from telemetry.errors import ConfigError
from telemetry.readings import KINDS
from telemetry.settings import load


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    match: str
    kind: str
    name: str | tuple[str, ...] = ()
    unit: Literal["bytes", "KiB", "MiB", "words"] = "bytes"
    resolution: Annotated[int, Meta(ge=1)] | None = None
    system: Literal["", "mt3620", "esp32", "zephyr", "freertos", "other"] = ""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    patterns: tuple[_Entry, ...] = ()


def load_patterns(path: Path) -> tuple[Pattern, ...]:
    """The patterns of a file. ConfigError lists every fault."""
    entries = load(_File, path, {}).patterns
    faults = [f"patterns[{place}].{fault}" for place, entry in enumerate(entries) for fault in _faults(entry)]
    if faults:
        raise ConfigError(str(path), faults)
    return tuple(_pattern(entry) for entry in entries)


def _pattern(entry: _Entry) -> Pattern:
    names = (entry.name,) if isinstance(entry.name, str) else entry.name
    resolution = entry.resolution if entry.resolution is not None else max(1, UNITS[entry.unit])
    if entry.unit == "words" and entry.resolution is None:
        resolution = 1
    return Pattern(re.compile(entry.match), entry.kind, names, entry.unit, resolution, entry.system)


def _faults(entry: _Entry) -> Iterator[str]:
    try:
        groups = set(re.compile(entry.match).groupindex)
    except re.error as error:
        yield f"match: is no regular expression: {error}"
        return
    kind = KINDS.get(entry.kind)
    if kind is None:
        yield f"kind: {entry.kind!r} is none of {', '.join(KINDS)}"
        return
    fields, all_groups = (*kind.numbers, *kind.texts), ", ".join((*kind.tags, *kind.numbers, *kind.texts))
    if not groups - set(kind.tags):
        example = (*fields, "text")[0]
        yield f"match: has no named group that is a field of {entry.kind}, as (?P<{example}>...)"
    for group in sorted(groups - set(fields) - set(kind.tags)):
        if not kind.open_fields:
            yield f"match: group {group!r} is no field of {entry.kind}; it has {all_groups}"
    given = (entry.name,) if isinstance(entry.name, str) else entry.name
    missing = [tag for tag in kind.tags if tag not in groups]
    if len(given) != len(missing):
        wanted = f"{len(missing)} name(s), for {', '.join(missing)}" if missing else "no name"
        yield f"name: {entry.kind} needs {wanted}, or groups of that name in match"
