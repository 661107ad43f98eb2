"""Cases for rules, TOML: made-up readings in, the alerts that are to come of them.

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
    at = "2m10s"                                    fires by then; since the start of the case
    until = "5m"                                    and is resolved by then
    reason = "*2.0 KiB*"                            a pattern

The judge goes on until shortly before the device would be silent (`silent_after_s`; left out, 300 or three times
`every`, whichever is longer). Alerts that no `expect` names fail the case, unless it says `others = true`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec

from collector.judge.backtest import Shelf
from collector.judge.engine import Judge
from collector.judge.rules import Rule, load_rules
from collector.judge.spans import Span, milliseconds
from collector.records import Arrival, Finding
from telemetry.errors import ConfigError
from telemetry.pace import PERIODS
from telemetry.readings import KINDS, About
from telemetry.settings import convert, read
from telemetry.wire import Rows

_START_MS = 1_700_000_000_000
_RUN = re.compile(r"(_|-?\d+)([+-]\d+)?(?:x(\d+))?")
_MOST_READINGS = 100_000
_SILENT_AFTER_S = 300


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An alert that is to come."""

    rule: str
    at: str = ""
    until: str = ""
    reason: str = "*"


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One case as written, and the rules it is for."""

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
    rules: tuple[Rule, ...] = ()


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rules: str = ""
    case: tuple[Case, ...] = ()


def load_cases(path: Path, rules_file: Path | None = None) -> list[Case]:
    """The cases of a file; ConfigError holds every fault."""
    file = convert(_File, read(path), str(path))
    rules = load_rules(rules_file or (path.parent / file.rules if file.rules else None))
    faults = [fault for number, case in enumerate(file.case) for fault in _faults(case, f"case[{number}]", rules)]
    if not file.case:
        faults = ["there is no [[case]] in it"]
    if faults:
        raise ConfigError(str(path), faults)
    return [msgspec.structs.replace(case, rules=rules) for case in file.case]


def run_case(case: Case) -> list[str]:
    """How what the judge says differs from what is expected, in sentences; empty when it does not."""
    said = _judge(case)
    faults = []
    used: set[int] = set()
    for expected in case.expect:
        fault = _check(expected, said, used)
        if fault:
            faults.append(fault)
    if not case.others:
        faults += [
            f"{finding.rule} fires after {_since(at_ms)}: {finding.reason}"
            for index, (finding, at_ms) in enumerate(said)
            if finding.status == "firing" and index not in used
        ]
    return faults


def _judge(case: Case) -> list[tuple[Finding, int]]:
    """What the judge says, with the tick at which it does, ms since the start."""
    every_ms = milliseconds(case.every)
    silent_after_s = case.silent_after_s or max(_SILENT_AFTER_S, PERIODS * every_ms // 1_000)
    judge = Judge(case.rules, Shelf(), silent_after_s)
    texts = {"platform": case.platform, "board": case.board, "firmware": case.firmware, **case.labels}
    arriving: dict[int, list[About | Rows]] = {0: [About(case.device, 1, texts)]}
    for series in case.series:
        for number, block in _blocks(case, series):
            arriving.setdefault(number * every_ms // 1_000, []).append(block)
    said = []
    for at_s in range(max(arriving) + silent_after_s - 1):  # a case that ends is no silent device
        at_ms, blocks = 1_000 * at_s, arriving.get(at_s)
        arrivals = [Arrival(_START_MS + at_ms, "case", blocks)] if blocks else []
        said += [(finding, at_ms + 1_000) for finding in judge.batch(arrivals, _START_MS + at_ms + 1_000)]
    return said


def _check(expected: Expected, said: Sequence[tuple[Finding, int]], used: set[int]) -> str | None:
    """Looks for the first alert of the rule that no other expectation took."""
    for index, (finding, at_ms) in enumerate(said):
        if finding.rule != expected.rule or finding.status != "firing" or index in used:
            continue
        used.add(index)
        if expected.at and at_ms > milliseconds(expected.at):
            return f"{expected.rule} fires after {_since(at_ms)}, not by {expected.at}"
        if not fnmatchcase(finding.reason, expected.reason):
            return f"{expected.rule} says: {finding.reason}"
        over_ms = [when for other, when in said if other.episode == finding.episode and other.status == "resolved"]
        if expected.until and (not over_ms or over_ms[0] > milliseconds(expected.until)):
            return f"{expected.rule} is {f'resolved after {_since(over_ms[0])}' if over_ms else 'never resolved'}"
        return None
    return f"{expected.rule} does not fire"


def _blocks(case: Case, series: Mapping[str, Any]) -> Iterator[tuple[int, Rows]]:
    """One numbered block a reading; one of which nothing is known is left out, its time passes."""
    kind, names = series["kind"], tuple(series.get("names", ()))
    columns = {key: values_of(text) for key, text in series.items() if key not in ("kind", "names")}
    count = max((len(column) for column in columns.values()), default=0)
    step_ms = milliseconds(case.every)
    for number in range(count):
        values = {key: column[number if len(column) > 1 else 0] for key, column in columns.items()
                  if len(column) == 1 or number < len(column)}  # fmt: skip
        known = {key: value for key, value in values.items() if value is not None}
        varied = [key for key in known if len(columns[key]) > 1]
        if not varied and count > 1:
            known = {}
        at_ms = _START_MS + number * step_ms
        if known:
            uptime_ms, rows = 60_000 + number * step_ms, [[0, 0, *known.values()]]
            yield number, Rows(case.device, 1, kind, names, 0, 1, at_ms, uptime_ms, tuple(known), rows)


def values_of(text: Any) -> list[int | str | None]:
    """The values that a series' text stands for; ValueError says what is wrong with it."""
    if isinstance(text, int):
        return [text]
    words = str(text).split()
    if not all(_RUN.fullmatch(word) for word in words):
        return [str(text)]  # the text of an event
    values: list[int | str | None] = []
    for word in words:
        match = _RUN.fullmatch(word)
        assert match is not None  # noqa: S101 - looked at above
        start, step, count = match[1], int(match[2] or 0), int(match[3] or 1)
        if len(values) + count > _MOST_READINGS:
            raise ValueError(f"more than {_MOST_READINGS} readings")
        values += [None if start == "_" else int(start) + step * number for number in range(count)]
    return values


def _faults(case: Case, path: str, rules: Sequence[Rule]) -> Iterator[str]:
    known = {rule.name for rule in rules}
    for number, expected in enumerate(case.expect):
        if expected.rule not in known:
            yield f"{path}.expect[{number}].rule: there is no rule {expected.rule}"
        for key in ("at", "until"):
            text = getattr(expected, key)
            try:
                milliseconds(text or "0s")
            except ValueError as error:
                yield f"{path}.expect[{number}].{key}: {error}"
    for number, series in enumerate(case.series):
        kind = KINDS.get(str(series.get("kind")))
        if kind is None:
            yield f"{path}.series[{number}].kind: {series.get('kind')!r} is none of {', '.join(KINDS)}"
            continue
        fields = {key: text for key, text in series.items() if key not in ("kind", "names")}
        for key, text in fields.items():
            if key not in (*kind.numbers, *kind.texts) and not kind.open_fields:
                yield f"{path}.series[{number}].{key}: {kind.name} has no such field"
            try:
                values_of(text)
            except ValueError as error:
                yield f"{path}.series[{number}].{key}: {error}"


def _since(at_ms: int) -> str:
    minutes, seconds = divmod(at_ms // 1000, 60)
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
