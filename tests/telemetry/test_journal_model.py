"""The journal against a model of it: writing, reading, forgetting and reopening in any order."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from telemetry.journal import START, Journal, JournalReader


class JournalMachine(RuleBasedStateMachine):
    """Writing, reading, forgetting and reopening in any order, against a list."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "j"
        self.journal = Journal(self.path, quota_bytes=400)
        self.reader = JournalReader(self.path)
        self.cursor = START
        self.held: dict[int, bytes] = {}
        self.last = self.evicted = self.seen = 0

    @rule(sizes=st.lists(st.integers(0, 150), min_size=1, max_size=4), fails=st.booleans())
    def append(self, sizes: list[int], fails: bool) -> None:
        bodies = [bytes([size]) * size for size in sizes]
        try:
            with self.journal.transaction():
                self.journal.append([(body, 1) for body in bodies])
                self.journal.evict()
                if fails:
                    raise RuntimeError
        except RuntimeError:
            return
        for body in bodies:
            self.last += 1
            self.held[self.last] = body
        while sum(map(len, self.held.values())) > 400:
            del self.held[min(self.held)]
            self.evicted += 1

    @rule(share=st.floats(0, 1))
    def trim(self, share: float) -> None:
        upto = int(self.last * share)
        with self.journal.transaction():
            self.journal.trim(upto)
        self.held = {id_: body for id_, body in self.held.items() if id_ > upto}

    @rule(limit=st.integers(1, 5))
    def read(self, limit: int) -> None:
        frames, self.cursor = self.reader.read(self.cursor, limit)
        expected = [(id_, body) for id_, body in self.held.items() if id_ > self.seen][:limit]
        assert [(frame.id, frame.data) for frame in frames] == expected
        self.seen = max([self.seen, *(id_ for id_, _ in expected)])

    @rule(orderly=st.booleans())
    def reopen(self, orderly: bool) -> None:
        if orderly:
            self.journal.close()
        else:
            self.journal.db.close()
        self.journal = Journal(self.path, quota_bytes=400)
        assert self.journal.damage is None

    @rule()
    def checkpoint(self) -> None:
        self.journal.checkpoint()

    @invariant()
    def holds_what_it_should(self) -> None:
        assert {frame.id: frame.data for frame in self.journal.after(0, 1000)} == self.held
        assert self.journal.last_id() == self.last
        assert self.journal.first_id() == min(self.held, default=self.last + 1)
        assert self.journal.size_bytes == sum(map(len, self.held.values()))
        assert self.journal.counters().get("evicted_frames", 0) == self.evicted
        assert self.reader.restarts == self.reader.damaged == 0

    def teardown(self) -> None:
        self.reader.close()
        self.journal.close()
        self.folder.cleanup()


TestJournalAgainstAModel = JournalMachine.TestCase
TestJournalAgainstAModel.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)
