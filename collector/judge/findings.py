"""Findings: what the judge says of an alert that fires or ends, in words and numbers. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from collector.judge.alerts import Alerts
from collector.judge.board import Board, Book
from collector.judge.columns import GROWING_KINDS, KERNEL_COLUMNS, reported
from collector.judge.expression import Columns, Truths
from collector.judge.hearing import Hearing
from collector.judge.lives import Lives
from collector.judge.reasons import Value, fill, forecast
from collector.judge.rules import BREACH, Rule
from collector.judge.series import Rows, Table
from collector.judge.suspects import Suspect, suspect_of
from collector.judge.used import end_of_memory
from collector.records import RETIRED, Finding
from telemetry.readings import KINDS, labels_of

_MOST_SETTLE_MS = 7 * 86_400_000
"""What comes back more seldom than once a week may be told anew each time."""
_OFTEN, _DAY_MS = 4, 86_400_000
"""Restarts within a day, which is for how long they count: of a device that does so all is told as one matter."""
_RESTARTED = "The device restarted, and that ended it."
_BEGUN_ANEW = "The device restarted, and only that ended it: memory began anew."
_RETIRED = "The device was taken out of service."
_LEFT_ALONE = "The rule does not apply to it any more."
_UNLISTED = "The device lists the task no more."


@dataclass(frozen=True, slots=True)
class Due:
    """The rows of a table that are judged at a tick: their times, which had news, of which nothing more is to come,
    whose device is silent, all columns."""

    table: Table
    rows: Rows
    times: Rows
    touched: Truths
    over: Truths
    mute: Truths
    columns: Columns


def due_of(table: Table, rows: Rows, times: Rows, touched: Truths, over: Truths, mute: Truths) -> Due:
    """Those rows as they stand now."""
    return Due(table, rows, times, touched, over, mute, table.view(rows))


class Findings:
    """Makes findings, with what is known beside the rows: whom the data names, whether a restart ended an alert."""

    def __init__(self, board: Board, hearing: Hearing, lives: Lives, book: Book) -> None:
        self._board = board
        self._hearing = hearing
        self._lives = lives
        self._book = book

    def of(self, alerts: Alerts, due: Due, fired: Iterable[int], resolved: Iterable[int]) -> list[Finding]:
        """Those of one rule at one tick."""
        told = [self._one(alerts, due, int(row), "firing") for row in fired]
        return told + [self._one(alerts, due, int(row), "resolved") for row in resolved]

    def of_orphan(self, rule: str, table: Table, row: int, since_ms: int) -> Finding:
        """The end of an alert whose rule is gone."""
        device, kind, names = table.devices[row], table.kind, table.names[row]
        key = _key(rule, device, kind, names)
        at_ms = max(since_ms, self._hearing.tick_ms)
        reason = "The rule is no longer in the file of rules."
        return Finding(key, f"{key}@{since_ms}", "resolved", rule, "info", device, kind, names, since_ms, at_ms, reason)

    def _one(self, alerts: Alerts, due: Due, row: int, status: str) -> Finding:
        rule, table = alerts.rule, due.table
        place = int(np.searchsorted(due.rows, row))
        device, names = table.devices[row], table.names[row]
        since_ms, at_ms = int(alerts.since_ms[row]), int(due.times[place])
        if rule.kind == "device" or status == "resolved":
            at_ms = max(since_ms, self._hearing.tick_ms)
        numbers = {reported(name): float(due.columns[name][place]) for name in rule.numbers}
        known = {name: number for name, number in numbers.items() if math.isfinite(number)}
        values: dict[str, Value] = {
            **dict(zip(KINDS[rule.kind].tags, names, strict=False)),
            **table.texts[row],
            **(self._texts_of_device(row) if rule.kind == "device" else {}),
            **{name: float(column[place]) for name, column in due.columns.items()},
            "names": " in ".join(name for name in names if name),
            "lasted": (at_ms - since_ms) / 1000,
        }
        if "leak_hours_left" in values:
            values["ends_at"] = float(end_of_memory(table.view(np.array([row])))[0])
            values["forecast"] = forecast(values)
        suspect = self._suspect(rule, row, due.columns, place) if status == "firing" else None
        if suspect is not None:
            values["suspect"] = suspect.deed
            known |= {"suspect_grown": suspect.grown} if math.isfinite(suspect.grown) else {}
        settle_ms = 0
        if status == "firing":
            reason = fill(rule.reason, values)
        else:
            reason, settle_ms = self._end(alerts, row, at_ms, over=bool(due.over[place]))
            reason = reason or fill(rule.resolved, values)
        about = self._book.about(device)
        key = _key(rule.title, device, rule.kind, names)
        return Finding(
            key, f"{key}@{since_ms}", status, rule.name, rule.severity, device, rule.kind, names, since_ms, at_ms,
            reason, about.texts.get("platform", ""), about.texts.get("firmware", ""), known,
            agent=self._hearing.agent_behind(row) if rule.is_on_silence else "", labels=labels_of(about.texts),
            state=rule.state, suspect=suspect.name if suspect else "", settle_ms=settle_ms,
            boot=self._board.boots.get(device, 0),
        )  # fmt: skip

    def _texts_of_device(self, row: int) -> dict[str, str]:
        """SHORT_TEXTS and SILENCE_TEXTS, as far as there is something to say."""
        never = self._board.tables["device"].devices[row] not in self._board.boots
        silence = {"never_heard": "it has not spoken yet"} if never else {}
        return self._lives.newest_short(row, self._hearing.tick_ms) | silence

    def _end(self, alerts: Alerts, row: int, at_ms: int, *, over: bool) -> tuple[str, int]:
        """How an alert ends that did not end by itself ("" where it did): somebody says that it does not count, the
        device restarted, or nothing more is to come of the row, which is `over`. And for how long it may come back:
        what a restart took away comes back as it came, and what a detector saw as long as it saw it is to be seen no
        more."""
        rule, boot_ms = alerts.rule, int(alerts.boot_ms[row])
        device = self._board.tables[rule.kind].devices[row]
        if not alerts.selected[row]:
            return _RETIRED if RETIRED in self._book.about(device).texts else _LEFT_ALONE, 0
        if rule.kind == "device":
            return "", 0
        again_ms = self._back_within_ms(device)
        if boot_ms and rule.kind != "event":  # a crash is no less for the boot that it ended
            reason = _BEGUN_ANEW if rule.is_of_a_boot else _RESTARTED
            return reason, max(again_ms, min(boot_ms, _MOST_SETTLE_MS) if rule.kind in GROWING_KINDS else 0)
        stood_ms = at_ms - int(alerts.since_ms[row]) if rule.is_of_a_boot else 0
        return _UNLISTED if over and rule.kind == "task" else "", max(again_ms, min(stood_ms, _MOST_SETTLE_MS))

    def _back_within_ms(self, device: str) -> int:
        """For how long anything of the device may come back with one of its next boots: while it restarts again and
        again, not each boot shows all that ails it."""
        table = self._board.tables["device"]
        row = table.find(device, ())
        often = row is not None and table.get(row, "resets_24h") >= _OFTEN
        return _DAY_MS if often else 0

    def _suspect(self, rule: Rule, row: int, columns: Columns, place: int) -> Suspect | None:
        """Whom the data names, where a rule tells a leak or a creeping stack."""
        if rule.kind not in GROWING_KINDS or rule.verdict not in ("leak", "stack") or rule.state != BREACH:
            return None
        if not set(KERNEL_COLUMNS).isdisjoint(rule.numbers):
            return None  # tasks and callers take memory of the application
        minutes, grown = (float(columns[name][place]) for name in ("leak_minutes", "leak_grown"))
        return suspect_of(self._board, rule.kind, row, minutes, grown)


def _key(rule: str, device: str, kind: str, names: tuple[str, ...]) -> str:
    return "|".join((rule, device, kind, *names))
