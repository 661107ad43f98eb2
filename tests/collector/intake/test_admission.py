"""What becomes of a frame: the four-line rule, ownership, times, refusals, and that every row is accounted for."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from collector.intake import state as intake_state
from collector.intake.admission import Admission
from collector.intake.state import TABLES, IntakeState
from collector.records import Arrival, decode
from telemetry.journal import Journal
from telemetry.messages import Status
from telemetry.readings import About
from telemetry.topics import Topic
from telemetry.wire import CONFIRMED, EARLIER, MONOTONIC, Block, Clock, Header, Rows, encode_body, seal

NOW = 1_795_000_000_000
FLEET = "plant"


def heap(device: str = "d1", rows: int = 1, free: int = 500, t0: int = NOW) -> Rows:
    """Rows of one heap, a millisecond apart."""
    return Rows(device, 1, "heap", ("system",), 0, 1, t0, 0, ("free", "used"), [[i, i, free, 100] for i in range(rows)])


def frame(seq: int, *blocks: Block, base: int = 1, epoch: int = 7, flags: int = 0, now_ms: int = 0) -> bytes:
    """A sealed frame."""
    return seal(Header(epoch, seq, base, now_ms, flags), encode_body(blocks or [heap()]))


class Desk:
    """An admission with what it counted and journaled at hand."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.state = IntakeState(db)
        self.admission = Admission(self.state, FLEET)

    def take(self, payload: bytes, agent: str = "a1", channel: str = "frame") -> tuple[str, int] | None:
        return self.admission.take(str(Topic.of(FLEET, agent, channel)), payload, NOW)

    def arrivals(self) -> list[Arrival]:
        found = [decode(data) for data, _ in self.state.frames]
        return [entry for entry in found if isinstance(entry, Arrival)]

    @property
    def counts(self) -> dict[str, int]:
        return dict(self.state.counts)


def in_memory() -> Desk:
    """A desk that forgets."""
    db = sqlite3.connect(":memory:")
    db.executescript(TABLES)
    return Desk(db)


@pytest.fixture
def desk() -> Desk:
    return in_memory()


def test_frames_in_sequence_are_accepted(desk: Desk) -> None:
    for seq in (1, 2, 3):
        assert desk.take(frame(seq, heap(rows=2, t0=NOW + seq * 10))) == ("a1", 7)
    assert desk.counts == {"received_rows": 6, "accepted_rows": 6}
    assert desk.state.contig["a1", 7] == 3
    assert desk.arrivals()[0].blocks == [heap(rows=2, t0=NOW + 10)]


def test_a_repeated_frame_is_a_duplicate_and_is_acknowledged_again(desk: Desk) -> None:
    desk.take(frame(1, heap(rows=3)))
    assert desk.take(frame(1, heap(rows=3))) == ("a1", 7)
    assert desk.counts["duplicate_rows"] == 3
    assert desk.counts["received_rows"] == 6
    assert len(desk.arrivals()) == 1


def test_a_frame_out_of_order_is_left_for_the_agent_to_send_again(desk: Desk) -> None:
    assert desk.take(frame(2)) == ("a1", 7)
    assert desk.counts == {"out_of_order_frames": 1}
    assert desk.take(frame(1)) == ("a1", 7)
    assert desk.take(frame(2)) == ("a1", 7)
    assert desk.state.contig["a1", 7] == 2


def test_an_eviction_at_the_agent_is_a_counted_hole_and_no_jam(desk: Desk) -> None:
    desk.take(frame(1))
    desk.take(frame(9, base=9))
    assert desk.counts["hole_frames"] == 7
    assert desk.state.contig["a1", 7] == 9


def test_what_another_collector_had_before_us_is_no_hole_of_ours(desk: Desk) -> None:
    desk.take(frame(9, base=8, flags=CONFIRMED))
    assert (desk.counts, desk.state.contig["a1", 7]) == ({"out_of_order_frames": 1}, 7)
    desk.take(frame(8, base=8, flags=CONFIRMED))
    assert "hole_frames" not in desk.counts


@pytest.mark.parametrize(("heard", "flags"), [((), 0), ((1,), CONFIRMED)], ids=["evicted", "known"])
def test_what_nobody_had_and_what_we_missed_ourselves_is_a_hole(heard: Sequence[int], flags: int, desk: Desk) -> None:
    for epoch in heard:
        desk.take(frame(1, epoch=epoch))
    desk.take(frame(8, base=8, flags=flags))
    assert desk.counts["hole_frames"] == 7


def test_a_new_epoch_counts_from_one_again(desk: Desk) -> None:
    desk.take(frame(1))
    desk.take(frame(1, epoch=8))
    assert desk.counts["accepted_rows"] == 2


