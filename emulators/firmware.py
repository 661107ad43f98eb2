"""What firmware is, and what it sees of its device.

A task is a generator: it allocates, frees, prints, and yields the milliseconds that it sleeps:

    def leak(device: Runtime) -> Iterator[int]:
        while True:
            device.malloc(100)
            yield 1000
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from emulators.chance import Chance
from emulators.native import core

Run = Callable[["Runtime"], Iterator[int] | core.Churn]
"""A task's code, called once a boot."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task or thread: `stack` is its bytes, `depth` how many of them it uses from its start."""

    name: str
    run: Run
    stack: int = 4096
    depth: int = 1200


@dataclass(frozen=True, slots=True)
class Plan:
    """What a device's firmware does, and what is wrong with it.

    A `leak` is (bytes of one block, milliseconds from one to the next); it sets in at uptime `from_ms`. `tracking`:
    built with ESP-IDF's heap task tracking; `debugger`: an MT3620 runs it under the debugger; `prints`: the firmware
    prints its memory itself. On an MT3620 `channels` counts shared buffers to real-time applications,
    `ignores_sigterm` says that it does not end when it is asked to, and `heap_tracking` that its allocations are
    tracked, which a development device does for an application that does not run under the debugger.
    """

    tasks: tuple[Task, ...]
    fault: str = "healthy"
    leak: tuple[int, int] | None = None
    from_ms: int = 0
    note: str = ""
    tracking: bool = False
    debugger: bool = False
    prints: bool = False
    channels: int = 0
    ignores_sigterm: bool = False
    heap_tracking: bool = False


@dataclass(frozen=True, slots=True)
class Firmware:
    """One build: what it does, and how it calls itself."""

    plan: Plan
    version: str = "1.0.0"
    project: str = "firmware"


Allocation = core.Allocation
"""A block that firmware holds: the `region` and the `block` of its heap, and its `address` on the device."""

Calls = tuple[Callable[[int], object | None], Callable[[Any], None]]
"""How a compiled task allocates where no route does: malloc of so many bytes that it writes, None is NULL, and free of
what that gave."""


class Reset(Exception):  # noqa: N818 - the end of a boot, not an error of ours
    """The device starts anew. `event` is the type of event that it leaves behind, `reason` says why in words, `task` is
    whose fault it was where that is known."""

    def __init__(self, event: str, reason: str, task: str = "") -> None:
        self.event = event
        self.reason = reason
        self.task = task
        super().__init__(reason)


def overflown(task: str) -> Reset:
    """How a task ends the boot that goes deeper than its stack."""
    return Reset("stack_overflow", f"stack overflow in task {task}", task)


class Memory(Protocol):
    """The memory of one boot: what a platform does for its tasks. Sizes are bytes; None is NULL.

    `route` does what `malloc` and `free` do without a detour; None where only those two know all that is to be done.
    """

    @property
    def route(self) -> core.Route | None:
        """See above."""

    def traffic(self, task: str) -> core.Route | Calls:
        """What a compiled task allocates by."""

    def malloc(self, task: str, size: int, *, written: bool) -> Allocation | None:
        """Allocate; `written`: the task writes every byte of it."""

    def calloc(self, task: str, count: int, size: int) -> Allocation | None:
        """Allocate zeroed memory."""

    def realloc(self, task: str, held: Allocation | None, size: int) -> Allocation | None:
        """Resize; None leaves the block as it was."""

    def free(self, held: Allocation | None) -> None:
        """Give back."""

    def open_socket(self, task: str) -> object | None:
        """A socket; None when there is no memory for it."""

    def close_socket(self, socket: object) -> None:
        """Give a socket back."""

    def begin(self, task: Task, by: str) -> None:
        """A task starts, created by another."""

    def end(self, task: str) -> None:
        """A task is deleted; what it allocated stays."""

    def use_stack(self, task: str, depth: int) -> bool:
        """A task's stack is `depth` bytes deep; False when that is more than it has."""

    def free_bytes(self) -> int:
        """What the platform's own call for free memory answers."""


class World(Protocol):
    """What a device gives its tasks beside memory."""

    uptime_ms: int

    @property
    def memory(self) -> Memory:
        """The memory of this boot."""

    def print(self, text: str) -> None:
        """Print to the console."""

    def start(self, task: Task, by: str) -> None:
        """Start another task."""

    def delete(self, task: str) -> None:
        """Delete a task."""

    def refused(self, task: str, size: int, *, killed: bool = False) -> None:
        """Take note that malloc gave NULL, or that it was given and the process is killed for it."""


class Runtime:
    """The device as one of its tasks sees it. `chance` is the task's own stream of random numbers."""

    __slots__ = ("_memory", "_take", "_world", "chance", "free", "task")

    def __init__(self, world: World, task: str, chance: Chance) -> None:
        self._world = world
        self._memory = world.memory
        self.task = task
        self.chance = chance
        route = world.memory.route
        self._take = route.malloc if route else self._asked
        self.free = route.free if route else world.memory.free
        """Give a block back; None is free(NULL)."""

    @property
    def uptime_ms(self) -> int:
        """Milliseconds since the boot."""
        return self._world.uptime_ms

    @property
    def memory(self) -> Memory:
        """The platform below, for firmware that asks it for statistics."""
        return self._memory

    def malloc(self, size: int, *, written: bool = True) -> Allocation | None:
        """Allocate `size` bytes and write them all, as most firmware does; None is NULL."""
        held = self._take(size, written)
        if not held:
            self._world.refused(self.task, size, killed=held is False)
            return None
        return held

    def _asked(self, size: int, written: bool) -> Allocation | None:
        return self._memory.malloc(self.task, size, written=written)

    def calloc(self, count: int, size: int) -> Allocation | None:
        """Allocate `count` times `size` zeroed bytes; None is NULL."""
        held = self._memory.calloc(self.task, count, size)
        if held is None:
            self._world.refused(self.task, count * size)
        return held

    def realloc(self, held: Allocation | None, size: int) -> Allocation | None:
        """Resize a block; None leaves it as it was."""
        moved = self._memory.realloc(self.task, held, size)
        if moved is None and size:
            self._world.refused(self.task, size)
        return moved

    def open_socket(self) -> object | None:
        """Open a socket: kernel memory on the MT3620, heap blocks under lwIP, a fixed pool under Zephyr."""
        return self._memory.open_socket(self.task)

    def close_socket(self, socket: object) -> None:
        """Close a socket."""
        self._memory.close_socket(socket)

    def free_bytes(self) -> int:
        """What the platform's own call for free memory answers."""
        return self._memory.free_bytes()

    def use_stack(self, depth: int) -> None:
        """Go `depth` bytes deep into the stack; deeper than it is ends the boot."""
        if not self._memory.use_stack(self.task, depth):
            raise overflown(self.task)

    def print(self, text: str) -> None:
        """Print text to the console; the platform makes its own line ends of line feeds."""
        self._world.print(text)

    def start(self, task: Task) -> None:
        """Create a task."""
        self._world.start(task, self.task)

    def delete(self, task: str) -> None:
        """Delete a task; what it allocated and did not free stays allocated."""
        self._world.delete(task)

    def restart(self, reason: str) -> NoReturn:
        """Restart in order, as firmware does that heals itself."""
        raise Reset("restart", reason, self.task)

    def abort(self, reason: str) -> NoReturn:
        """Give up: the device panics."""
        raise Reset("panic", reason, self.task)
