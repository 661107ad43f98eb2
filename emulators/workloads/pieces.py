"""Pieces that workloads are put together from: each is a task's code. Sizes are bytes."""

from __future__ import annotations

from collections.abc import Iterator

from emulators.boards import Board
from emulators.firmware import Run, Runtime, Task
from emulators.native import core

FOREVER = 10**12
"""A sleep that outlasts every run, milliseconds."""


def hold(total: int, blocks: int) -> Run:
    """Take `total` bytes in so many blocks of unlike sizes at the start, and keep them."""

    def run(device: Runtime) -> Iterator[int]:
        mean = total // blocks
        for _ in range(blocks):
            device.malloc(device.chance.between(mean // 2, mean * 3 // 2))
        while True:
            yield FOREVER

    return run


def churn(slots: int, low: int, high: int, every_ms: int = 1000) -> Run:
    """Traffic: of so many blocks about half are held at any time; four change each step. It is compiled, since devices
    spend most of their steps in it."""

    def run(device: Runtime) -> core.Churn:
        return core.Churn(device.memory.traffic(device.task), device.chance, slots, low, high, every_ms)

    return run


def leak(block: int, every_ms: int, from_ms: int = 0) -> Run:
    """Lose a block every so often, and go on when there is no more."""

    def run(device: Runtime) -> Iterator[int]:
        yield from_ms + every_ms
        while True:
            device.malloc(block)
            yield every_ms

    return run


def services(board: Board) -> tuple[Task, ...]:
    """What every firmware here does beside its own matter: a network stack that stays, and traffic."""
    stack = 2048 if board.platform == "zephyr" else 4096
    high = board.room // 160
    return (
        Task("network", hold(board.room * 35 // 100, 24), stack, depth=900),
        Task("worker", churn(24, max(16, high // 8), high), stack),
    )
