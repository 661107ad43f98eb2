"""How fast consoles are read: lines/s and MB/s of one core, for each system and for a mixed log, as one JSON object.

`memory` logs hold nothing but memory lines (the cases of the tests, repeated); the `mixed` log is what a board prints
in a day: one memory line among fifty others, all systems in turn.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from agent.consoles import Console

CASES = Path(__file__).parents[1] / "tests" / "cases"
SYSTEMS = {"mt3620": "azure-", "esp32": "esp-", "zephyr": "zephyr-", "freertos": "freertos-"}
CHATTER = (
    b"I (41237) wifi:state: run -> init (c800)\n",
    b"\x1b[0;32mI (51240) app_network: connected to the access point, rssi -61, channel 11\x1b[0m\r\n",
    b"[00:02:14.771,000] <inf> sensor: temperature 21.375 C, humidity 40 %\r\n",
    b"2026-11-20 22:14:18 I (60123) mqtt: published 128 to fleet/pump-17/state\r\n",
    b"INFO: Azure IoT Hub connection is up, 3 messages are waiting to be sent.\n",
)
MIXED_SHARE = 50
CHUNK = 4096
"""Bytes at a time, as a serial port with a busy sender gives them."""


def cases_of(prefix: str) -> bytes:
    """All cases of a system, one after the other."""
    logs = sorted((CASES / "consoles").glob(f"{prefix}*/input.log"))
    return b"".join(log.read_bytes() + b"\n" for log in logs)


def mixed() -> bytes:
    """Memory lines of all systems with chatter between them."""
    memory = b"".join(cases_of(prefix) for prefix in SYSTEMS.values()).splitlines(keepends=True)
    chatter = [CHATTER[place % len(CHATTER)] for place in range(MIXED_SHARE)]
    return b"".join(line + b"".join(chatter) for line in memory)


def measure(log: bytes, size: int) -> dict[str, float | int]:
    """Read `log`, repeated to about `size` bytes; the best of three runs."""
    data = log * max(1, size // len(log))
    chunks = [data[start : start + CHUNK] for start in range(0, len(data), CHUNK)]
    best = min(_read(chunks) for _ in range(3))
    lines = data.count(b"\n")
    return {"lines_per_s": round(lines / best), "mb_per_s": round(len(data) / best / 1e6, 1), "lines": lines}


def _read(chunks: list[bytes]) -> float:
    console = Console()
    begin = time.process_time()
    for chunk in chunks:
        console.feed(chunk)
    console.close()
    return time.process_time() - begin


def main() -> None:
    """Measure, and print one JSON object."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 4_000_000
    memory = {system: measure(cases_of(prefix), size // 4) for system, prefix in SYSTEMS.items()}
    print(json.dumps({"benchmark": "parse", "memory": memory, "mixed": measure(mixed(), size)}))


if __name__ == "__main__":
    main()
