"""How fast messages of other systems become readings.

Prints one JSON object: `apply_per_s`, messages a CPU second through the maps alone; `reports_per_s`, with names, boots
and readings; `outbox_per_s`, messages a second from mosquitto until their readings are in the outbox on disk, and
`outbox_per_cpu_s`, per CPU second of the agent: its rate where broker and agent do not share a core.

    python bench/maps.py [--messages 60000]
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from agent.config import AgentConfig, Outbox, Source
from agent.maps import Maps, load_maps
from agent.maps.devices import Devices
from agent.maps.trial import Forgetful
from agent.process import Gateway
from telemetry.settings import Broker
from tests.servers import mosquitto

DEVICES = 300
ROUNDS = 5
START_MS = 1_790_000_000_000

Said = tuple[str, bytes]


def messages(count: int) -> Iterator[Said]:
    """A mixed fleet: Tasmota's STATE, Shelly's full status, ESPHome's plain numbers, OpenMQTTGateway."""
    makers = itertools.cycle((tasmota, shelly, esphome, gateway))
    for number, maker in zip(range(count), makers, strict=False):
        device, turn = number % DEVICES, number // DEVICES
        yield maker(device, turn)


def tasmota(device: int, turn: int) -> Said:
    told = {
        "Time": "2026-02-24T22:20:38", "Uptime": "0T00:10:11", "UptimeSec": 600 + 10 * turn, "Heap": 140 - turn % 7,
        "SleepMode": "Dynamic", "Sleep": 50, "LoadAvg": 19, "MqttCount": 1, "Berry": {"HeapUsed": 15, "Objects": 218},
        "POWER": "OFF", "Wifi": {"AP": 1, "SSId": "net", "Channel": 3, "RSSI": 44, "Signal": -78, "LinkCount": 1},
    }  # fmt: skip
    return f"tele/tasmota_{device:06X}/STATE", json.dumps(told).encode()


def shelly(device: int, turn: int) -> Said:
    told = {
        "mac": f"80646F{device:06X}", "unixtime": 1_770_000_000, "uptime": 600 + 10 * turn, "ram_size": 260_920,
        "ram_free": 122_268 - turn % 99, "ram_min_free": 101_000, "fs_size": 458_752, "cfg_rev": 49, "reset_reason": 3,
    }  # fmt: skip
    return f"shellyplus1-80646f{device:06x}/status/sys", json.dumps(told).encode()


def esphome(device: int, turn: int) -> Said:
    return f"node-{device}/sensor/heap_free/state", str(180_000 - turn % 99).encode()


def gateway(device: int, turn: int) -> Said:
    told = {
        "uptime": 600 + 10 * turn, "version": "v1.8.1", "freemem": 139_608 - turn % 99, "minmem": 120_000,
        "freestack": 4_456, "mac": f"30AEA4{device:06X}", "rssi": -66, "env": "esp32dev-ble",
    }  # fmt: skip
    return f"home/gw-{device}/SYStoMQTT", json.dumps(told).encode()


def measure_apply(maps: Maps, said: list[Said]) -> float:
    """Messages a CPU second, the best of some rounds."""
    best = 0.0
    for _ in range(ROUNDS):
        begin = time.process_time()
        for topic, payload in said:
            maps.apply(topic, payload, False, START_MS)
        best = max(best, len(said) / (time.process_time() - begin))
    return best


def measure_reports(maps: Maps, said: list[Said]) -> float:
    """The same with names, boots and joins."""
    best = 0.0
    for _ in range(ROUNDS):
        devices = Devices(Forgetful())
        begin = time.process_time()
        for number, (topic, payload) in enumerate(said):
            for report in maps.apply(topic, payload, False, START_MS + number // DEVICES * 10_000):
                devices.take(report)
        best = max(best, len(said) / (time.process_time() - begin))
    return best


def measure_outbox(said: list[Said], folder: Path) -> tuple[float, float]:
    """From mosquitto to the outbox: messages a second, and a CPU second of the agent."""
    with mosquitto(folder) as broker:
        source = Source(maps=(), poll_s=0, broker=Broker(url=broker.url))
        nowhere = Broker(url="mqtt://127.0.0.1:9")  # no collector: everything stays in the outbox
        config = AgentConfig(broker=nowhere, sources=(source,), outbox=Outbox(max_mb=2048))
        agent = Gateway(config, folder)
        reader = agent.sources[0]
        while not reader.link.up:
            agent.step(0.1)
        agent.step(0.5)
        sender = threading.Thread(target=publish, args=(broker.port, said))
        wall, cpu = time.perf_counter(), time.thread_time()
        sender.start()
        while reader.counts["messages_qos0"] + reader.counts["messages_qos1"] < len(said):
            agent.step(0.1)
            if time.perf_counter() - wall > 120:
                raise SystemExit(f"only {dict(reader.counts)} of {len(said)} messages came")
        agent.agent.commit()
        wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
        sender.join()
        agent.close()
    return len(said) / wall, len(said) / cpu


def publish(port: int, said: list[Said]) -> None:
    """Send with QoS 0, as the devices do, out of a process of its own."""
    if os.fork() == 0:
        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.connect("127.0.0.1", port)
        client.loop_start()
        for topic, payload in said:
            info = client.publish(topic, payload)
        info.wait_for_publish(120)
        client.disconnect()
        os._exit(0)
    os.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=60_000)
    options = parser.parse_args()
    said = list(messages(options.messages))
    maps = load_maps()
    measure_apply(maps, said[:5000])
    with tempfile.TemporaryDirectory() as folder:
        outbox, of_cpu = measure_outbox(said, Path(folder))
    figures = {
        "messages": len(said),
        "apply_per_s": round(measure_apply(maps, said)),
        "reports_per_s": round(measure_reports(maps, said)),
        "outbox_per_s": round(outbox),
        "outbox_per_cpu_s": round(of_cpu),
    }
    machine = {"machine": platform.processor() or platform.machine(), "cpus": os.cpu_count()}
    print(json.dumps({"bench": "maps", **figures, **machine}))


if __name__ == "__main__":
    main()
