"""The stacks of a device's tasks: how deep each has ever been."""

from __future__ import annotations

from collections.abc import Iterator

from emulators.devices.measure import Measure


class Stacks:
    """Watermarks by task."""

    __slots__ = ("_deepest", "_sizes")

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}
        self._deepest: dict[str, int] = {}

    def begin(self, task: str, size: int, depth: int) -> None:
        """A task starts with a fresh stack."""
        self._sizes[task] = size
        self._deepest[task] = min(depth, size)

    def end(self, task: str) -> None:
        """A task is gone, and its stack with it."""
        self._sizes.pop(task, None)
        self._deepest.pop(task, None)

    def use(self, task: str, depth: int) -> bool:
        """A task is `depth` bytes deep; False when its stack is not that large."""
        if depth > self._deepest[task]:
            self._deepest[task] = min(depth, self._sizes[task])
        return depth <= self._sizes[task]

    def free(self, task: str) -> int:
        """Bytes of the stack that were never used."""
        return self._sizes[task] - self._deepest[task]

    def measures(self) -> Iterator[Measure]:
        """One reading a stack."""
        for task, size in self._sizes.items():
            deepest = self._deepest[task]
            yield Measure("stack", (task,), {"size": size, "min_free": size - deepest, "max_used": deepest})
