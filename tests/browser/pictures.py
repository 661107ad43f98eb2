"""Take the pictures of the documentation: `python -m tests.browser.pictures [FOLDER]`, by default docs/images."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from telemetry.clock import wall_ms
from tests.browser.chromium import chromium
from tests.collector.web.seeding import Collector, seed_fleet
from tests.collector.web.server import page_process

VIEWS = {
    "fleet": "/",
    "device-azure-sphere": "/device/meter-0042",
    "device-esp32": "/device/kitchen-1",
    "device-zephyr": "/device/lock-17",
    "alerts": "/alerts",
}


def take(folder: Path) -> None:
    """Every view in light and dark, of a fleet made for the purpose."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, chromium() as browser:
        collector = Collector(Path(directory))
        seed_fleet(collector, wall_ms())
        with page_process(Path(directory), {"fleet": "harbour"}) as address:
            for scheme in ("light", "dark"):
                page = browser.new_page(viewport={"width": 1280, "height": 860}, color_scheme=scheme)
                for name, path in VIEWS.items():
                    collector.arrive([])  # the tick that says intake lives
                    page.goto(address + path)
                    page.wait_for_selector("h1:visible")
                    page.wait_for_timeout(700)
                    page.screenshot(path=folder / f"{name}-{scheme}.png", full_page=name.startswith("device"))
        collector.close()


if __name__ == "__main__":
    take(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images"))
