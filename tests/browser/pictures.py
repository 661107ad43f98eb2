"""Take the pictures of the documentation: `python -m tests.browser.pictures [FOLDER]`, by default docs/images."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import quote

from telemetry.clock import wall_ms
from tests.browser.chromium import chromium
from tests.collector.web.seeding import Collector, seed_fleet, seed_incident, seed_update, tracked_heaps
from tests.collector.web.server import page_process


class Picture(NamedTuple):
    """One view, how it is shown, and what has to be drawn before it is taken."""

    path: str
    scheme: Literal["light", "dark"]
    drawn: str
    height: int


PICTURES = {
    "fleet": Picture("/", "light", "tbody tr:not(:empty)", 720),
    "device-azure-sphere": Picture("/device/meter-0042", "light", ".chart canvas", 1200),
    "device-esp32": Picture("/device/kitchen-1", "dark", ".chart canvas", 1240),
    "incident": Picture("/incident?key={incident}", "light", ".log div", 760),
    "firmware": Picture("/firmware", "light", "table.list", 420),
}


def take(folder: Path) -> None:
    """Every picture, of a fleet made for the purpose on a page process that really runs."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, chromium() as browser:
        collector = Collector(Path(directory))
        now_ms = wall_ms()
        seed_fleet(collector, now_ms)
        collector.arrive([*tracked_heaps("meter-0042", now_ms, 180)])
        devices = ["sensor-1001", "sensor-1004", "sensor-1007"]
        incident = seed_incident(collector, now_ms, devices, now_ms - 3 * 3_600_000)
        seed_update(collector, now_ms)
        with page_process(Path(directory), {"fleet": "harbour"}) as address:
            for name, picture in PICTURES.items():
                collector.arrive([])  # the tick that says that intake lives
                collector.settle()
                page = browser.new_page(viewport={"width": 1280, "height": picture.height}, color_scheme=picture.scheme)
                page.goto(address + picture.path.format(incident=quote(incident)))
                page.locator(picture.drawn).first.wait_for()
                page.wait_for_timeout(500)  # a canvas does not say when it is painted
                page.screenshot(path=folder / f"{name}.png")
                page.close()
        collector.close()


if __name__ == "__main__":
    take(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images"))
