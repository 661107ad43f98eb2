"""How fast the page is with a large fleet: prints one JSON object.

    python bench/page.py [--devices 5000]

In Debian's Chromium, against the real page process on a folder that the real series process has made.
`first_paint_s`: from asking for the fleet view until its first device can be read; `filter_s`: from the last key until
the one device that was asked for stands alone; `next_page_s`, `sort_s`, `state_filter_s`, `device_s`, `logs_s` (the
newest lines of the fleet) likewise (medians).
`api_s`: one GET of 1,000 devices. Wall clock, so other work on the machine counts.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import httpx
from playwright.sync_api import Page, expect

from telemetry.clock import wall_ms
from tests.browser.chromium import chromium
from tests.collector.web.seeding import Collector, alert, azure_sphere, esp32, zephyr
from tests.collector.web.server import page_process

TIMES = 5
MAKERS = (
    lambda name, now: azure_sphere(name, now, 40, 4),
    lambda name, now: esp32(name, now, 4),
    lambda name, now: zephyr(name, now, 4),
)


def seed(directory: Path, devices: int) -> None:
    """A fleet of three platforms, every hundredth device with an alert."""
    collector, now = Collector(directory), wall_ms()
    for number in range(devices):
        name = f"device-{number:05}"
        collector.arrive(list(MAKERS[number % 3](name, now)))
        if number % 100 == 0:
            collector.find(alert(name, f"Memory of {name} grows.", "warning", key=f"leak|{name}|heap|"))
    collector.settle()
    collector.close()


def timed(act: Callable[[], object], shown: Callable[[], object], times: int = TIMES) -> float:
    """Median seconds from `act` until `shown` returns."""
    spans = []
    for _ in range(times):
        begun = time.perf_counter()
        act()
        shown()
        spans.append(time.perf_counter() - begun)
    return round(median(spans), 3)


def measure(page: Page, address: str, devices: int) -> dict[str, float]:
    """Every figure of the views."""
    rows = page.locator("table.fleet tbody tr td:nth-child(2) a")
    find = page.get_by_label("Find devices")
    warning = page.get_by_role("button", name="warning")
    wanted = iter(f"device-{devices - 1 - number:05}" for number in range(TIMES))
    asked = ""

    def ask() -> None:
        nonlocal asked
        asked = next(wanted)
        find.fill(asked)

    first = timed(lambda: page.goto(address), lambda: expect(rows.first).to_be_visible())
    found = timed(ask, lambda: expect(rows).to_have_text([asked]))
    find.fill("")
    expect(rows).to_have_count(50)
    place = page.locator("span.number[role=status]")
    pages = iter(f"{start:,}–{start + 49:,} of {devices:,}" for start in range(51, 50 * (TIMES + 1), 50))
    turned = timed(
        lambda: page.get_by_role("button", name="Next").click(), lambda: expect(place).to_have_text(next(pages))
    )
    ways = iter(["ascending", "descending"] * TIMES)
    head = page.get_by_role("columnheader", name="Device")
    ordered = timed(
        page.get_by_role("button", name="Device", exact=True).click,
        lambda: expect(head).to_have_attribute("aria-sort", next(ways)),
    )
    counts = iter([f"of {-(-devices // 100):,}", f"of {devices:,}"] * TIMES)
    state = timed(warning.click, lambda: expect(place).to_contain_text(next(counts)))
    device = timed(
        lambda: page.goto(f"{address}/device/device-00001"),
        lambda: expect(page.locator(".chart canvas").first).to_be_visible(),
    )
    lines = page.get_by_role("log").locator("div")
    logs = timed(lambda: page.goto(f"{address}/logs"), lambda: expect(lines.first).to_be_visible())
    return {
        "first_paint_s": first, "filter_s": found, "next_page_s": turned, "sort_s": ordered, "state_filter_s": state,
        "device_s": device, "logs_s": logs,
    }  # fmt: skip


def main() -> None:
    """Seed, open, measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--devices", type=int, default=5000)
    devices = parser.parse_args().devices
    with tempfile.TemporaryDirectory() as folder:
        seed(Path(folder), devices)
        with page_process(Path(folder)) as address, chromium() as browser:
            figures = measure(browser.new_page(), address, devices)
            asked = timed(lambda: httpx.get(f"{address}/api/v1/devices", timeout=30).raise_for_status(), lambda: None)
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
    print(json.dumps({"devices": devices, **figures, "api_s": asked, "folder_bytes": size}))


if __name__ == "__main__":
    main()
