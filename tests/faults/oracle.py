"""The oracle: issues numbers, hears what was committed and acknowledged, and judges what the stores hold. It is outside
of everything that faults are done to."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tests.faults.numbered import whole

Found = Mapping[int, Mapping[str, int]]
"""Numbers in a store, each with its time (`t`) and its values."""


@dataclass(slots=True)
class _Source:
    issued: int = 0
    life_began: int = 1
    committed: set[int] = field(default_factory=set)
    acked: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a store lacks of what was committed or acknowledged, holds that was never issued, holds bent."""

    missing: tuple[tuple[str, int], ...]
    missing_acked: int
    invented: tuple[tuple[str, int], ...]
    corrupted: tuple[tuple[str, int], ...]


class Oracle:
    """Numbers of each agent count up from 1 and are never issued twice. Readings are at `start_ms` + number."""

    def __init__(self, agents: Iterable[str], start_ms: int) -> None:
        self.start_ms = start_ms
        self._sources = {agent: _Source() for agent in agents}
        self._lock = threading.Lock()

    @property
    def agents(self) -> list[str]:
        """All sources."""
        return list(self._sources)

    def issue(self, agent: str, count: int) -> range:
        """The next numbers."""
        source = self._sources[agent]
        with self._lock:
            source.issued += count
            return range(source.issued - count + 1, source.issued + 1)

    def began(self, agent: str) -> None:
        """The agent was started: what it was given before and did not report may be lost or not."""
        source = self._sources[agent]
        with self._lock:
            source.life_began = source.issued + 1

    def heard(self, agent: str, word: str, number: int) -> None:
        """The agent says `committed` or `acked`: true of every number of this life up to that one."""
        source = self._sources[agent]
        with self._lock:
            (source.committed if word == "committed" else source.acked).update(range(source.life_began, number + 1))

    def issued(self) -> int:
        """How many numbers there are."""
        return sum(source.issued for source in self._sources.values())

    def acked(self) -> int:
        """How many numbers the collector has acknowledged, as far as the agents lived to tell."""
        return sum(len(source.acked) for source in self._sources.values())

    def committed(self, agent: str) -> set[int]:
        """The numbers that stand, or stood, in an outbox."""
        with self._lock:
            return set(self._sources[agent].committed)

    def judge(self, found: Mapping[str, Found]) -> Verdict:
        """Compare a store, by agent, with what is known."""
        missing, invented, corrupted, lacking_acked = [], [], [], 0
        for agent, source in self._sources.items():
            held = found.get(agent, {})
            with self._lock:
                missing += [(agent, number) for number in sorted(source.committed - held.keys())]
                lacking_acked += len(source.acked - held.keys())
            for number, row in held.items():
                if not 1 <= number <= source.issued:
                    invented.append((agent, number))
                elif row["t"] != self.start_ms + number or not whole(number, row):
                    corrupted.append((agent, number))
        return Verdict(tuple(missing), lacking_acked, tuple(invented), tuple(corrupted))
