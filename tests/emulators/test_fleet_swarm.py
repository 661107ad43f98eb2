"""Swarms: exact heaps in great number."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from emulators.boards import BOARDS
from emulators.swarm import CHUNK, LEAKING_EVERY, READINGS_A_BODY, REPORTED, Swarm, Traffic
from telemetry.wire import HEADER_BYTES, MAX_FRAME, Rows, decode_body

BOARD = BOARDS["esp32c3"]


@pytest.mark.parametrize("threads", [2, 4])
def test_threads_change_nothing(threads: int) -> None:
    alone, together = Swarm(BOARD, 3 * CHUNK + 5, seed=4), Swarm(BOARD, 3 * CHUNK + 5, seed=4)
    with ThreadPoolExecutor(threads) as executor:
        for _ in range(3):
            one, other = alone.step(), together.step(executor)
            for name in REPORTED:
                assert one[name].tolist() == other[name].tolist()


def test_what_is_reported_is_what_the_heaps_hold_and_they_are_sound() -> None:
    swarm = Swarm(BOARD, 40, seed=5)
    for _ in range(10):
        columns = swarm.step()
    for index, heap in enumerate(swarm.heaps()):
        heap.check()
        stats = heap.stats()
        assert [columns[name][index] for name in REPORTED] == [getattr(stats, name) for name in REPORTED]


def test_devices_differ_and_hold_sixty_blocks() -> None:
    columns = Swarm(BOARD, 300, seed=6).step()
    assert len(set(columns["free"].tolist())) > 250
    assert columns["used_blocks"].mean() >= 60


def test_those_that_leak_lose_one_block_a_step_and_the_others_none() -> None:
    swarm = Swarm(BOARD, (LEAKING_EVERY + 1) * CHUNK, seed=7, traffic=Traffic(blocks=10, slots=8, operations=40))
    before = swarm.step()["used_blocks"].astype(int)
    for _ in range(20):
        columns = swarm.step()
    grown = columns["used_blocks"].astype(int) - before
    leaking = swarm.leaking()
    assert leaking.sum() == 2 * CHUNK
    assert grown[leaking].min() >= 20 - 8
    assert np.abs(grown[~leaking]).max() <= 8


@pytest.mark.parametrize("devices", [1, CHUNK, CHUNK + 1])
def test_there_are_as_many_as_asked_for(devices: int) -> None:
    swarm = Swarm(BOARD, devices, seed=8)
    assert len(swarm) == len(swarm.step()["free"]) == len(swarm.leaking()) == devices


def test_bodies_hold_each_devices_report() -> None:
    swarm = Swarm(BOARD, READINGS_A_BODY + 3, seed=9)
    report = swarm.step()
    bodies = list(swarm.bodies(report, time_ms=120_000, uptime_ms=60_000))
    assert [count for _, count in bodies] == [READINGS_A_BODY, 3]
    assert all(len(body) + HEADER_BYTES <= MAX_FRAME for body, _ in bodies)
    blocks = [block for body, _ in bodies for block in decode_body(body)]
    readings = [reading for block in blocks if isinstance(block, Rows) for reading in block.readings()]
    assert [about.device for about in swarm.abouts()] == [reading.device for reading in readings]
    for index, reading in enumerate(readings):
        assert list(reading.values.values()) == [report[name][index] for name in REPORTED]
        assert (reading.time_ms, reading.uptime_ms, reading.boot) == (120_000, 60_000, 1)
