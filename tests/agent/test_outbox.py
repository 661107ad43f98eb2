"""The outbox: numbers are never used twice, nothing is freed but by an ack or the quota."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.outbox import Outbox


def bodies(count: int, size: int = 100) -> list[tuple[bytes, int]]:
    return [(bytes([n % 256]) * size, 2) for n in range(count)]


def test_frames_are_numbered_from_one_and_freed_by_the_ack(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox", 10**9)
    outbox.add(bodies(5))
    assert (outbox.base, outbox.last, outbox.depth) == (1, 5, 5)
    outbox.acknowledged(3)
    assert (outbox.base, outbox.depth) == (4, 2)
    assert [frame.id for frame in outbox.after(outbox.base - 1, 10)] == [4, 5]
    outbox.acknowledged(2)  # an old ack takes nothing back
    outbox.acknowledged(99)  # nor does a wrong one free what was never sent
    assert (outbox.base, outbox.last, outbox.depth) == (6, 5, 0)


def test_numbers_go_on_after_a_restart(tmp_path: Path) -> None:
    first = Outbox(tmp_path / "outbox", 10**9)
    first.add(bodies(3))
    first.acknowledged(3)
    first.checkpoint()
    first.close()
    second = Outbox(tmp_path / "outbox", 10**9)
    second.add(bodies(1))
    assert (second.epoch, second.base, second.last) == (first.epoch, 4, 4)


def test_an_ack_that_did_not_reach_our_disk_only_sends_again(tmp_path: Path) -> None:
    first = Outbox(tmp_path / "outbox", 10**9)
    first.add(bodies(3))
    first.acknowledged(2)  # no commit follows: as after a kill
    assert Outbox(tmp_path / "outbox", 10**9).base == 1


def test_past_the_quota_the_oldest_go_and_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    outbox = Outbox(tmp_path / "outbox", 1000)
    outbox.add(bodies(25))
    assert outbox.base == 16
    assert outbox.counters() == {"evicted_frames": 15, "evicted_rows": 30}
    outbox.add(bodies(1))
    assert caplog.text.count("the outbox is full") == 1, "said once"
    outbox.acknowledged(outbox.last)
    outbox.add(bodies(1))
    outbox.add(bodies(12))
    assert caplog.text.count("the outbox is full") == 2


def test_it_knows_whether_somebody_had_what_it_holds_no_more(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox", 1000)
    outbox.add(bodies(5))
    assert not outbox.confirmed, "nothing is older than the first"
    outbox.acknowledged(3)
    assert outbox.confirmed
    outbox.add(bodies(20))
    assert (outbox.base, outbox.confirmed) == (16, False)
    outbox.checkpoint()
    outbox.close()
    outbox = Outbox(tmp_path / "outbox", 1000)
    assert not outbox.confirmed, "nor does it forget that over a restart"
    outbox.acknowledged(16)
    assert outbox.confirmed, "who has the next knows what it lacks"
    outbox.set_aside(outbox.after(16, 1)[0], "refused")
    assert (outbox.base, outbox.confirmed) == (18, False)
    outbox.begin_epoch()
    outbox.acknowledged(1)
    assert outbox.confirmed


def test_a_lost_file_is_a_new_epoch(tmp_path: Path) -> None:
    first = Outbox(tmp_path / "outbox", 10**9)
    first.add(bodies(3))
    first.close()
    (tmp_path / "outbox").unlink()
    second = Outbox(tmp_path / "outbox", 10**9)
    assert second.epoch != first.epoch
    assert (second.base, second.last) == (1, 0)


def test_a_frame_that_the_broker_refuses_is_set_aside(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox", 10**9)
    outbox.add(bodies(2))
    outbox.set_aside(outbox.after(0, 1)[0], "Packet too large")
    assert outbox.base == 2
    assert outbox.counters() == {"refused_frames": 1, "refused_rows": 2}


def test_a_new_epoch_takes_along_what_is_held_under_numbers_from_one(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox", 10**9)
    outbox.add(bodies(5))
    outbox.acknowledged(3)
    old = outbox.epoch
    outbox.begin_epoch()
    assert outbox.epoch != old
    assert (outbox.base, outbox.last, outbox.found) == (1, 2, 0)
    assert [frame.data for frame in outbox.after(0, 10)] == [data for data, _ in bodies(5)[3:]]
    outbox.add(bodies(1))
    outbox.close()
    again = Outbox(tmp_path / "outbox", 10**9)
    assert (again.epoch, again.base, again.last) == (outbox.epoch, 1, 3)


def test_what_is_acknowledged_is_not_found_at_the_next_start(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox", 10**9)
    outbox.add(bodies(5))
    outbox.acknowledged(3)
    outbox.close()
    again = Outbox(tmp_path / "outbox", 10**9)
    assert (again.depth, again.base, again.found) == (2, 4, 5)
