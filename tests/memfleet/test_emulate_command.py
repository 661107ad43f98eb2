"""`memfleet emulate` beside publishing: weeks into a file, consoles on pseudo-terminals."""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path

import pytest
import serial

from telemetry import ndjson
from tests.memfleet.running import memfleet, run
from tests.servers import influxd
from tests.waiting import LIMIT_S, wait_until

FLEET = """
seed = 5

[[groups]]
name = "plug"
count = 2
board = "esp32c3"
workload = "steady"
report_ms = 60000

[[groups]]
name = "sensor"
board = "zephyr-nrf52840"
workload = "tutorial-leak"
report_ms = 1000
"""


def emulate(*words: str) -> subprocess.CompletedProcess[str]:
    return run("emulate", *words)


def fleet_file(folder: Path) -> Path:
    file = folder / "fleet.toml"
    file.write_text(FLEET)
    return file


def test_the_same_seed_gives_the_same_file(tmp_path: Path) -> None:
    file = fleet_file(tmp_path)
    outs = [tmp_path / "one.ndjson.gz", tmp_path / "two.ndjson.gz"]
    for out in outs:
        ran = emulate(str(file), "--virtual", "10m", "--out", str(out), "--start", "2026-03-01")
        assert ran.returncode == 0, ran.stderr
    assert outs[0].read_bytes() == outs[1].read_bytes()
    read = [ndjson.decode(line) for line in gzip.decompress(outs[0].read_bytes()).splitlines()]
    assert {reading.device for _, reading in read} == {"plug-001", "plug-002", "sensor-001"}
    heaps = [reading for about, reading in read if reading.kind == "heap" and about.texts["platform"] == "esp32"]
    assert len(heaps) == 2 * 10
    assert {about.texts["firmware"] for about, _ in read} == {"1.0.0"}
    times_ms = [reading.time_ms for _, reading in read]
    march_ms = 1_772_323_200_000
    assert min(times_ms) == march_ms
    assert max(times_ms) <= march_ms + 600_000


def test_a_span_goes_straight_into_a_store(tmp_path: Path) -> None:
    """What the file holds is what the store answers, number by number."""
    file, out = fleet_file(tmp_path), tmp_path / "fleet.ndjson"
    assert emulate(str(file), "--virtual", "10m", "--out", str(out)).returncode == 0
    heaps = [one for _, one in map(ndjson.decode, out.read_bytes().splitlines()) if one.kind == "heap"]
    config = tmp_path / "collector.toml"
    with influxd(tmp_path) as influx:
        config.write_text(f'[[stores]]\nname = "long"\nkind = "influxdb"\nurl = "{influx.url}"\nbatch_rows = 500\n')
        straight = (str(file), "--virtual", "10m", "--config", str(config), "--store")
        ran = emulate(*straight, "long")
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout == f"{len(out.read_bytes().splitlines())} readings in long\n"
        stored = influx.query("SELECT device, heap, free FROM memfleet_heap", "memfleet")
    asked = [(one.time_ms, one.device, one.names[0], one.values["free"]) for one in heaps]
    assert sorted(asked) == sorted((row["time"], row["device"], row["heap"], row["free"]) for row in stored)
    unknown = emulate(*straight, "short")
    assert (unknown.returncode, "no store is named 'short'; the configuration has: long" in unknown.stderr) == (2, True)


def test_a_span_needs_a_file(tmp_path: Path) -> None:
    ran = emulate(str(fleet_file(tmp_path)), "--virtual", "10m")
    assert ran.returncode == 2
    assert "--out" in ran.stderr


@pytest.mark.parametrize("words", [("--devices", "5"), ("--seed", "2"), ("--as", "tasmota")])
def test_what_a_fleet_file_says_itself_is_no_option(tmp_path: Path, words: tuple[str, str]) -> None:
    ran = emulate(str(fleet_file(tmp_path)), *words, "--virtual", "10m", "--out", str(tmp_path / "out"))
    assert ran.returncode == 2
    assert "a fleet file says all that itself" in ran.stderr


def test_no_more_devices_than_a_machine_may_hold() -> None:
    assert emulate("--devices", "1000001", "--virtual", "1m", "--out", "/dev/null").returncode == 2


def test_every_device_has_a_console(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with memfleet("emulate", str(fleet_file(tmp_path)), "--consoles", log=log):
        wait_until(lambda: log.read_text().count("\n") == 3, "no list of three ports")
        ports = dict(line.split("\t") for line in log.read_text().splitlines())
        with serial.Serial(ports["sensor-001"], timeout=LIMIT_S) as port:
            assert port.read_until(b"Allocated 100 bytes").endswith(b"Allocated 100 bytes")
