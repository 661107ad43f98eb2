"""A clean machine for a newcomer, and their walk over a page: `python -m tests.newcomer README.md FOLDER`.

It has a broker, an InfluxDB and what answers as a Grafana, at the ports that the pages print; so it wants a network of
its own (`unshare --net`) or a machine on which these ports are free. Boards are emulated.
"""

from __future__ import annotations

import contextlib
import fcntl
import re
import shutil
import socket
import struct
import sys
import time
import urllib.request
from dataclasses import replace
from pathlib import Path

from tests.memfleet.grafana.fake import FakeGrafana, fake_grafana
from tests.servers import influxd, mosquitto
from tests.walk import Block, Walk, blocks

ROOT = Path(__file__).parent.parent
PORTS = {"broker": 1883, "page": 8080, "influxdb": 8086, "grafana": 3000}
DASHBOARDS = {f"memfleet-{name}" for name in ("fleet", "device", "firmware", "itself")}
_BOARD = re.compile(r"^meter-001\t(/dev/\S+)$", re.M)
_PAGE = f"http://127.0.0.1:{PORTS['page']}"
_STORE = f'[[stores]]\nname = "influxdb"\nkind = "influxdb"\nurl = "http://127.0.0.1:{PORTS["influxdb"]}"\n'

INSTALLING = ("make ", "cp deploy/", "docker compose ")
"""Lines of the README that are not walked: `make test` proves its own, tests/test_deploy.py looks at the containers."""


_COMES = {
    "memfleet watch": "Watching /dev/ttyUSB0 as",
    "memfleet devices": "ok bench-7 mt3620",
    "memfleet logs": "No line of that time",
}
"""What the README's reader waits for."""


def tutorial(home: Path, grafana: FakeGrafana) -> None:
    """From its first line to its last: the dashboards are there then, and nothing else is left."""
    with contextlib.closing(Walk(home, {"cat > grafana.token": f"{grafana.token}\n"})) as walk:
        for block in blocks((ROOT / "docs" / "tutorial.md").read_text()):
            if block.text.startswith("cd && rm"):
                walk.close()
            _take(walk, block)
            if board := _BOARD.search(walk.output):
                walk.means["/dev/ttyUSB0"] = board[1]
            if _PAGE in block.shown and "nobody answers" not in block.shown:
                assert "memfleet" in urllib.request.urlopen(_PAGE, timeout=60).read().decode()
    assert set(grafana.dashboards) == DASHBOARDS
    assert list(home.iterdir()) == []


def how_to(home: Path, grafana: FakeGrafana) -> None:
    """Every section, in a folder of their own."""
    with contextlib.closing(Walk(home, {})) as walk:
        for block in blocks((ROOT / "docs" / "how-to.md").read_text()):
            _take(walk, block)
    assert not grafana.writes


def readme(home: Path, grafana: FakeGrafana) -> None:
    """Every way in, with what it takes for granted: a board, a saved log, a fleet that publishes, a tool to flash."""
    with contextlib.closing(Walk(home, {}, MEMFLEET_CAPTURE__WRITE_S="1")) as walk:  # do not wait half a minute
        _take(walk, Block("memfleet emulate --devices 3 --consoles", shown="meter-001 /dev/pts/4"))
        _take(walk, Block("memfleet emulate --as tasmota --devices 3 --broker mqtt://127.0.0.1:1883 --data tasmota"))
        board = _BOARD.search((home.parent / "home-terminals" / "memfleet_emulate_--devices_3_--consoles").read_text())
        assert board
        walk.means = {
            "/dev/ttyUSB0": board[1],
            "discover --broker mqtt://192.168.1.5:1883": "discover --for 2s --broker mqtt://127.0.0.1:1883",
            "idf.py": "true",
        }
        shutil.copy(ROOT / "tests" / "cases" / "consoles" / "esp-heap-summary" / "input.log", home / "board.log")
        (home / "grafana.token").write_text(grafana.token)
        (home / "grafana.token").chmod(0o600)
        for block in blocks((ROOT / "README.md").read_text()):
            if block.text.startswith(INSTALLING):
                continue
            if "grafana apply" in block.text:
                (home / "collector.toml").open("a").write(_STORE)
            _take(walk, replace(block, shown=_COMES.get(" ".join(block.text.split()[:2]), "")))
            if block.text.startswith("memfleet watch"):
                _take(walk, Block("memfleet watch", over=True))
        for agent in ("emulator", "maps"):
            _take(walk, Block("memfleet agents", shown=f"connected {agent} 0.1.0"))
    assert set(grafana.dashboards) == DASHBOARDS


def _take(walk: Walk, block: Block) -> None:
    began = time.monotonic()
    walk.take(block)
    print(f"{time.monotonic() - began:5.1f} s  {block.text.splitlines()[0]}", flush=True)


def raise_loopback() -> None:
    """Let 127.0.0.1 answer: in a new network it is down. Linux' netdevice(7)."""
    set_flags, up = 0x8914, 0x1
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, set_flags, struct.pack("16sh14x", b"lo", up))


WALKS = {"docs/tutorial.md": tutorial, "README.md": readme, "docs/how-to.md": how_to}


def main(page: str, folder: Path, own_network: bool) -> None:
    """Build the machine, walk, tear it down."""
    if own_network:
        raise_loopback()
    home = folder / "home"
    home.mkdir()
    with (
        mosquitto(folder, port=PORTS["broker"]),
        influxd(folder, port=PORTS["influxdb"]),
        fake_grafana(port=PORTS["grafana"]) as grafana,
    ):
        WALKS[page](home, grafana)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), "--own-network" in sys.argv)