def test_an_undecodable_body_is_quarantined_and_does_not_jam(desk: Desk) -> None:
    desk.take(seal(Header(7, 1, 1, 0), b"\xc1 nonsense"))
    desk.take(frame(2))
    assert desk.counts["quarantined_msgpack"] == 1
    assert desk.counts["accepted_rows"] == 1
    assert desk.state.refused[0].reason == "msgpack"


@pytest.mark.parametrize(
    ("newer", "body"), [({"version": 2}, b"what version 2 writes"), ({"flags": 0x40}, encode_body([heap()]))]
)
def test_a_newer_agents_frame_waits_in_quarantine_and_holds_up_nothing(
    desk: Desk, newer: dict[str, int], body: bytes
) -> None:
    whole = seal(dataclasses.replace(Header(7, 1, 1, 0), **newer), body)
    assert desk.take(whole) == ("a1", 7)
    assert desk.state.contig["a1", 7] == 1
    assert [(kept.reason, kept.body) for kept in desk.state.refused] == [("version", whole)]
    desk.take(frame(2))
    assert (desk.counts["accepted_rows"], desk.counts["quarantined_rows"]) == (1, 1)


def test_one_bad_block_leaves_the_others(desk: Desk) -> None:
    desk.take(frame(1, heap(), replace(heap(), kind="cheese")))
    assert (desk.counts["accepted_rows"], desk.counts["quarantined_kind"]) == (1, 1)


@pytest.mark.parametrize(
    "body", [b"\xc1", b"\x91\x01", encode_body([replace(heap(), rows=[])]), encode_body([heap()])[:-1]]
)
def test_a_refusal_counts_once_whatever_its_reason_is_called(desk: Desk, body: bytes) -> None:
    desk.take(seal(Header(7, 1, 1, 0), body))
    assert (desk.counts["received_rows"], desk.counts["quarantined_rows"]) == (1, 1)


def test_a_row_that_no_source_can_print_is_refused_alone(desk: Desk) -> None:
    block = replace(
        heap(rows=3), fields=("free", "largest_free"), rows=[[0, 0, 5, 4], [1, 1, 5, 6], [2, 2, 4294937228, 1]]
    )
    desk.take(frame(1, block))
    assert desk.counts["accepted_rows"] == 1
    assert {refused.reason for refused in desk.state.refused} == {"largest_above_free", "underflow"}
    assert desk.arrivals()[0].blocks == [replace(block, rows=[[0, 0, 5, 4]])]


def test_a_block_full_of_bad_rows_takes_one_place_in_quarantine(desk: Desk) -> None:
    times = [[0, 0, 5], *[[10**13 + n, 0, 5] for n in range(4_000)]]
    desk.take(frame(1, replace(heap(), fields=("free",), rows=times)))
    assert [(refused.reason, refused.rows) for refused in desk.state.refused] == [("time", 4_000)]
    assert (desk.counts["accepted_rows"], desk.counts["quarantined_time"]) == (1, 4_000)
    (refused,) = desk.state.refused
    assert refused.detail == "d1 heap system: stamped 2343-10-09 04:53:20Z, came at 2026-11-18 11:06:40Z"


@pytest.mark.parametrize(("t0", "accepted"), [(NOW - 366 * 86_400_000, 0), (NOW + 301_000, 0), (NOW + 299_000, 1)])
def test_times_outside_the_window_are_refused(desk: Desk, t0: int, accepted: int) -> None:
    desk.take(frame(1, heap(t0=t0)))
    assert desk.counts["accepted_rows"] == accepted


def test_a_device_belongs_to_the_agent_that_named_it_first(desk: Desk) -> None:
    desk.take(frame(1, About("d1", 1, {"platform": "zephyr"}), heap()))
    desk.take(frame(1, heap()), agent="a2")
    assert desk.counts["quarantined_owner"] == 1
    assert "a1" in desk.state.refused[0].detail


def test_an_agent_that_makes_up_lives_fills_neither_memory_nor_disk(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "readings.journal", tables=TABLES)
    desk = Desk(journal.db)
    desk.state.note_agent("a1", Status(True, 5), NOW)
    desk.take(frame(1, heap(), epoch=5))
    desk.take(frame(1, heap(), epoch=5), agent="a2")
    for number in range(200):
        clock = Clock(f"boot-{number}", NOW + number)
        desk.take(frame(1, clock, heap("d3"), epoch=1_000 + number, flags=MONOTONIC))
    with journal.transaction() as db:
        desk.state.write(db)
    for state in (desk.state, IntakeState(journal.db)):
        assert [len([key for key in kept if key[0] == "a1"]) for kept in (state.contig, state.anchors)] == [64, 64]
        assert state.contig["a1", 5] == state.contig["a1", 1_199] == state.contig["a2", 5] == 1
        assert ("a1", "boot-199") in state.anchors
    assert journal.counters()["forgotten_epochs"] == 200 + 1 - 64
    journal.close()


