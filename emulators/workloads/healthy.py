"""Firmware that is well, though its memory moves."""

from __future__ import annotations

import math
from collections.abc import Iterator

from emulators.boards import Board
from emulators.chance import Chance
from emulators.firmware import Allocation, Plan, Run, Runtime, Task
from emulators.workloads.pieces import services

DAY_MS = 86_400_000


def steady(board: Board, chance: Chance) -> Plan:
    """Traffic around a level."""
    return Plan(services(board))


def saw_tooth(board: Board, chance: Chance) -> Plan:
    """Gathers samples, sends them, frees them all."""
    count = chance.between(20, 60)
    block = board.room // (5 * count)
    return Plan((*services(board), Task("batch", _batches(block, count, 500))))


def _batches(block: int, count: int, every_ms: int) -> Run:
    def run(device: Runtime) -> Iterator[int]:
        while True:
            held = []
            for _ in range(count):
                held.append(device.malloc(block))
                yield every_ms
            for one in held:
                device.free(one)

    return run


def daily(board: Board, chance: Chance) -> Plan:
    """More users by day than by night."""
    phase = chance.below(DAY_MS)
    return Plan((*services(board), Task("sessions", _sessions_by_day(board.room // 120, 30, phase))))


def _sessions_by_day(block: int, most: int, phase_ms: int) -> Run:
    def run(device: Runtime) -> Iterator[int]:
        held: list[Allocation | None] = []
        while True:
            angle = 2 * math.pi * (device.uptime_ms + phase_ms) / DAY_MS
            wanted = round(most * (1 - math.cos(angle)) / 2) + device.chance.below(3)
            while len(held) > wanted:
                device.free(held.pop(device.chance.below(len(held))))
            while len(held) < wanted:
                held.append(device.malloc(block))
            yield 10_000

    return run


def warm_up(board: Board, chance: Chance) -> Plan:
    """A cache fills, ever more slowly, and is full then: looks like a leak for a while."""
    entries = chance.between(40, 80)
    note = "grows while its cache fills, then stays"
    cache = Task("cache", _cache(board.room // (4 * entries), entries, chance.between(800, 1500)))
    return Plan((*services(board), cache), note=note)


def _cache(block: int, entries: int, every_ms: int) -> Run:
    def run(device: Runtime) -> Iterator[int]:
        held: list[Allocation | None] = [None] * entries
        while True:
            slot = device.chance.below(entries)  # a new key less and less often
            device.free(held[slot])
            held[slot] = device.malloc(block)
            yield every_ms

    return run


def frees_caches(board: Board, chance: Chance) -> Plan:
    """Caches what it can, and frees all of it above a mark."""
    mark = board.room * chance.between(25, 35) // 100

    def run(device: Runtime) -> Iterator[int]:
        held: list[Allocation | None] = []
        while True:
            held.append(device.malloc(board.room // 200))
            if device.free_bytes() < mark:
                for one in held:
                    device.free(one)
                held.clear()
            yield 1000

    return Plan((*services(board), Task("cache", run)), note="frees its caches above a mark")


def server(board: Board, chance: Chance) -> Plan:
    """Clients come and go: each takes a socket and two buffers."""
    buffer = board.room // 100
    most = chance.between(3, 6)

    def run(device: Runtime) -> Iterator[int]:
        clients: list[tuple[object | None, Allocation | None, Allocation | None]] = []
        while True:
            if len(clients) < most and device.chance.one_in(2):
                clients.append((device.open_socket(), device.malloc(buffer), device.malloc(2 * buffer)))
            elif clients:
                socket, receive, send = clients.pop(device.chance.below(len(clients)))
                device.free(receive)
                device.free(send)
                if socket is not None:
                    device.close_socket(socket)
            device.use_stack(1200 + device.chance.below(1200))
            yield device.chance.between(500, 3000)

    return Plan((*services(board), Task("server", run)))


def ratchet(board: Board, chance: Chance) -> Plan:
    """Now and then a larger document than ever before: on an MT3620 user memory keeps the highest level."""
    largest = board.room * chance.between(15, 25) // 100

    def run(device: Runtime) -> Iterator[int]:
        while True:
            size = device.chance.between(largest // 8, largest)
            parts = [device.malloc(size // 8) for _ in range(8)]
            socket = device.open_socket()
            yield 1500
            for part in parts:
                device.free(part)
            if socket is not None:
                device.close_socket(socket)
            yield device.chance.between(4000, 12_000)

    return Plan((*services(board), Task("documents", run)), note="a plateau of its largest document")
