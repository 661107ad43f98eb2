"""Labels, retirement, budgets and holes at intake: what stands in the journal afterwards."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.intake.admission import Admission
from collector.intake.desk import carry_out
from collector.intake.state import TABLES, IntakeState
from collector.records import Arrival, Desk, Hole, decode
from telemetry.journal import Journal
from telemetry.readings import About
from telemetry.topics import Topic
from telemetry.wire import Block, Clock, Header, Rows, decode_body, encode_body, seal

NOW = 1_795_000_000_000
FLEET = "plant"
EPOCH = 7


def heap(device: str = "d1", name: str = "h", t: int = NOW, boot: int = 1) -> Rows:
    return Rows(device, boot, "heap", (name,), 0, 1, t, 0, ("free",), [[0, 0, 500]])


class Intake:
    """State and admission on a journal, without broker; `restart` reads everything back from disk."""

    def __init__(self, path: Path, series_per_agent: int = 100) -> None:
        self._path, self._most = path, series_per_agent
        self._seqs: Counter[tuple[str, int]] = Counter()
        self.open()

    def open(self) -> None:
        self.journal = Journal(self._path, tables=TABLES)
        self.state = IntakeState(self.journal.db, self._most)
        self.admission = Admission(self.state, FLEET)

    def restart(self) -> None:
        self.journal.close()
        self.open()

    def take(self, *blocks: Block, agent: str = "a1", base: int = 1, epoch: int = EPOCH) -> list[object]:
        """One frame, committed; what it left in the journal."""
        outbox = agent, epoch
        self._seqs[outbox] = max(self._seqs[outbox] + 1, base)
        frame = seal(Header(epoch, self._seqs[outbox], base, 0), encode_body(blocks))
        self.admission.take(str(Topic.of(FLEET, agent, "frame")), frame, NOW)
        return self.commit()

    def ask(self, **entry: object) -> list[object]:
        """One desk entry, committed."""
        carry_out(Desk(at_ms=NOW, **entry), self.journal.db, self.state, self.admission)  # type: ignore[arg-type]
        return self.commit()

    def commit(self) -> list[object]:
        entries: list[object] = [decode(data) for data, _ in self.state.frames]
        with self.journal.transaction() as db:
            self.journal.append(self.state.frames)
            self.state.write(db)
        self.state.committed()
        return entries

    def refusals(self) -> list[tuple[str, str]]:
        return self.journal.db.execute("SELECT agent, reason FROM quarantine ORDER BY id").fetchall()


@pytest.fixture
def intake(tmp_path: Path) -> Intake:
    return Intake(tmp_path / "readings.journal")


OWN = About("d1", 3, {"platform": "esp32", "firmware": "1.2"}, {"heap": 1000})


def test_labels_join_what_the_device_says_whichever_comes_first(intake: Intake) -> None:
    (before,) = intake.ask(action="enlist", device="d1", agent="a1", labels={"site": "Lyon"})
    assert before == Arrival(NOW, "a1", [About("d1", 0, {"site": "Lyon"})])
    (arrival,) = intake.take(OWN, heap())
    assert isinstance(arrival, Arrival)
    labelled = replace(OWN, texts={**OWN.texts, "site": "Lyon"})
    assert arrival.blocks == [labelled, heap()]
    intake.restart()
    (after,) = intake.ask(action="enlist", device="d1", labels={"ring": "beta"})
    assert after == Arrival(NOW, "a1", [replace(OWN, texts={**OWN.texts, "ring": "beta"})])


def test_the_inventory_names_whose_a_device_is(intake: Intake) -> None:
    intake.ask(action="enlist", device="d1", agent="a1", labels={})
    assert intake.take(heap(), agent="thief") == []
    assert intake.refusals() == [("thief", "owner")]
    assert len(intake.take(heap(), agent="a1")) == 1
    intake.ask(action="move", device="d1", agent="a2")
    assert len(intake.take(heap(), agent="a2")) == 1
    assert intake.take(heap(), agent="a1") == []


def test_a_retired_device_comes_back_by_speaking(intake: Intake) -> None:
    intake.take(OWN, heap())
    (told,) = intake.ask(action="retire", device="d1")
    assert isinstance(told, Arrival)
    assert told.blocks == [replace(OWN, texts={**OWN.texts, "retired": "yes"})]
    intake.restart()
    back, arrival = intake.take(heap())
    assert isinstance(back, Arrival)
    assert isinstance(arrival, Arrival)
    assert back.blocks == [OWN]
    assert arrival.blocks == [heap()]
    assert len(intake.take(heap())) == 1


def test_new_names_beyond_the_budget_are_quarantined_and_known_ones_go_on(tmp_path: Path) -> None:
    intake = Intake(tmp_path / "readings.journal", series_per_agent=5)
    for number in range(8):
        intake.take(heap(name=f"h{number}"))
    assert intake.refusals() == [("a1", "budget")] * 3
    assert intake.state.counts == {}
    intake.restart()
    assert len(intake.take(heap(name="h0"))) == 1
    assert intake.take(heap(name="h5")) == []
    assert intake.take(heap(device="new-one")) == []
    assert "new-one" not in intake.state.owners
    assert len(intake.take(heap(device="d2"), agent="a2")) == 1  # everybody has a budget of its own
    report = Rows("a1", 1, "agent", (), 0, 1, NOW, 0, ("outbox_depth",), [[0, 0, 1]])
    assert len(intake.take(report)) == 1  # it is heard about its trouble all the same


def test_a_quarantined_thing_can_be_retried_after_the_budget_was_raised(tmp_path: Path) -> None:
    intake = Intake(tmp_path / "readings.journal", series_per_agent=1)
    intake.take(heap(name="one"))
    intake.take(heap(name="two"))
    intake.journal.close()
    roomy = Intake(tmp_path / "readings.journal", series_per_agent=2)
    (arrival,) = roomy.ask(action="quarantine_retry", ids=(1,))
    assert isinstance(arrival, Arrival)
    assert arrival.blocks == [heap(name="two")]
    assert roomy.refusals() == []


def test_what_was_not_described_is_asked_for(intake: Intake) -> None:
    intake.take(heap(), Rows("a1", 1, "agent", (), 0, 1, NOW, 0, ("outbox_depth",), [[0, 0, 1]]))
    assert (intake.state.wants_descriptions("a1"), intake.state.wants_descriptions("a2")) == (True, False)
    intake.restart()
    assert not intake.state.wants_descriptions("a1"), "it has not spoken yet"
    intake.take(heap())
    assert intake.state.wants_descriptions("a1")
    intake.take(OWN)
    assert not intake.state.wants_descriptions("a1")
    intake.ask(action="move", device="d1", agent="a2")
    assert intake.state.wants_descriptions("a2"), "what it said of the device before was refused"


def test_moving_a_device_moves_its_share_of_the_budget(tmp_path: Path) -> None:
    intake = Intake(tmp_path / "readings.journal", series_per_agent=10)
    intake.take(OWN, heap(name="a"), heap(name="b"))
    intake.take(heap(device="d2"))
    intake.ask(action="move", device="d1", agent="a2")
    intake.restart()
    assert (intake.state.budget.used("a1"), intake.state.budget.used("a2")) == (1, 3)


def test_a_hole_stands_in_the_journal(intake: Intake) -> None:
    intake.take(heap())
    hole, arrival = intake.take(heap(t=NOW + 1), base=8)
    assert isinstance(arrival, Arrival)
    assert hole == Hole(NOW, "a1", EPOCH, 2, 7)
    assert isinstance(hole, Hole)
    assert hole.frames == 6


@given(names=st.lists(st.sampled_from("abcdefgh"), max_size=40), most=st.integers(1, 5))
def test_no_agent_ever_has_more_things_than_its_budget(names: list[str], most: int) -> None:
    db = sqlite3.connect(":memory:")
    db.executescript(TABLES)
    state = IntakeState(db, most)
    admission = Admission(state, FLEET)
    for seq, name in enumerate(names, start=1):
        frame = seal(Header(7, seq, 1, 0), encode_body([heap(name=name)]))
        admission.take(str(Topic.of(FLEET, "a1", "frame")), frame, NOW)
    admitted = {b.names for data, _ in state.frames for b in decode(data).blocks if isinstance(b, Rows)}  # type: ignore[union-attr]
    assert admitted == {(name,) for name in list(dict.fromkeys(names))[:most]}
    assert state.counts["received_rows"] == len(names)
    assert state.counts["accepted_rows"] + state.counts["quarantined_rows"] == len(names)


def test_a_gateway_whose_folder_was_lost_tells_the_firmware_of_today(intake: Intake) -> None:
    intake.take(OWN, heap(boot=OWN.boot))
    today = About("d1", 1, {"platform": "esp32", "firmware": "1.3"}, {"heap": 1000})
    (arrival,) = intake.take(today, heap(t=NOW + 1), epoch=EPOCH + 1)
    assert isinstance(arrival, Arrival)
    assert [block.boot for block in arrival.blocks if not isinstance(block, Clock)] == [4, 4]
    intake.restart()
    assert intake.state.inventory.about("d1") == replace(today, boot=4)
    (late,) = intake.take(heap(t=NOW - 400 * 86_400_000), heap(t=NOW + 2), epoch=EPOCH + 1)
    assert isinstance(late, Arrival)
    assert [block.boot for block in late.blocks if isinstance(block, Rows)] == [4]
    (refused,) = intake.journal.db.execute("SELECT id FROM quarantine").fetchone()
    assert intake.ask(action="quarantine_retry", ids=(refused,)) == []
    (body,) = intake.journal.db.execute("SELECT body FROM quarantine").fetchone()
    assert [block.boot for block in decode_body(body) if isinstance(block, Rows)] == [1], "as its agent said it"
