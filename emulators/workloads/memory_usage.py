"""Azure Sphere's MemoryUsage sample: a buffer, nodes with data and sockets up to the maximum, all freed, again."""

from __future__ import annotations

from collections.abc import Iterator

from emulators.boards import Board
from emulators.chance import Chance
from emulators.devices.mt3620 import KIB, Mt3620Memory
from emulators.firmware import Allocation, Plan, Runtime, Task

BUFFER_INTEGERS, NODE_INTEGERS, INTEGER_BYTES = 4000, 125, 4
NODE_BYTES = 12
MOST_NODES = 8
TIMER_MS = 250


def plan(board: Board, chance: Chance) -> Plan:
    """The sample, as its README describes it."""
    return Plan((Task("main", _run),), note="grows and frees in a cycle")


def _run(device: Runtime) -> Iterator[int]:
    device.print("Memory usage application starting.\nBefore allocating a buffer...\n")
    _print_usage(device)
    buffer = device.calloc(BUFFER_INTEGERS, INTEGER_BYTES)
    device.print(f"\nAllocating a buffer of {BUFFER_INTEGERS} elements * {INTEGER_BYTES} bytes.\n")
    nodes: list[tuple[Allocation | None, Allocation | None, object]] = []
    while True:
        yield TIMER_MS
        _print_usage(device)
        if len(nodes) == MOST_NODES:
            device.print("\nFreeing the initial memory buffer and the list, before allocating more memory.\n")
            device.free(buffer)
            buffer = None
            _delete_list(device, nodes)
            _print_usage(device)
        device.print("\nAppending a node in the linked list.\n")
        node = device.malloc(NODE_BYTES)
        nodes.append((node, device.calloc(NODE_INTEGERS, INTEGER_BYTES), device.open_socket()))


def _delete_list(device: Runtime, nodes: list[tuple[Allocation | None, Allocation | None, object]]) -> None:
    device.print("Delete the linked list.\n")
    for node, data, socket in nodes:
        device.free(data)
        device.close_socket(socket)
        device.free(node)
    nodes.clear()


def _print_usage(device: Runtime) -> None:
    if isinstance(device.memory, Mt3620Memory):
        memory = device.memory
        device.print(f"User memory: {memory.user_mode() // KIB} KB.\n")
        device.print(f"Peak user memory: {memory.peak // KIB} KB.\n")
        device.print(f"Total memory: {memory.total() // KIB} KB.\n")
