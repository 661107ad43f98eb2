"""What `memfleet emulate` does with a fleet beside publishing it: consoles on pseudo-terminals, readings in a file."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from emulators.config import FleetConfig
from emulators.ports import Ports
from telemetry.errors import EnvironmentFault

ROUND_S = 0.05
LEVEL = 6


def serve_consoles(config: FleetConfig, stop: threading.Event, say: Callable[[str], None]) -> None:
    """Each device's console on a pseudo-terminal of its own until `stop` is set; first says where, one a line."""
    try:
        ports = Ports(config)
    except OSError as error:
        raise EnvironmentFault(f"no pseudo-terminal for each device: {error.strerror}", retry=False) from None
    try:
        for device, path in ports.paths.items():
            say(f"{device}\t{path}")
        while not stop.wait(ROUND_S):
            ports.step()
    finally:
        ports.close()


def write_lines(lines: Iterable[bytes], path: Path) -> int:
    """Write the lines to a file, packed when its name ends in .gz; how many there were. The same lines give the same
    bytes. The file appears under its name when it is whole."""
    partial = path.with_name(path.name + ".part")
    count = 0
    try:
        with partial.open("wb") as raw:
            packed = path.suffix == ".gz"
            out = gzip.GzipFile("", "wb", LEVEL, raw, mtime=0) if packed else raw
            for line in lines:
                out.write(line)
                count += 1
            if packed:
                out.close()
        partial.replace(path)
    except OSError as error:
        raise EnvironmentFault(f"{path} cannot be written: {error.strerror}", retry=False) from None
    finally:
        partial.unlink(missing_ok=True)
    return count
