"""Pseudo-terminals of emulated boards, opened as serial ports are."""

from __future__ import annotations

import contextlib
import os
import tomllib
from pathlib import Path

import serial

from agent.consoles.console import Console
from emulators.config import FleetConfig, Group
from emulators.consoles import DeviceConsole, EmulatedConsole
from emulators.fleet import Fleet
from emulators.ports import BUFFER_BYTES, Port, Ports
from telemetry.readings import Reading
from telemetry.settings import convert
from tests.waiting import LIMIT_S, wait_until

EXAMPLE = Path(__file__).parents[2] / "deploy" / "fleet.toml"


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_ms = 5_000

    def __call__(self) -> int:
        return self.now_ms


def test_a_serial_program_reads_what_the_board_prints_byte_for_byte() -> None:
    clock = Clock()
    port = Port(EmulatedConsole("zephyr", "tutorial-leak", seed=3), clock=clock)
    expected = EmulatedConsole("zephyr", "tutorial-leak", seed=3)
    begin = expected.advance(0)
    with serial.Serial(port.path, 115200, timeout=LIMIT_S) as desk:
        for _ in range(30):
            clock.now_ms += 700
            port.step()
            wanted, begin = begin + expected.advance(clock.now_ms - 5_000), b""
            assert desk.read(len(wanted)) == wanted
    port.close()
    assert port.lost == 0


def test_a_board_may_live_faster_than_real_time() -> None:
    clock = Clock()
    port = Port(EmulatedConsole("zephyr", "tutorial-leak"), speed=60.0, clock=clock)
    with serial.Serial(port.path, timeout=LIMIT_S) as desk:
        clock.now_ms += 1000
        port.step()
        text = b""
        for _ in range(100):
            port.step()
            text += desk.read(desk.in_waiting or 1)
            if text.count(b"Heap  |") == 61:
                break
    port.close()
    assert text.count(b"Allocated 100 bytes") == 61


def test_nobody_reading_loses_the_oldest_bytes_and_counts_them() -> None:
    clock = Clock()
    port = Port(EmulatedConsole("mt3620", "memory-usage"), clock=clock)
    clock.now_ms += 600_000
    port.step()
    assert port.lost > 0
    assert len(EmulatedConsole("mt3620", "memory-usage").advance(0)) < BUFFER_BYTES
    port.close()


def test_what_is_typed_does_not_come_back() -> None:
    clock = Clock()
    port = Port(EmulatedConsole("zephyr", "steady"), clock=clock)
    with serial.Serial(port.path, timeout=LIMIT_S) as desk:
        desk.write(b"kernel heap\r\n")
        clock.now_ms += 100
        port.step()
        assert b"kernel heap" not in desk.read(100)  # the board prints far more
    port.close()


def test_each_device_of_a_fleet_has_a_port() -> None:
    groups = [Group(name="plug", count=2, board="esp32", workload="steady", report_ms=1000),
              Group(name="sensor", board="zephyr-nrf52840", workload="steady", report_ms=1000)]  # fmt: skip
    clock = Clock()
    ports = Ports(FleetConfig(groups=groups), clock=clock)
    assert set(ports.paths) == {"plug-001", "plug-002", "sensor-001"}
    readers = {name: os.open(path, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK) for name, path in ports.paths.items()}
    clock.now_ms += 1000
    ports.step()
    for name, reader in readers.items():
        parser, wanted = Console(), "zephyr" if name.startswith("sensor") else "esp32"

        def is_known(reader: int = reader, parser: Console = parser, wanted: str = wanted) -> bool:
            with contextlib.suppress(BlockingIOError):  # the kernel hands on in its own time
                parser.feed(os.read(reader, 65536))
            return parser.system == wanted

        wait_until(is_known, f"{name} prints as {wanted} does")
        os.close(reader)
    ports.close()


def test_a_device_prints_at_its_console_what_it_reports_in_a_fleet() -> None:
    group = Group(name="plug", board="esp32c6", workload="server", report_ms=2000)
    fleet = Fleet.from_config(FleetConfig(seed=9, groups=[group]))
    items = [item for now in range(0, 60_001, 500) for item in fleet.advance(now)]
    heaps = [item for item in items if isinstance(item, Reading) and item.kind == "heap"]
    console = DeviceConsole.of(group, "plug-001", 9)
    console.advance(0)
    for reading in heaps:
        console.advance(reading.time_ms)
        assert dict(next(iter(console.device.memory.measures())).values) == dict(reading.values)
    assert len(heaps) == 30


def test_the_example_of_a_fleet_file_is_sound() -> None:
    config = convert(FleetConfig, tomllib.loads(EXAMPLE.read_text()), "fleet.toml")
    fleet = Fleet.from_config(config)
    assert len(fleet) == len(fleet.truth()) == 119
    assert {one.fault for one in fleet.truth().values()} == {"healthy", "leak", "fragmentation"}
    assert fleet.advance(0) is not None
