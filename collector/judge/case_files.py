"""Files of cases for rules, TOML: made-up readings, and the alerts that are to come of them.

rules = "my-rules.toml"                         beside this file; left out: the rules that ship

[[case]]
name = "a heap that runs low"
platform = "zephyr"                             also board, firmware, device, labels = {site = "ulm"}
every = "10s"                                   how far readings stand apart
[[case.series]]
kind = "heap"
names = ["kernel"]
size = 32768                                    one number: the same in each reading
free = "20000x12 2000x6 20000-500x24"           values: VALUE, VALUExCOUNT, or START+STEPxCOUNT; _ is unknown
[[case.expect]]
rule = "heap-low"
names = ["kernel"]                              which series it is on; left out: any
state = "breach"                                or no_data, error; left out: breach
severity = "warning"                            left out: any
at = "2m10s"                                    fires by then; since the start of the case
until = "5m"                                    and is resolved by then
reason = "*2.0 KiB*"                            a pattern
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from collector.judge.rules import Rule, State, load_rules
from collector.judge.spans import Span, milliseconds
from telemetry.errors import ConfigError
from telemetry.readings import KINDS, PLATFORMS, Kind, Value, fault_of
from telemetry.settings import did_you_mean, faults_in, in_order, named_twice, read, tables_in

Values = Sequence[Value | None]

_RUN = re.compile(r"(_|-?\d{1,18})([+-]\d{1,18})?(?:x(\d{1,18}))?")
_MOST_READINGS = 100_000


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An alert that is to come."""

    rule: str
    names: tuple[str, ...] = ()
    state: State = "breach"
    severity: Literal["", "info", "warning", "critical"] = ""
    at: Span = ""
    until: Span = ""
    reason: str = "*"


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One case as written."""

    name: str
    series: tuple[dict[str, Any], ...]
    expect: tuple[Expected, ...] = ()
    every: Span = "10s"
    device: str = "device-1"
    platform: str = "other"
    board: str = ""
    firmware: str = ""
    labels: dict[str, str] = {}
    silent_after_s: int = 0
    others: bool = False


class Series(NamedTuple):
    """What one thing of a case says: the values of each field, of which a single one stands for all readings."""

    kind: str
    names: tuple[str, ...]
    columns: Mapping[str, Values]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rules: str = ""
    case: tuple[Case, ...] = ()


def load_cases(path: Path, rules: tuple[Rule, ...] | None = None) -> tuple[list[Case], tuple[Rule, ...]]:
    """The cases of a file, and the rules they are for: these, or those that the file names. ConfigError holds every
    fault of both."""
    document = read(path)
    tables = list(tables_in(document, "case"))
    faults, named = [*faults_in(_File, document), *named_twice(tables)], document.get("rules")
    try:
        rules = rules or load_rules(path.parent / named if named and isinstance(named, str) else None)
    except ConfigError as error:
        faults += [f"rules: {error.source}: {fault}" for fault in error.faults]
    if document.get("case", []) == []:
        faults.append("there is no [[case]] in it")
    faults += [fault for place, case in tables for fault in _faults(place, case, rules)]
    if rules is None or faults:
        raise ConfigError(str(path), in_order(faults))
    return list(msgspec.convert(document, _File).case), rules


def series_of(case: Case) -> Iterator[Series]:
    """What each thing of a case says."""
    for series in case.series:
        kind = KINDS[series["kind"]]
        columns = {key: values_of(kind, key, written) for key, written in _fields(series).items()}
        yield Series(kind.name, tuple(series.get("names", ())), columns)


def values_of(kind: Kind, key: str, written: Any) -> Values:
    """The values that a field stands for, as it is written; ValueError says what is wrong with it."""
    if key in kind.texts and isinstance(written, str):
        return [written]
    if key in kind.texts:
        raise ValueError(f"{written!r} is no text")
    if type(written) is int:
        return [written]
    words = written.split() if isinstance(written, str) else []
    runs = [run for run in map(_RUN.fullmatch, words) if run is not None]
    if words and len(runs) == len(words):
        return _values_in(runs)
    if words and kind.open_fields and key not in kind.numbers:
        return [written]
    raise ValueError(f"{written!r} is no row of whole numbers; write 5, 5x12, 20000-500x24, and _ for unknown")


def _values_in(runs: Sequence[re.Match[str]]) -> Values:
    counts = [int(run[3] or 1) for run in runs]
    if sum(counts) > _MOST_READINGS:
        raise ValueError(f"more than {_MOST_READINGS} readings")
    return [
        None if run[1] == "_" else int(run[1]) + int(run[2] or 0) * number
        for run, count in zip(runs, counts, strict=True)
        for number in range(count)
    ]


def _fields(series: Mapping[str, Any]) -> dict[str, Any]:
    return {key: written for key, written in series.items() if key not in ("kind", "names")}


def _faults(path: str, case: Mapping[str, Any], rules: Sequence[Rule] | None) -> Iterator[str]:
    """What is wrong with the meaning of one `[[case]]`, whose form may be wrong besides. `rules` are None where they
    are wrong themselves."""
    platform = case.get("platform", PLATFORMS[-1])
    if isinstance(platform, str) and platform not in PLATFORMS:
        yield f"{path}.platform: {platform!r} is none of {', '.join(PLATFORMS)}{did_you_mean(platform, PLATFORMS)}"
    if _ms(case.get("every", "1s")) == 0:
        yield f"{path}.every: must be longer than {case['every']}"
    if case.get("series") == []:
        yield f"{path}.series: is empty; a case needs a [[case.series]]"
    told_of = list(tables_in(case, "series", path))
    for place, series in told_of:
        yield from _series_faults(place, series)
    for place, expected in tables_in(case, "expect", path):
        at_ms, until_ms = _ms(expected.get("at")), _ms(expected.get("until"))
        if at_ms is not None and until_ms is not None and until_ms < at_ms:
            yield f"{place}.until: {expected['until']} is before {expected['at']}, when it fires at the latest"
        if expected.get("names", []) not in ([], *(series.get("names") for _, series in told_of)):
            yield f"{place}.names: {expected['names']!r} is no series of the case"
        if rules is not None and isinstance(expected.get("rule"), str):
            yield from _rule_faults(place, expected, rules)


def _ms(span: Any) -> int | None:
    """A span in ms; None where it is none, which is a fault of form."""
    try:
        return milliseconds(span)
    except (TypeError, ValueError):
        return None


def _series_faults(path: str, series: Mapping[str, Any]) -> Iterator[str]:
    name = series.get("kind")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        yield f"{path}.kind: {name!r} is none of {', '.join(KINDS)}{did_you_mean(str(name), KINDS)}"
        return
    names = series.get("names", [])
    if not isinstance(names, list) or [type(name) for name in names] != [str] * len(kind.tags):
        wanted = ", ".join(f'"the {tag}"' for tag in kind.tags)
        told = f"write names = [{wanted}]" if wanted else "leave it out"
        yield f"{path}.names: {names!r} does not name a {kind.name}; {told}"
    fields = _fields(series)
    if not fields:
        yield f"{path}: says nothing; its fields are {', '.join((*kind.numbers, *kind.texts))}"
    for key, written in fields.items():
        if key not in (*kind.numbers, *kind.texts) and not kind.open_fields:
            yield f"{path}.{key}: {kind.name} has no such field{did_you_mean(key, (*kind.numbers, *kind.texts))}"
            continue
        try:
            values = values_of(kind, key, written)
        except ValueError as error:
            yield f"{path}.{key}: {error}"
            continue
        refused = [value for value in values if value is not None and fault_of(kind.name, {key: value})]
        if refused:
            yield f"{path}.{key}: {refused[0]} would be refused: {fault_of(kind.name, {key: refused[0]})}"


def _rule_faults(path: str, expected: Mapping[str, Any], rules: Sequence[Rule]) -> Iterator[str]:
    """Whether there is such a rule, and it tells such a state."""
    name, _, state = expected["rule"].partition(":")
    states = {rule.name: [each.state for each in (rule, *rule.watchers())] for rule in rules}
    if state and name in states:
        yield f'{path}.rule: write rule = "{name}" and state = "{state}"'
    elif expected["rule"] not in states:
        yield f"{path}.rule: there is no rule {expected['rule']}{did_you_mean(expected['rule'], states)}"
    elif expected.get("state", "breach") not in states[name]:
        yield f"{path}.state: rule {name} never tells {expected['state']}; it tells {', '.join(states[name])}"
