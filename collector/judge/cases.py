"""Cases for rules (`collector.judge.case_files`), tried: made-up readings in, how the alerts differ from the expected.

The judge goes on until shortly before the device would be silent (`silent_after_s`; left out, 300 or three times
`every`, whichever is longer). It ticks each second, in cases of hours and days up to each minute, as a backtest does.
Alerts that no `expect` names fail the case, unless it says `others = true`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from collector.judge.backtest import Shelf
from collector.judge.case_files import Case, Expected, Series, series_of
from collector.judge.engine import Judge
from collector.judge.recorded import tick_step_ms
from collector.judge.rules import BREACH, Rule
from collector.judge.spans import milliseconds
from collector.records import Arrival, Finding
from telemetry.pace import PERIODS
from telemetry.readings import About
from telemetry.wire import Rows

_START_MS = 1_700_000_000_000
_SILENT_AFTER_S = 300
_TICKS_OF_SILENCE = 10
"""So many ticks a silence takes at least: what a case says last is heard before its end."""


def run_case(case: Case, rules: Sequence[Rule]) -> list[str]:
    """How what the judge says differs from what is expected, in sentences; empty when it does not."""
    said = _judge(case, rules)
    faults = []
    used: set[int] = set()
    for expected in case.expect:
        fault = _check(expected, said, used)
        if fault:
            faults.append(fault)
    if not case.others:
        faults += [
            f"{_called(finding)} fires after {_since(at_ms)}: {finding.reason}"
            for index, (finding, at_ms) in enumerate(said)
            if finding.status == "firing" and index not in used
        ]
    return faults


def _judge(case: Case, rules: Sequence[Rule]) -> list[tuple[Finding, int]]:
    """What the judge says, with the tick at which it does, ms since the start."""
    every_ms = milliseconds(case.every)
    silent_after_s = case.silent_after_s or max(_SILENT_AFTER_S, PERIODS * every_ms // 1_000)
    judge = Judge(rules, Shelf(), silent_after_s)
    texts = {"platform": case.platform, "board": case.board, "firmware": case.firmware, **case.labels}
    arriving: dict[int, list[About | Rows]] = {0: [About(case.device, 1, texts)]}
    for series in series_of(case):
        for number, block in _blocks(case, series):
            arriving.setdefault(number * every_ms // 1_000, []).append(block)
    end_s = max(arriving) + silent_after_s - 1  # a case that ends is no silent device
    step_s = min(tick_step_ms(1_000 * end_s) // 1_000, max(1, silent_after_s // _TICKS_OF_SILENCE))
    said = []
    for tick_s in range(step_s, end_s + 1, step_s):
        arrivals = [
            Arrival(_START_MS + 1_000 * at_s, "case", arriving[at_s])
            for at_s in range(tick_s - step_s, tick_s)
            if at_s in arriving
        ]
        said += [(finding, 1_000 * tick_s) for finding in judge.batch(arrivals, _START_MS + 1_000 * tick_s)]
    return said


def _check(expected: Expected, said: Sequence[tuple[Finding, int]], used: set[int]) -> str | None:
    """Looks for the first alert of the rule in that state that no other expectation took."""
    for index, (finding, at_ms) in enumerate(said):
        if not _is_meant(expected, finding) or finding.status != "firing" or index in used:
            continue
        used.add(index)
        called = _called(finding)
        if expected.at and at_ms > milliseconds(expected.at):
            return f"{called} fires after {_since(at_ms)}, not by {expected.at}"
        if expected.severity not in ("", finding.severity):
            return f"{called} is {finding.severity}, not {expected.severity}"
        if not fnmatchcase(finding.reason, expected.reason):
            return f"{called} says: {finding.reason}"
        over_ms = [when for other, when in said if other.episode == finding.episode and other.status == "resolved"]
        if expected.until and (not over_ms or over_ms[0] > milliseconds(expected.until)):
            return f"{called} is {f'resolved after {_since(over_ms[0])}' if over_ms else 'never resolved'}"
        return None
    return f"{_called(expected)} does not fire"


def _is_meant(expected: Expected, finding: Finding) -> bool:
    meant, told = ((one.rule, one.state) for one in (expected, finding))
    return meant == told and expected.names in ((), finding.names)


def _called(alert: Expected | Finding) -> str:
    """An alert by its rule, by its state where that is no breach, and by what it is on."""
    called = alert.rule if alert.state == BREACH else f"{alert.rule} ({alert.state})"
    return f"{called} of {' / '.join(alert.names)}" if alert.names else called


def _blocks(case: Case, series: Series) -> Iterator[tuple[int, Rows]]:
    """One numbered block a reading; one of which nothing is known is left out, its time passes."""
    columns = series.columns
    count = max(len(column) for column in columns.values())
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
            yield number, Rows(case.device, 1, series.kind, series.names, 0, 1, at_ms, uptime_ms, tuple(known), rows)


def _since(at_ms: int) -> str:
    minutes, seconds = divmod(at_ms // 1000, 60)
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
