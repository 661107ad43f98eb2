"""A swarm: as many devices as memory holds, of one board, with one heap each and traffic drawn in columns.

Where a `Fleet` gives each device firmware of its own, a swarm trades that for numbers: devices of a chunk allocate and
free in the same order, each with sizes of its own. The heaps are as exact as any; so are the leaks, in every eighth
chunk one block of each device a step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from emulators.boards import Board
from emulators.heap import UNSEEN, Heap, run_all
from telemetry.readings import About
from telemetry.wire import Rows, encode_body

CHUNK = 256
LEAKING_EVERY = 8
LARGEST_BLOCK = 1500
LEAKED_BYTES = 64
MALLOC, FREE = ord("m"), ord("f")

REPORTED = ("free", "used", "min_free", "largest_free", "used_blocks", "free_blocks")
"""Columns of a report: bytes, and counts of blocks."""

FIELDS = ("free", "used", "min_free", "largest_free", "alloc_blocks", "free_blocks")
"""The same as a heap reading names them."""

READINGS_A_BODY = 250
"""Some 200 bytes each: below what a frame of the wire may carry."""


Body = tuple[bytes, int]
"""A body of the wire, and the number of its readings."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a device does: `blocks` stay allocated from the start, of as many `slots` again about half are held, and
    `operations` allocations and frees lie between two reports."""

    blocks: int = 44
    slots: int = 40
    operations: int = 100


class Swarm:
    """Devices 0 to `devices` - 1 of one board; each has the heap of the board's largest internal region."""

    def __init__(self, board: Board, devices: int, seed: int, traffic: Traffic | None = None) -> None:
        traffic = traffic or Traffic()
        self._board = board
        starts = range(0, devices, CHUNK)
        self._chunks = [
            _Chunk(board, min(CHUNK, devices - start), (seed, number), traffic) for number, start in enumerate(starts)
        ]

    def __len__(self) -> int:
        return sum(len(chunk.heaps) for chunk in self._chunks)

    def step(self, executor: Executor | None = None) -> dict[str, NDArray[np.uint32]]:
        """Bring each device forward by one report: a column a field of REPORTED, a row a device.

        The same seed gives the same rows, with and without an executor of threads.
        """
        chunks = list(executor.map(_Chunk.step, self._chunks)) if executor else [one.step() for one in self._chunks]
        rows = np.concatenate(chunks)
        return {name: rows[:, column] for column, name in enumerate(REPORTED)}

    def names(self) -> list[str]:
        """What each device is called, in the order of the rows."""
        return [f"swarm-{number:07}" for number in range(len(self))]

    def abouts(self) -> Iterator[About]:
        """What each device is, to be told before its first report."""
        texts = {"platform": self._board.platform, "board": self._board.name, "firmware": "1.0.0", "os": self._board.os}
        return (About(name, 1, texts) for name in self.names())

    def bodies(self, report: Mapping[str, NDArray[np.uint32]], time_ms: int, uptime_ms: int) -> Iterator[Body]:
        """A report of `step` in bodies of the wire, as an agent's outbox takes them: far cheaper than by readings."""
        rows = zip(self.names(), *(report[name].tolist() for name in REPORTED), strict=True)
        while part := list(islice(rows, READINGS_A_BODY)):
            blocks = [
                Rows(name, 1, "heap", ("internal",), 0, 1, time_ms, uptime_ms, FIELDS, [[0, 0, *row]])
                for name, *row in part
            ]
            yield encode_body(blocks), len(part)

    def leaking(self) -> NDArray[np.bool_]:
        """Which devices leak."""
        return np.concatenate([np.full(len(chunk.heaps), chunk.leaks) for chunk in self._chunks])

    def heaps(self) -> Iterator[Heap]:
        """Each device's heap."""
        for chunk in self._chunks:
            yield from chunk.heaps


class _Chunk:
    """Some devices that allocate and free in the same order."""

    def __init__(self, board: Board, devices: int, seed: tuple[int, int], traffic: Traffic) -> None:
        region = max((one for one in board.regions if one.internal), key=lambda one: one.size)
        self.leaks = seed[1] % LEAKING_EVERY == 0
        self.heaps = [Heap(board.allocator, size=region.size, base=region.start) for _ in range(devices)]
        self._random = np.random.default_rng(seed)
        self._traffic = traffic
        self._held = np.zeros(traffic.slots, dtype=bool)
        self._leak_id = traffic.slots
        self._slots = np.full((devices, traffic.slots + 1), UNSEEN, dtype=np.uint32)
        self._take_what_stays()

    def _take_what_stays(self) -> None:
        """Blocks that are never freed need no slot."""
        count = self._traffic.blocks
        kind, ids = np.full(count, MALLOC, dtype=np.uint8), np.arange(count, dtype=np.uint32)
        slots = np.full((len(self.heaps), count), UNSEEN, dtype=np.uint32)
        run_all(self.heaps, kind, ids, self._sizes(count), slots)

    def step(self) -> NDArray[np.uint32]:
        """One report of each device."""
        kind, ids = self._schedule()
        self._slots[:, self._leak_id] = UNSEEN  # nobody knows the leaked block any more
        stats = run_all(self.heaps, kind, ids, self._sizes(len(kind)), self._slots)
        return np.stack([stats[name] for name in REPORTED], axis=1)

    def _schedule(self) -> tuple[NDArray[np.uint8], NDArray[np.uint32]]:
        ids = self._random.integers(self._traffic.slots, size=self._traffic.operations, dtype=np.uint32)
        kind = np.fromiter(self._toggled(ids), dtype=np.uint8, count=len(ids))
        if self.leaks:
            kind, ids = np.append(kind, np.uint8(MALLOC)), np.append(ids, np.uint32(self._leak_id))
        return kind, ids

    def _toggled(self, ids: NDArray[np.uint32]) -> Iterator[int]:
        for slot in ids.tolist():
            self._held[slot] = not self._held[slot]
            yield MALLOC if self._held[slot] else FREE

    def _sizes(self, count: int) -> NDArray[np.uint32]:
        """Mostly small, some large: each power of two is as likely. What leaks is of one size."""
        exponents = self._random.uniform(np.log2(16), np.log2(LARGEST_BLOCK), size=(len(self.heaps), count))
        sizes = np.exp2(exponents).astype(np.uint32)
        if self.leaks and count == self._traffic.operations + 1:
            sizes[:, -1] = LEAKED_BYTES
        return sizes
