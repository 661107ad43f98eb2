"""The judge: batches of arrivals between ticks in, findings out. Pure: no clock, no file; the same in, the same out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter

import numpy as np

from collector.judge.alerts import IDLE, Alerts, Seen
from collector.judge.board import Board, Book
from collector.judge.columns import GROWING_KINDS, SILENCE_COLUMNS
from collector.judge.detectors.reboots import Reboots
from collector.judge.expression import Truths
from collector.judge.findings import Due, Findings, due_of
from collector.judge.hearing import TICK_MS, Hearing
from collector.judge.inbox import Inbox
from collector.judge.lives import Lives
from collector.judge.rules import NO_DATA, Rule
from collector.judge.series import Rows as RowNumbers
from collector.judge.series import Table
from collector.judge.sorts import Sorts
from collector.records import RETIRED, Arrival, Finding
from telemetry.readings import SILENT_AFTER, About
from telemetry.wire import Rows


class Judge:
    """Holds all state. After a restart `collector.judge.state` puts it back as it was at the last commit.

    `step_ms` is how far apart ticks are to stand: in a backtest over weeks more than the second of a collector.
    """

    def __init__(self, rules: Sequence[Rule], book: Book, silent_after_s: float, *, step_ms: int = TICK_MS) -> None:
        self.board = Board(book.about, self._is_wanted)
        self.hearing = Hearing(int(silent_after_s * 1000), step_ms)
        self.reboots = Reboots()
        self._inbox = Inbox(self.hearing, self.board.take_used)
        self._lives = Lives(self.board, self.reboots)
        self._sorts = Sorts(self.board.tables, self.board.histories)
        self.alerts = {each.title: Alerts(each) for rule in rules for each in (rule, *rule.watchers())}
        self._device_rows: dict[str, list[int]] = {}
        self._book = book
        self._findings = Findings(self.board, self.hearing, self._lives, book)
        self._alerts_on: dict[str, list[Alerts]] = {}
        for alerts in self.alerts.values():
            self._alerts_on.setdefault(alerts.rule.kind, []).append(alerts)
        for kind in GROWING_KINDS:
            if any(alerts.rule.patience_ms for alerts in self.alerts_on(kind)):
                self.board.tables[kind].keep_told()

    def batch(self, arrivals: Sequence[Arrival], tick_ms: int) -> list[Finding]:
        """Take in everything up to a tick, then judge as of the tick."""
        for arrival in arrivals:
            self.hear(arrival)
        self._inbox.flush()
        before_ms = self.hearing.tick_ms
        self.hearing.tick(tick_ms)
        self.board.tick()
        self._settle_rows()
        self._sorts.compare(before_ms, tick_ms)
        lost = self.board.look_at_lost(self._note_silence())
        self.reboots.fill(self.board.tables["device"], tick_ms)
        self._lives.note_exhausted(tick_ms)
        return [finding for kind in self.board.tables for finding in self._judge_kind(kind, tick_ms, lost)]

    def add_series(self, kind: str, device: str, names: tuple[str, ...]) -> None:
        """Put back a series that the state on disk holds; rows must come in their order."""
        self.board.add_series(kind, device, names)

    def orphan(self, rule: str, kind: str, row: int, since_ms: int) -> Finding:
        """The end of an alert whose rule is gone."""
        return self._findings.of_orphan(rule, self.board.tables[kind], row, since_ms)

    def hear(self, arrival: Arrival) -> None:
        """Take in one arrival; nothing is judged before the next tick."""
        only_told = all(isinstance(block, About) for block in arrival.blocks)
        if only_told:
            self.hearing.know(arrival.agent)  # what people say of a device comes so: nobody was heard
        else:
            self._inbox.arrival(arrival.received_ms, self.hearing.arrival(arrival.agent, arrival.received_ms))
        for block in self._inbox.put(arrival.blocks):
            if isinstance(block, Rows):
                self._take(block, arrival)
                continue
            self._describe(block)
            if only_told:
                self._expect(block.device, arrival)

    def _expect(self, device: str, arrival: Arrival) -> None:
        """A device that is described is one to hear of: its silence counts from then on, though it never spoke."""
        if self.board.tables["device"].find(device, ()) is None:
            row = self.board.add_series("device", device, ())
            self.board.tables["device"].changed.add(row)
            self.hearing.expect(arrival.agent, row, arrival.received_ms)

    def _describe(self, about: About) -> None:
        known = self._book.about(about.device)
        if known == about:
            return
        self._book.learn(about)
        described = self._book.about(about.device)
        if _but_for_silence(known) == _but_for_silence(described):
            row = self.board.tables["device"].find(about.device, ())
            if row is not None:
                self.hearing.allow(row, described)
            return
        self._inbox.flush()
        self._lives.describe(known, described)
        for kind, row in self.board.series_of.get(about.device, ()):
            self.board.describe_row(kind, row, described)
            self.board.tables[kind].changed.add(row)
            self._select(kind, row, described)

    def _take(self, block: Rows, arrival: Arrival) -> None:
        """Take in what is more than the next numbers of a series that is known."""
        is_new = block.device not in self.board.boots
        boot = self.board.boots.get(block.device, block.boot)
        if boot != block.boot or block.kind not in GROWING_KINDS:
            self._inbox.flush()  # what came before belongs to another boot, or is asked for beside an event
        row = self.board.tables["device"].find(block.device, ())
        if row is None:
            row = self.board.add_series("device", block.device, ())
            self.board.tables["device"].changed.add(row)
        last = block.rows[0] if len(block.rows) == 1 else max(block.rows, key=itemgetter(0))
        begun = self._lives.begun_by(block, arrival.agent)
        place = self.board.admit(block, block.t0 + last[0], self.hearing.newest(row))
        if boot != self.board.boots.get(block.device, boot):
            self._inbox.forget(block.device)
        if place is not None and block.kind in GROWING_KINDS:
            self._inbox.begin(block, self.board.tables[block.kind], place, row)
        elif place is not None:
            self.board.take(place, block, last, arrival.received_ms)
        if begun is not None:
            self._lives.begin(row, begun, arrival.received_ms)
        elif is_new and block.device in self.board.boots:
            self._lives.born(row, block)
        if block.kind in ("event", "device", "agent"):
            self._lives.take(row, block)
        time_ms = min(arrival.received_ms, block.t0 + last[0])
        if block.is_spoken:
            self.hearing.sample(arrival.agent, row, time_ms)
        else:
            self.hearing.told(arrival.agent, row, time_ms)

    def _settle_rows(self) -> None:
        """Give new rows their states; take pending ones back where a device began a new boot."""
        for kind, row in self.board.added:
            self._select(kind, row, self._book.about(self.board.tables[kind].devices[row]))
        for kind, row, lasted_ms in self.board.restarted:
            for alerts in self.alerts_on(kind):
                alerts.end_boot(row, lasted_ms)
        self.board.added.clear()
        self.board.restarted.clear()

    def alerts_on(self, kind: str) -> list[Alerts]:
        """The states of the rules on a kind, in the order of the rules."""
        return self._alerts_on.get(kind, [])

    def _select(self, kind: str, row: int, about: About) -> None:
        if kind == "device":
            self.hearing.allow(row, about)
        table = self.board.tables[kind]
        self._sorts.describe(kind, row, about)
        for alerts in self.alerts_on(kind):
            alerts.make_room(table.capacity)
            in_service = RETIRED not in about.texts
            alerts.selected[row] = in_service and alerts.rule.selects(about, table.names[row])

    def _is_wanted(self, device: str, boot: int) -> bool:
        row = self.board.tables["device"].find(device, ())
        return row is not None and self.reboots.is_wanted(row, boot)

    def _note_silence(self) -> list[str]:
        """For how long each device has said nothing; those that have just fallen silent."""
        table = self.board.tables["device"]
        was_silent = table.column("silent_s") >= table.column("silent_after_s")
        table.column("silent_after_s")[:] = self.hearing.allowed_s(len(table))
        self.hearing.spare(self.board.agents_far_off())
        table.column("silent_s")[:] = self.hearing.silence_s(len(table))
        is_silent = table.column("silent_s") >= table.column("silent_after_s")
        return [table.devices[row] for row in np.flatnonzero(is_silent & ~was_silent).tolist()]

    def _judge_kind(self, kind: str, now: int, lost: Mapping[str, RowNumbers]) -> list[Finding]:
        table, on_kind = self.board.tables[kind], self.alerts_on(kind)
        if not len(table) or not on_kind:
            table.touched.clear()
            return []
        touched = table.touched.marks(table.capacity)
        table.touched.clear()
        if kind == "device":
            rows = np.flatnonzero(~np.isnan(table.column("silent_s")))
        else:
            wanted = touched.copy()
            for alerts in on_kind:
                wanted[alerts.active()] = True
            rows = np.flatnonzero(wanted)
        over = self.board.is_over(kind, rows, now)
        if kind not in ("device", "event"):  # what has no news is neither good nor bad; only events end by themselves
            is_live = now - table.heard_ms[rows] <= self.hearing.live_ms
            due_now = is_live | over | np.isin(rows, lost.get(kind, ()))
            for alerts in on_kind:  # nothing is waited for of what a rule leaves alone, and of who is out of service
                due_now |= (alerts.status[rows] != IDLE) & ~alerts.selected[rows]
            rows, over = rows[due_now], over[due_now]
        times = self.hearing.newest_ms[rows] if kind == "device" else table.time_ms[rows]
        due = due_of(table, rows, times, touched[rows], over, self._is_mute(table, rows)) if len(rows) else None
        findings: list[Finding] = []
        for alerts in on_kind:
            if alerts.rule.state == NO_DATA:
                findings += self._judge_absence(alerts, table, now)
            elif due is not None:
                findings += self._judge_rule(alerts, due, now)
        return findings

    def _is_mute(self, table: Table, rows: RowNumbers) -> Truths:
        """Whose device has fallen silent, so that nothing tells how it goes on: values stay as they are, but what
        happened, and restarts, would be over by waiting."""
        if table.kind not in ("device", "event"):
            return np.zeros(len(rows), dtype=np.bool_)
        if table.kind == "event":
            devices = self._devices_of(table)
            rows = np.array([devices[row] for row in rows.tolist()], dtype=np.int64)
        silent_s, silent_after_s = (self.board.tables["device"].column(name)[rows] for name in SILENCE_COLUMNS)
        mute: Truths = silent_s >= silent_after_s
        return mute

    def _devices_of(self, table: Table) -> list[int]:
        """The row of the device of each row."""
        devices = self._device_rows.setdefault(table.kind, [])
        devices += [self.board.tables["device"].find(name, ()) or 0 for name in table.devices[len(devices) :]]
        return devices

    def _judge_absence(self, alerts: Alerts, table: Table, now: int) -> list[Finding]:
        """Things that say nothing while their device does; here the rows without news are those that count."""
        count = len(table)
        heard = table.time_ms[:count]
        lag = self.hearing.newest_ms[self._devices_of(table)] - heard
        missing = (heard > 0) & (lag >= alerts.rule.patience_ms) & ~table.outdated[:count] & alerts.selected[:count]
        rows = np.flatnonzero(missing | (alerts.status[:count] != IDLE))
        if not len(rows):
            return []
        missing, never = missing[rows], np.zeros(len(rows), dtype=np.bool_)
        due = due_of(table, rows, heard[rows], never, table.outdated[rows], never)
        fired, resolved = alerts.advance(Seen(rows, due.times, missing, ~missing, ~alerts.selected[rows]), now)
        return self._findings.of(alerts, due, fired, resolved)

    def _judge_rule(self, alerts: Alerts, due: Due, now: int) -> list[Finding]:
        rule, count = alerts.rule, len(due.rows)
        selected, over = alerts.selected[due.rows], due.over
        is_active = alerts.status[due.rows].any()
        if not is_active and not selected.any():
            return []
        columns, lost = due.columns, np.zeros(count, dtype=np.bool_)
        if rule.patience_ms:
            columns = due.table.fresh_view(due.rows, now, rule.patience_ms)
        if rule.unknown is not None:
            lost = rule.unknown(columns) & ~rule.unknown(due.columns)
        breach = rule.when(columns) if rule.when else np.ones(count, dtype=np.bool_)
        # An event is over as soon as it has happened, and a crash is none the less for the boot that it ended.
        breach = breach & selected & (due.touched if rule.kind == "event" else ~over)
        if not is_active and not breach.any():
            return []
        clear = (rule.clear(columns) if rule.clear else ~breach) & ~lost | over
        clear = clear & ~(due.mute & (not rule.is_on_silence)) | ~selected
        at_once = ((alerts.boot_ms[due.rows] > 0) & ~over & rule.is_of_a_boot) | ~selected
        fired, resolved = alerts.advance(Seen(due.rows, due.times, breach, clear, at_once), now)
        return self._findings.of(alerts, due, fired, resolved)


def _but_for_silence(about: About) -> About:
    """What a description says beside its boot and for how long the device may be silent, which changes by the hour."""
    limits = {name: limit for name, limit in about.limits.items() if name != SILENT_AFTER}
    return About(about.device, 0, about.texts, limits)
