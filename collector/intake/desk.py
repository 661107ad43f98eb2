"""What people ask of intake: devices listed, retired, moved to another agent; quarantine retried or thrown away."""

from __future__ import annotations

import sqlite3

from collector.intake.admission import Admission
from collector.intake.state import IntakeState
from collector.records import Desk
from telemetry.errors import WireError
from telemetry.wire import Header, decode_body, open_header

WHOLE_FRAME = ("version", "too_large", "too_short", "crc", "sequence")
"""Reasons for which a frame is kept with its header; for the others the body or one block of it is."""


def carry_out(entry: Desk, db: sqlite3.Connection, state: IntakeState, admission: Admission) -> None:
    """Apply one desk entry to the state; others' entries (acknowledge, silence) are left to them."""
    if entry.action == "move":
        state.set_owner(entry.device, entry.agent, entry.at_ms)
    elif entry.action == "enlist":
        if entry.agent:
            state.set_owner(entry.device, entry.agent, entry.at_ms)
        admission.tell(state.inventory.label(entry.device, entry.labels), entry.at_ms)
    elif entry.action == "retire":
        admission.tell(state.inventory.retire(entry.device), entry.at_ms)
    elif entry.action == "quarantine_purge":
        for id_ in entry.ids:
            state.counts["quarantine_purged_rows"] += _take_out(db, id_)[0]
    elif entry.action == "quarantine_retry":
        for id_ in entry.ids:
            _retry(db, id_, state, admission, entry.at_ms)


def _retry(db: sqlite3.Connection, id_: int, state: IntakeState, admission: Admission, now_ms: int) -> None:
    """Once more through admission: counted as received no second time, so the identity in rows stays.

    What was refused for its time was so by our clock of then, which may have been the wrong one: it counts as received
    now.
    """
    rows, received_ms, agent, reason, body = _take_out(db, id_)
    if not rows:
        return
    if reason == "time":
        received_ms = max(received_ms, now_ms)
    state.counts["received_rows"] -= rows
    state.counts["quarantined_rows"] -= rows
    state.counts[f"quarantined_{reason}"] -= rows
    if reason in WHOLE_FRAME:
        _retry_frame(body, agent, received_ms, admission)
        return
    try:
        blocks = decode_body(body)
    except WireError as error:
        admission.refuse(received_ms, agent, error, body, rows)
        return
    admission.take_blocks(agent, Header(0, 1, 1, 0), blocks, body, received_ms, received_ms)


def _retry_frame(frame: bytes, agent: str, received_ms: int, admission: Admission) -> None:
    try:
        header, body = open_header(frame)
    except WireError as error:
        admission.refuse(received_ms, agent, error, frame)
    else:
        admission.take_body(agent, header, body, received_ms, received_ms)


def _take_out(db: sqlite3.Connection, id_: int) -> tuple[int, int, str, str, bytes]:
    found = db.execute("SELECT rows, received_ms, agent, reason, body FROM quarantine WHERE id = ?", (id_,)).fetchone()
    db.execute("DELETE FROM quarantine WHERE id = ?", (id_,))
    return found or (0, 0, "", "", b"")
