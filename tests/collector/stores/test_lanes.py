"""Rows add up, whatever intake appends, evicts and trims between two reads of a store."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.stores.lanes import Lane, Sight
from telemetry.journal import START, Journal

_actions = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.lists(st.integers(0, 9), min_size=1, max_size=6)),
        st.tuples(st.just("evict"), st.integers(0, 200)),
        st.tuples(st.just("trim"), st.just(0)),
        st.tuples(st.just("look"), st.just(0)),
        st.tuples(st.just("read"), st.integers(1, 5)),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(actions=_actions)
def test_rows_read_lost_and_waiting_are_all_the_rows_that_ever_came(actions: list[tuple[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "readings.journal")
        journal.db.execute("PRAGMA synchronous = OFF")
        lane = Lane(journal.path, START, Sight())
        came = read = lost_rows = lost_frames = frames_read = 0
        # a frame to begin with: what a journal held and lost before the store knew it is nobody's
        for action, value in [("append", [3]), ("read", 1), *actions, ("append", [1]), ("read", 999)]:
            if action == "append":
                assert isinstance(value, list)
                lane.look()  # as the runner does at least once a second: nothing comes and goes unseen
                with journal.transaction():
                    journal.append([(b"x" * 20, rows) for rows in value])
                came += sum(value)
                lane.look()
            elif action == "evict":
                assert isinstance(value, int)
                journal.quota_bytes = value
                with journal.transaction():
                    journal.evict()
            elif action == "trim":
                with journal.transaction():
                    journal.trim(lane.position.id)
            elif action == "look":
                lane.look()
            else:
                assert isinstance(value, int)
                frames, lost = lane.read(value)
                read += sum(frame.rows for frame in frames)
                frames_read += len(frames)
                lost_rows += lost.rows
                lost_frames += lost.frames
            assert lane.came_in_sight == came == read + lost_rows + lane.sight.pending
        assert lane.sight.pending == 0
        assert frames_read + lost_frames == journal.last_id()
        lane.close()
        journal.close()
