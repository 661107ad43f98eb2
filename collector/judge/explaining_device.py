"""Why the judge says of a device what it says, and why not: every question it asks of each of its series. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from collector.judge.columns import BLOCK_HOURS, FRAGMENT_LEVEL, KERNEL_LEVEL, PEER_KINDS, RATCHETS, STEP_LEVEL
from collector.judge.detectors.boots import asked_across_boots
from collector.judge.detectors.conditions import at_least, is_so
from collector.judge.detectors.fragmentation import asked_of_fragmentation
from collector.judge.detectors.history import History
from collector.judge.detectors.kernel import KERNEL_VIEWS, kernel_ground_of
from collector.judge.detectors.look import block_ground_of, ground_of
from collector.judge.detectors.look_nights import IsCut, night_of, of_nights, two_boots_of, watched_rows
from collector.judge.detectors.peers import LEAST_PEERS
from collector.judge.detectors.rush import LONGEST_VIEW, asked_of_line, asked_of_rise, is_asked_of, rise_of
from collector.judge.detectors.step import asked_of_step, may_show
from collector.judge.detectors.trace import TRACED, trace_of
from collector.judge.detectors.views import LEVEL_OF
from collector.judge.engine import Judge
from collector.judge.explaining import (
    Explanation,
    conditions_of,
    explain_block,
    explain_kernel,
    explain_leak,
    explain_quiet,
)
from collector.judge.explaining_night import explain_night, explain_settled, explain_two_boots
from collector.judge.explaining_rules import explain_rule
from collector.judge.expression import Numbers
from collector.judge.rules import BREACH
from collector.judge.series import Rows, Table
from collector.judge.used import KERNEL, SAID_BY, end_of_memory


@dataclass(frozen=True, slots=True)
class Explained:
    """One question about one series, and whether the answer is yes."""

    device: str
    kind: str
    names: tuple[str, ...]
    told: bool
    why: Explanation


def explain_device(judge: Judge, device: str) -> Iterator[Explained]:
    """How each series of the device looks now: each detector's view of its present boot, then each rule on it."""
    board = judge.board
    for kind, row in board.series_of.get(device, ()):
        table = board.tables[kind]
        said = list(_detectors(table, board.histories[kind], row, board.is_cut)) if kind in board.histories else []
        if kind == "device":
            said.append(Explanation("restarts", conditions_of(judge.reboots.asked(row, judge.hearing.tick_ms))))
        rules = (one for one in judge.alerts_on(kind) if one.rule.state == BREACH and one.selected[row])
        for why in (*said, *(explain_rule(alerts, table, row, judge.hearing.tick_ms) for alerts in rules)):
            yield Explained(device, kind, table.names[row], why.told, why)


def _detectors(table: Table, history: History, row: int, is_cut: IsCut) -> Iterator[Explanation]:
    """What each detector makes of one series, in each view of which something is known, the shortest if none."""
    rows, limits = np.array([row]), table.view(np.array([row]))["limit"]
    said_by = SAID_BY[table.kind]
    if all(np.isnan(table.get(row, field)) for field in said_by):
        said = is_so(f"its device says how much is used, by {' or '.join(said_by)}", np.zeros(1, dtype=np.bool_))
        yield Explanation("said", conditions_of([said]))
        return
    known = [view for view in range(len(LEVEL_OF)) if np.isfinite(_window(history, rows, view)).any()] or [0]
    for view in known:
        yield explain_leak(_window(history, rows, view), view, ground_of(table, history, np.array([view]), rows))
    for view in known if table.has(BLOCK_HOURS) else ():
        used, outside = (history.windows(rows, LEVEL_OF[[view]], layer) for layer in (0, 1))
        ground = ground_of(table, history, np.array([view]), rows)
        yield explain_block(
            used, outside, view, ground, block_ground_of(table, history, np.array([view]), rows, ground)
        )
    for view in range(LONGEST_VIEW + 1) if is_asked_of(table.kind) else ():
        yield _explain_rush(table, history, rows, view)
    if table.kind not in RATCHETS:
        yield from explain_quiet(trace_of(history, rows), ground_of(table, history, np.array([TRACED]), rows))
    ends = end_of_memory(table.view(rows))
    across = asked_across_boots(history.boots(rows), ends, ratchet=table.kind in RATCHETS)[1]
    yield Explanation("boots", conditions_of(across))
    if len(of_nights(history, rows)):
        night = night_of(table, history, rows)
        yield from (explain_night(night), explain_settled(night))
    else:
        restarted, earlier, now, ended = two_boots_of(table, history, watched_rows(history, rows), is_cut)
        if len(restarted):
            yield explain_two_boots(earlier, now, ended)
    for view in known:
        used = _window(history, rows, view)
        if table.has(FRAGMENT_LEVEL):
            outside = history.windows(rows, LEVEL_OF[[view]], layer=1)
            before = history.highest_before(rows, LEVEL_OF[[view]], layer=1)
            asked = asked_of_fragmentation(used, outside, np.array([view]), limits, before)[1]
            yield Explanation("fragmentation", conditions_of(asked))
        if table.has(STEP_LEVEL) and may_show(view):
            before = history.highest_before(rows, LEVEL_OF[[view]])
            asked = asked_of_step(used, view, limits, before, ratchet=table.kind in RATCHETS)
            yield Explanation("step", conditions_of(asked))
    for view in KERNEL_VIEWS if table.has(KERNEL_LEVEL) else ():
        held = history.windows(rows, LEVEL_OF[[view]], KERNEL)
        yield explain_kernel(held, view, kernel_ground_of(table, history, np.array([view]), rows))
    if table.kind in PEER_KINDS:
        peers = table.column("peers")[rows]
        asked = [at_least("peers of its board, firmware, size and age of boot", "number", peers, LEAST_PEERS)]
        yield Explanation("peers", conditions_of(asked))


def _window(history: History, rows: Rows, view: int) -> Numbers:
    return history.windows(rows, LEVEL_OF[[view]])


def _explain_rush(table: Table, history: History, rows: Rows, view: int) -> Explanation:
    views = np.array([view])
    samples = history.samples(rows, LEVEL_OF[views])
    asked = asked_of_rise(samples, views, ground_of(table, history, views, rows))
    return Explanation("rush", conditions_of([*asked, *asked_of_line(*rise_of(samples[0], view))]))