def test_quarantine_has_an_end_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_state, "QUARANTINE_BYTES", 2 * 2**20)
    journal = Journal(tmp_path / "readings.journal", tables=TABLES)
    desk = Desk(journal.db)
    for _ in range(30):
        for _ in range(10):
            desk.take(bytes(40_000))
        with journal.transaction() as db:
            desk.state.write(db)
        desk.state.committed()
    held, least = journal.db.execute("SELECT sum(length(body)), min(id) FROM quarantine").fetchone()
    assert held <= 3 * 2**20 + 400_000, "what is allowed, and what comes before it is looked at again"
    assert least > 200, "the oldest go"
    assert journal.counters()["quarantine_evicted_rows"] == least - 1
    journal.close()


def test_foreign_topics_and_fleets_are_refused(desk: Desk) -> None:
    for topic in (
        "memfleet/1/other/00/a1/frame",
        f"memfleet/1/{FLEET}/00/a1/frame",
        "x",
        f"memfleet/2/{FLEET}/00/a/frame",
    ):
        assert desk.admission.take(topic, frame(1), NOW) is None
    assert desk.counts["quarantined_topic"] == 4


def test_a_senders_clock_is_frozen_by_its_first_frame(desk: Desk) -> None:
    clock = Clock("boot-1", None)
    desk.take(frame(1, clock, heap(t0=1_000), flags=MONOTONIC, now_ms=5_000))
    desk.take(frame(2, clock, heap(t0=2_000), flags=MONOTONIC, now_ms=9_000))
    first, second = (arrival.blocks[0] for arrival in desk.arrivals())
    assert isinstance(first, Rows)
    assert isinstance(second, Rows)
    assert (first.t0, second.t0) == (NOW - 4_000, NOW - 3_000)
    desk.take(frame(3, heap(t0=1_000), flags=MONOTONIC))
    assert desk.counts["quarantined_clock"] == 1


def test_rows_of_an_earlier_boot_of_the_sender_are_guesses_in_their_order(desk: Desk) -> None:
    clock, flags = Clock("boot-0", None), MONOTONIC | EARLIER
    desk.take(frame(1, clock, heap(t0=70_000), flags=flags, now_ms=90_000))
    desk.take(frame(2, clock, heap(t0=89_000), flags=flags, now_ms=95_000))
    found = [block for arrival in desk.arrivals() for block in arrival.blocks if isinstance(block, Rows)]
    assert [rows.t0 for rows in found] == [NOW - 20_000, NOW - 1_000]
    assert {reading.flags for rows in found for reading in rows.readings()} == {("guess",)}


def test_state_survives_a_restart(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "readings.journal", tables=TABLES)
    desk = Desk(journal.db)
    desk.take(frame(1, Clock("b", None), heap(), flags=MONOTONIC, now_ms=NOW))
    desk.take(frame(1, epoch=2**62 + 5), agent="a9")
    with journal.transaction() as db:
        desk.state.write(db)
    again = IntakeState(journal.db)
    assert again.contig == {("a1", 7): 1, ("a9", 2**62 + 5): 1}
    assert again.owners == {"d1": "a1"}
    assert again.anchors == {("a1", "b"): 0}
    rows = sqlite3.connect(journal.path).execute("SELECT reason, rows FROM quarantine").fetchall()
    assert rows == [("owner", 1)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 4), st.booleans()), max_size=40))
def test_every_row_is_accounted_for(
    tmp_path_factory: pytest.TempPathFactory, moves: list[tuple[int, int, bool]]
) -> None:
    desk = in_memory()
    for seq, kind, poison in moves:
        base = max(1, seq - kind)
        body = b"\xc1" if poison else encode_body([heap(rows=1 + seq % 3, t0=NOW + seq * 100)])
        desk.take(seal(Header(7, seq, base, 0), body))
        counts = desk.counts
        known = sum(counts.get(f"{name}_rows", 0) for name in ("accepted", "duplicate", "quarantined"))
        assert counts.get("received_rows", 0) == known


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_refused_with_a_reason(payload: bytes) -> None:
    desk = in_memory()
    desk.take(payload)
    desk.take(seal(Header(7, 1, 1, 0), payload))
    assert desk.counts["quarantined_rows"] >= 1 or not payload
