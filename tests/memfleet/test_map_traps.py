"""Traps of published fleets that show over time, from a message to the judge: 13 and 14. The other traps of
`tests/agent/maps/test_shipped.py` show in single messages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from agent.framing import Framer
from agent.maps.devices import Devices
from agent.maps.maps import Maps
from agent.maps.shipping import load_maps, read_map
from agent.maps.trial import Forgetful
from collector.judge.backtest import Shelf
from collector.judge.engine import Judge
from collector.judge.rules import load_rules
from collector.records import Arrival, Finding
from telemetry.readings import Reading, fault_of
from telemetry.wire import Clock, decode_body
from tests.collector.judge.stream import START_MS

MATTER = """
system = "matter"
[[topics]]
match = "matter/{device}/52"
[topics.heap.heap]
free = "CurrentHeapFree"
used = "CurrentHeapUsed"
max_used = "CurrentHeapHighWatermark"
"""
PERIOD_MS = 120_000


class Fleet:
    """One device's messages, through maps, frames and the judge."""

    def __init__(self, maps: Maps) -> None:
        self.maps = maps
        self.devices = Devices(Forgetful())
        self.framer = Framer()
        self.judge = Judge(load_rules(None), Shelf(), 300, step_ms=PERIOD_MS)
        self.readings: list[Reading] = []
        self.findings: list[Finding] = []

    def say(self, topic: str, payload: dict[str, Any], at_ms: int) -> None:
        now = START_MS + at_ms
        for report in self.maps.apply(topic, json.dumps(payload).encode(), False, now):
            for item in self.devices.take(report):
                self.framer.add(item)
                self.readings += [item] if isinstance(item, Reading) else []
        body = self.framer.close()
        blocks = [block for block in decode_body(body[0]) if not isinstance(block, Clock)] if body else []
        arrivals = [Arrival(now, "agent", blocks)] if blocks else []
        self.findings += self.judge.batch(arrivals, now + PERIOD_MS)


def test_trap_13_watermarks_disagree_and_are_kept(tmp_path: Path) -> None:
    """Matter's heap used stood above its high watermark, five seconds after it; both are kept, the mark moved."""
    (tmp_path / "matter.toml").write_text(MATTER)
    fleet = Fleet(Maps([read_map(tmp_path / "matter.toml")]))
    for used in (729_000, 730_384):
        fleet.say("matter/lamp/52", {
            "CurrentHeapFree": 90_000, "CurrentHeapUsed": used, "CurrentHeapHighWatermark": 729_744,
        }, used)  # fmt: skip
    first, second = (one for one in fleet.readings if one.kind == "heap")
    assert first.values == {"free": 90_000, "used": 729_000, "max_used": 729_744}
    assert second.values == {"free": 90_000, "used": 730_384, "max_used": 730_384}
    assert fault_of(second.kind, second.values) is None, "nothing that a collector would refuse"


def test_trap_14_a_device_that_restarts_itself_does_not_hide_its_leak() -> None:
    """It loses 48 kB an hour and restarts below 20 kB free, again and again: each boot looks healthy at its start."""
    fleet, free, uptime = Fleet(load_maps(["openmqttgateway"])), 150_000, 0
    for turn in range(8 * 30):
        free, uptime = free - 1600, uptime + PERIOD_MS // 1000
        if free < 20_000:
            free, uptime = 150_000, 5
        told = {"mac": "A8032ABE54DC", "env": "esp32dev-ble", "freemem": free, "uptime": uptime}
        fleet.say("home/gateway/SYStoMQTT", told, turn * PERIOD_MS)
    boots = {one.boot for one in fleet.readings}
    assert boots == {1, 2, 3}
    leaks = [one for one in fleet.findings if one.rule == "heap-leak" and one.status == "firing"]
    assert len(leaks) == len(boots)
    assert all(abs(one.numbers["leak_rate"] - 48_000) < 500 for one in leaks)
