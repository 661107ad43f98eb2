"""The tasks of one boot, in the order in which they wake; of those that wake together, first started goes first."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator

from emulators.firmware import Compiled, Task, World

Entry = tuple[int, int, Task, Iterator[int] | Compiled]
"""When it wakes, its number, and its code."""


class Schedule:
    """Tasks of `world`, whose `uptime_ms` is set to the moment of each step; `deleted` is told of those that end."""

    __slots__ = ("_count", "_deleted", "_queue", "_world")

    def __init__(self, world: World, deleted: Callable[[str], None]) -> None:
        self._world = world
        self._deleted = deleted
        self._queue: list[Entry] = []
        self._count = 0

    def add(self, task: Task, code: Iterator[int] | Compiled) -> None:
        """A task starts now."""
        self._count += 1
        heapq.heappush(self._queue, (self._world.uptime_ms, self._count, task, code))

    def remove(self, name: str) -> None:
        """No task of that name goes on."""
        self._queue[:] = [entry for entry in self._queue if entry[2].name != name]
        heapq.heapify(self._queue)

    def run(self, until_ms: int) -> None:
        """All steps up to and with that moment of uptime."""
        queue, world = self._queue, self._world
        while queue and queue[0][0] <= until_ms:
            wake_ms, number, task, code = queue[0]
            world.uptime_ms = wake_ms
            if isinstance(code, Compiled):
                wake_ms = code.run(wake_ms, self._last_turn(number, until_ms))
            elif (sleep_ms := next(code, None)) is not None:
                wake_ms += sleep_ms if sleep_ms > 0 else 1
            else:
                self._deleted(task.name)
            if queue and queue[0][1] == number:  # it has not been deleted
                heapq.heapreplace(queue, (wake_ms, number, task, code))

    def _last_turn(self, number: int, until_ms: int) -> int:
        """The last moment, not beyond `until_ms`, at which it is still the first one's turn."""
        for other_ms, other_number, *_ in self._queue[1:3]:  # one of these is next: the list is a heap
            last_ms = other_ms - (other_number < number)
            if last_ms < until_ms:
                until_ms = last_ms
        return until_ms
