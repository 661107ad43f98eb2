"""How many emulated devices a machine carries; prints one JSON object.

`fleet`: --devices ESP32-class devices, each with firmware of its own (boards and workloads of the demo's ESP32 part),
live --minutes of virtual time with one report a minute. `steps_per_s`: devices brought forward by one report a second,
operations on their heaps and readings included (some 250 allocations and frees lie between two reports);
`readings_per_s` what came of it; `live_blocks` used blocks a device; `bytes_per_device` resident memory of this process
for each, of it `heap_bytes_per_device` in the core.
`swarm`: --swarm devices of one board with traffic drawn in columns, 100 operations between two reports; `steps_per_s`
at one and two threads, the same per second of processor time; how many of them 6 GiB hold. `outbox_readings_per_s`: a
heap reading of each device put into an agent's outbox on disk. `real_time_processors`: how many processors these
devices take in real time, one report a minute each, operations and outbox together.
`demo_cpu_percent`: what the demo's 200 devices of all platforms, one report in 2 s each, take of a processor.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.framing import Framer, bodies
from agent.outbox import Outbox
from emulators.boards import BOARDS
from emulators.config import Group
from emulators.devices.device import Device
from emulators.devices.esp32 import Esp32Memory
from emulators.fleet import Fleet
from emulators.swarm import Swarm
from telemetry.readings import Reading

MINUTE_MS = 60_000
COMMIT_BODIES = 40
SWARM_STEPS = 3
KINDS = (
    ("esp32", "steady"), ("esp32c3", "server"), ("esp32s3", "steady"), ("esp32c6", "saw-tooth"), ("esp32", "slow-leak"),
)  # fmt: skip


def resident_bytes() -> int:
    """This process' resident memory."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def groups(devices: int) -> list[Group]:
    """ESP32-class devices, as many of each kind."""
    share = devices // len(KINDS)
    return [
        Group(name=f"plug{index}", count=share, board=board, workload=workload, report_ms=MINUTE_MS)
        for index, (board, workload) in enumerate(KINDS)
    ]


def lived(fleet: Fleet, start_ms: int, end_ms: int, step_ms: int) -> tuple[float, int]:
    """CPU seconds that the fleet takes for that time, and the readings that come of it."""
    readings = 0
    before = time.process_time()
    for now_ms in range(start_ms, end_ms, step_ms):
        readings += sum(isinstance(item, Reading) for item in fleet.advance(now_ms))
    return time.process_time() - before, readings


def heaps_of(devices: list[Device]) -> tuple[int, int]:
    """Used blocks and host bytes behind the heaps of all devices."""
    blocks = host = 0
    for device in devices:
        if isinstance(device.memory, Esp32Memory):
            blocks += sum(region.heap.stats().used_blocks for region in device.memory.regions)
            host += sum(region.heap.metadata_bytes() for region in device.memory.regions)
    return blocks, host


def measure(devices: int, minutes: int) -> dict[str, float]:
    """The figures of a fleet that lives so long."""
    empty = resident_bytes()
    fleet = Fleet(groups(devices), seed=1)
    lived(fleet, 0, MINUTE_MS + 1, MINUTE_MS)  # power-on and the first reports
    blocks, host = heaps_of(fleet.devices)
    grown = resident_bytes() - empty
    seconds, readings = lived(fleet, 2 * MINUTE_MS, (2 + minutes) * MINUTE_MS, MINUTE_MS)
    steps = len(fleet) * minutes
    return {
        "devices": len(fleet),
        "steps_per_s": round(steps / seconds),
        "readings_per_s": round(readings / seconds),
        "live_blocks": round(blocks / len(fleet), 1),
        "bytes_per_device": round(grown / len(fleet)),
        "heap_bytes_per_device": round(host / len(fleet)),
        "real_time_devices_at_one_report_a_minute": round(steps / seconds * 60),
    }


def measure_outbox(swarm: Swarm, report: dict[str, NDArray[np.uint32]]) -> dict[str, float]:
    """A heap reading of each device into an outbox on disk; what they are it knows already."""
    with tempfile.TemporaryDirectory() as folder:
        outbox = Outbox(Path(folder) / "outbox.db", 2**31)
        outbox.add(bodies(swarm.abouts(), Framer()))
        wall, cpu = time.perf_counter(), time.process_time()
        written = swarm.bodies(report, MINUTE_MS, MINUTE_MS)
        while part := list(islice(written, COMMIT_BODIES)):
            outbox.add(part)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        outbox.close()
    return {"outbox_readings_per_s": round(len(swarm) / wall), "outbox_readings_per_cpu_s": round(len(swarm) / cpu)}


def measure_swarm(devices: int) -> dict[str, float]:
    """The figures of a swarm after a few steps."""
    empty = resident_bytes()
    swarm = Swarm(BOARDS["esp32c3"], devices, seed=1)
    columns = swarm.step()
    figures = {"devices": devices, "live_blocks": round(float(columns["used_blocks"].mean()), 1)}
    for threads in (1, 2):
        with ThreadPoolExecutor(threads) as executor:
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(SWARM_STEPS):
                columns = swarm.step(executor)
            figures[f"steps_per_s_{threads}"] = round(devices * SWARM_STEPS / (time.perf_counter() - wall))
            figures[f"steps_per_cpu_s_{threads}"] = round(devices * SWARM_STEPS / (time.process_time() - cpu))
    each = (resident_bytes() - empty) / devices
    figures |= {"bytes_per_device": round(each), "devices_in_6_gib": round(6 * 2**30 / each)}
    figures |= measure_outbox(swarm, columns)
    cpu_each = 1 / figures["steps_per_cpu_s_2"] + 1 / figures["outbox_readings_per_cpu_s"]
    return figures | {"real_time_processors": round(devices / 60 * cpu_each, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--swarm", type=int, default=20_000)
    parser.add_argument("--minutes", type=int, default=5, help="of virtual time")
    options = parser.parse_args()
    figures = measure(options.devices, options.minutes)
    swarm = measure_swarm(options.swarm)
    demo = Fleet.demo(200, seed=1)
    lived(demo, 0, 5000, 250)
    seconds, _ = lived(demo, 5000, 65_000, 250)
    percent = round(seconds / 60 * 100, 2)
    machine = {"machine": platform.processor() or platform.machine(), "cpus": os.cpu_count()}
    print(json.dumps({"bench": "fleet", "fleet": figures, "swarm": swarm, "demo_cpu_percent": percent, **machine}))


if __name__ == "__main__":
    main()
