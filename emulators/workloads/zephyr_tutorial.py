"""The memory tutorial for Zephyr: 100 bytes leaked each second, stack and heap printed, on after the heap is empty."""

from __future__ import annotations

from collections.abc import Iterator

from emulators.boards import Board
from emulators.chance import Chance
from emulators.devices.zephyr import ZephyrMemory
from emulators.firmware import Plan, Run, Runtime, Task

BLOCK, SLEEP_MS = 100, 1000
MAIN_STACK, MAIN_DEPTH = 1024, 448


def leaking_plan(board: Board, chance: Chance) -> Plan:
    """The tutorial's first stage."""
    note = "100 bytes a second are never freed"
    return Plan((_main(leaks=True),), "leak", (BLOCK, SLEEP_MS), note=note)


def mended_plan(board: Board, chance: Chance) -> Plan:
    """The same with the missing k_free."""
    return Plan((_main(leaks=False),))


def _main(*, leaks: bool) -> Task:
    return Task("main", _code(leaks=leaks), MAIN_STACK, MAIN_DEPTH)


def _code(*, leaks: bool) -> Run:
    def run(device: Runtime) -> Iterator[int]:
        while True:
            held = device.malloc(BLOCK)
            if held:
                device.print("Allocated 100 bytes (leaked)\n" if leaks else "Allocated 100 bytes\n")
            if not leaks:
                device.free(held)
            _print_usage(device)
            yield SLEEP_MS

    return run


def _print_usage(device: Runtime) -> None:
    if isinstance(device.memory, ZephyrMemory):
        stats = device.memory.region.heap.stats()
        device.print(f"Stack | Free: {device.memory.stacks.free(device.task)} bytes\r\n")
        device.print(f"Heap  | Free: {stats.free} bytes, Allocated: {stats.used} bytes\r\n")
