"""ESP-IDF's heap_task_tracking example, whose two tasks print what they hold: one frees all, the other leaks.

app_main starts both, deletes them after four seconds, and prints all tasks: the leaking one still holds memory.
"""

from __future__ import annotations

from collections.abc import Iterator

from emulators.boards import Board
from emulators.chance import Chance
from emulators.devices.esp32 import Esp32Memory
from emulators.devices.task_tracking import TaskUse
from emulators.firmware import Plan, Runtime, Task

RULE = "-" * 80
TASK_STACK = 3072
SECONDS = 4
MODULUS = 65536
"""The example prints sizes as 16-bit numbers, whatever they are."""


def plan(board: Board, chance: Chance) -> Plan:
    """The example, as its README describes it."""
    return Plan((Task("main", _app_main, stack=3584),), "leak", note="leaking_task never frees its second block")


def _app_main(device: Runtime) -> Iterator[int]:
    device.start(Task("no_leak_task", _no_leak_task, TASK_STACK))
    device.start(Task("leaking_task", _leaking_task, TASK_STACK))
    yield SECONDS * 1000
    device.delete("leaking_task")
    device.delete("no_leak_task")
    if isinstance(device.memory, Esp32Memory) and device.memory.tracking:
        _print_title(device, "PRINTING ALL TASKS INFO")
        for use in device.memory.tracking.newest_first():
            _print_task(device, use)
    device.print(f"I ({device.uptime_ms}) main_task: Returned from app_main()\n")


def _no_leak_task(device: Runtime) -> Iterator[int]:
    while True:
        first, second = _two_blocks(device)
        held = device.malloc(first), device.malloc(second)
        if None in held:
            _give_up(device)
        for one in held:
            device.free(one)
        _print_own_info(device)
        yield 1000


def _leaking_task(device: Runtime) -> Iterator[int]:
    while True:
        first, second = _two_blocks(device)
        held = device.malloc(first), device.malloc(second)
        if None in held:
            _give_up(device)
        device.free(held[0])
        _print_own_info(device)
        yield 1000


def _two_blocks(device: Runtime) -> tuple[int, int]:
    first = device.chance.between(1, 9999)
    return first, device.chance.between(1, 10_000 - first)


def _give_up(device: Runtime) -> None:
    device.print(f"E ({device.uptime_ms}) {device.task}: Could not allocate heap memory\n")
    device.abort("abort() was called at PC 0x42008f3b on core 0")


def _print_own_info(device: Runtime) -> None:
    if isinstance(device.memory, Esp32Memory) and device.memory.tracking:
        _print_title(device, "PRINTING SINGLE TASK INFO")
        _print_task(device, device.memory.tracking.tasks[device.task])


def _print_title(device: Runtime, title: str) -> None:
    device.print(f"\n{RULE}\n{title}\n{RULE}\n")


def _print_task(device: Runtime, use: TaskUse) -> None:
    state = "ALIVE  " if use.alive else "DELETED"
    peak, current = use.peak % MODULUS, use.current % MODULUS
    device.print(f"{use.name}: {state}: Peak Usage {peak}, Current Usage {current}\n")
    for heap in use.heaps.values():
        spec = heap.region.spec
        device.print(
            f"    {spec.name}: Caps: {spec.caps}. Size {spec.size % MODULUS}, Current Usage {heap.current % MODULUS}, "
            f"Peak Usage {heap.peak % MODULUS}, alloc count {heap.count}\n"
        )
        for address, size in heap.blocks.items():
            device.print(f"        0x{address:x}: Size: {size}\n")
