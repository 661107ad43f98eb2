"""What people ask of intake: quarantine tried again after an upgrade, thrown away; the identity in rows holds."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator

import pytest

from collector.intake.admission import Admission
from collector.intake.desk import carry_out
from collector.intake.state import TABLES, IntakeState
from collector.records import Arrival, Desk, decode
from telemetry import wire
from telemetry.journal import Journal
from telemetry.topics import Topic
from telemetry.wire import Block, Header, Rows, encode_body, seal

NOW = 1_795_000_000_000
ROWS = Rows("d1", 1, "heap", ("system",), 0, 1, NOW, 0, ("free", "used"), [[0, 0, 5, 1], [1, 1, 5, 2]])


class Intake:
    """State and admission over a real table; commits as the process does."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        self.state = IntakeState(db)
        self.admission = Admission(self.state, "plant")
        self.journaled: list[tuple[bytes, int]] = []
        self.counts: Counter[str] = Counter()

    def take(self, frame: bytes) -> None:
        self.admission.take(str(Topic.of("plant", "a1", "frame")), frame, NOW)
        self.commit()

    def ask(self, action: str, *ids: int) -> None:
        carry_out(Desk(action, NOW, ids=ids), self.db, self.state, self.admission)
        self.commit()

    def commit(self) -> None:
        self.journaled += self.state.frames
        self.state.write(self.db)
        self.counts.update(self.state.counts)
        self.state.committed()
        counts = self.counts
        assert (
            counts["received_rows"] == counts["accepted_rows"] + counts["duplicate_rows"] + counts["quarantined_rows"]
        )
        by_reason = [name for name in counts if name.startswith("quarantined_") and name != "quarantined_rows"]
        assert counts["quarantined_rows"] == sum(counts[name] for name in by_reason)

    def quarantine(self) -> list[tuple[int, str]]:
        return self.db.execute("SELECT id, reason FROM quarantine ORDER BY id").fetchall()


@pytest.fixture
def intake(tmp_path) -> Iterator[Intake]:  # type: ignore[no-untyped-def]
    journal = Journal(tmp_path / "readings.journal", tables=TABLES)
    yield Intake(journal.db)
    journal.close()


def test_a_frame_of_a_newer_version_is_taken_in_after_the_upgrade(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    intake.take(seal(Header(7, 1, 1, 0, version=2), encode_body([ROWS])))
    intake.ask("quarantine_retry", 1)
    assert intake.quarantine() == [(2, "version")], "still too new: it waits on"
    monkeypatch.setattr(wire, "VERSION", 2)
    intake.ask("quarantine_retry", 2)
    assert intake.quarantine() == []
    assert [rows for _, rows in intake.journaled] == [2]
    assert intake.counts["accepted_rows"] == 2


def test_a_block_that_a_newer_version_knows_is_taken_in_after_the_upgrade(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown: list[Block] = [Rows("d1", 1, "later_kind", ("x",), 0, 1, NOW, 0, ("free",), [[0, 0, 5]]), ROWS]
    intake.take(seal(Header(7, 1, 1, 0), encode_body(unknown)))
    assert intake.quarantine() == [(1, "kind")]
    assert intake.counts["accepted_rows"] == 2, "the block beside it is not held up"
    later = dict(wire.KINDS, later_kind=wire.KINDS["heap"])
    monkeypatch.setattr(wire, "KINDS", later)
    intake.ask("quarantine_retry", 1)
    assert intake.quarantine() == []
    assert intake.counts["accepted_rows"] == 3


def test_bytes_that_nobody_can_read_stay_refused_however_often_they_are_tried(intake: Intake) -> None:
    frame = seal(Header(7, 1, 1, 0), b"\xc1")
    for bytes_ in (frame, frame[:20], frame[:-1]):
        intake.take(bytes_)
    assert [reason for _, reason in intake.quarantine()] == ["msgpack", "too_short", "crc"]
    intake.ask("quarantine_retry", 1, 2, 3)
    assert [reason for _, reason in intake.quarantine()] == ["msgpack", "too_short", "crc"]
    intake.ask("quarantine_purge", 4, 5, 6, 99)
    assert intake.quarantine() == []
    assert (intake.counts["quarantined_rows"], intake.counts["quarantine_purged_rows"]) == (3, 3)


def test_what_our_own_clock_had_refused_is_taken_in_once_it_is_right(intake: Intake) -> None:
    late = NOW - 3_600_000  # no clock on board, and nobody has told the time yet
    frame = seal(Header(7, 1, 1, 0), encode_body([ROWS]))
    intake.admission.take(str(Topic.of("plant", "a1", "frame")), frame, late)
    intake.commit()
    assert intake.quarantine() == [(1, "time")]
    intake.ask("quarantine_retry", 1)
    assert intake.quarantine() == []
    assert intake.counts["accepted_rows"] == 2
    arrival = decode(intake.journaled[-1][0])
    assert isinstance(arrival, Arrival)
    assert arrival.received_ms == NOW, "it was not heard before it was said"
