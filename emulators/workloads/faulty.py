"""Firmware with a fault, known to the byte."""

from __future__ import annotations

from collections.abc import Iterator

from emulators.boards import Board
from emulators.chance import Chance
from emulators.devices.mt3620 import KIB, Mt3620Memory
from emulators.firmware import Allocation, Plan, Run, Runtime, Task
from emulators.workloads.pieces import leak, services


def slow_leak(board: Board, chance: Chance) -> Plan:
    """Loses a small block every few seconds: hours or days to the end."""
    return _leaking(board, chance.between(24, 120), chance.between(4000, 30_000), "leaks slowly")


def fast_leak(board: Board, chance: Chance) -> Plan:
    """Loses what it has within 45 to 80 seconds, and goes on without memory."""
    steps = chance.between(45, 80) * 2
    return _leaking(board, board.room * 60 // 100 // steps, 500, "leaks all its memory within two minutes")


def leak_after_event(board: Board, chance: Chance) -> Plan:
    """Well at first; leaks from some moment on."""
    from_ms = chance.between(60, 600) * 1000
    block, every_ms = chance.between(40, 200), chance.between(1000, 4000)
    task = Task("uploader", leak(block, every_ms, from_ms))
    return Plan((*services(board), task), "leak", (block, every_ms), from_ms, "leaks after an event")


def _leaking(board: Board, block: int, every_ms: int, note: str) -> Plan:
    task = Task("uploader", leak(block, every_ms))
    return Plan((*services(board), task), "leak", (block, every_ms), note=note)


def self_healing(board: Board, chance: Chance) -> Plan:
    """Leaks, and restarts itself at a floor before anybody notices."""
    block, every_ms = board.room // 600, chance.between(500, 1500)
    floor = board.room * chance.between(15, 25) // 100

    def run(device: Runtime) -> Iterator[int]:
        while True:
            device.malloc(block)
            if device.free_bytes() < floor:
                device.restart("low memory, restarting")
            yield every_ms

    tasks = (*services(board), Task("uploader", run))
    return Plan(tasks, "leak", (block, every_ms), note="leaks, hidden by reboots of its own")


def panics(board: Board, chance: Chance) -> Plan:
    """Leaks, and panics at the first allocation that fails."""
    block, every_ms = board.room // 500, chance.between(250, 800)

    def run(device: Runtime) -> Iterator[int]:
        while True:
            if device.malloc(block) is None:
                device.abort("abort() was called after a failed allocation")
            yield every_ms

    return Plan((*services(board), Task("uploader", run)), "leak", (block, every_ms), note="leaks until it panics")


def fragmentation(board: Board, chance: Chance) -> Plan:
    """Under load, blocks that stay come to lie between such as do not: free memory stays, its largest block shrinks."""
    index = Task("index", _scatter(chance.between(30, 50), board.room // 80, chance.between(2000, 6000)))
    return Plan((*services(board), index), "fragmentation", note="free memory stays, its largest block shrinks")


def _scatter(count: int, longest: int, every_ms: int) -> Run:
    """Each step a peak of load, over at once, during which one block is taken that stays for `count` steps."""

    def run(device: Runtime) -> Iterator[int]:
        kept: list[Allocation | None] = []
        while True:
            load = device.free_bytes() * device.chance.between(5, 85) // 100
            peak = []
            while load > 0:
                size = device.chance.between(longest // 4, longest)
                peak.append(device.malloc(size))
                load -= size
            kept.append(device.malloc(longest // 4))
            for one in peak:
                device.free(one)
            if len(kept) > count:
                device.free(kept.pop(0))
            yield every_ms

    return run


def stack_creep(board: Board, chance: Chance) -> Plan:
    """Recursion goes a little deeper with each document, until the stack is no longer large enough."""
    deeper_every = chance.between(2000, 8000)

    def run(device: Runtime) -> Iterator[int]:
        depth = 1200
        while True:
            device.use_stack(depth)
            depth += 16 + device.chance.below(32)
            yield deeper_every

    return Plan((*services(board), Task("parser", run, stack=4096)), "stack_creep", note="a stack ever deeper")


def overuse_restart(board: Board, chance: Chance) -> Plan:
    """Leaks on an MT3620 and restarts in order above a mark, as the memory overuse snippet does."""
    block, every_ms = chance.between(300, 900), chance.between(250, 700)

    def run(device: Runtime) -> Iterator[int]:
        while True:
            device.malloc(block)
            if device.free_bytes() < 16 * 1024:
                if isinstance(device.memory, Mt3620Memory):
                    device.print(f"ERROR: TotalMemoryUsed reached: {device.memory.total() // KIB} KB\n")
                device.restart("memory overuse detected")
            yield every_ms

    tasks = (*services(board), Task("uploader", run))
    return Plan(tasks, "leak", (block, every_ms), note="leaks; detects its overuse and restarts in order")
