"""Every view of the page, clicked through in a real browser, on two collectors that share a fleet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from collector.records import decode_desk
from telemetry.clock import wall_ms
from telemetry.journal import START, JournalReader
from tests.browser.chromium import chromium, new_page
from tests.collector.web.seeding import (
    Collector,
    alert,
    azure_sphere,
    esp32,
    rows,
    seed_incident,
    seed_update,
    tracked_heaps,
)
from tests.collector.web.server import page_process

MINUTE = 60_000


@dataclass(frozen=True)
class Shared:
    """Two collectors of one fleet, the page of the first, and a browser's tab."""

    own: Collector
    peer: Collector
    address: str
    peer_address: str
    page: Page
    began_ms: int

    def settle(self) -> None:
        """Let both series processes take in what has happened."""
        self.own.settle()
        self.peer.settle()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    own, peer = (Collector(tmp_path_factory.mktemp(name)) for name in ("own", "peer"))
    now_ms = wall_ms()
    began_ms = now_ms - 50 * MINUTE
    own.arrive([*azure_sphere("meter-1", now_ms, leak=300, count=120)])
    own.arrive([*tracked_heaps("meter-1", now_ms, 60)])
    own.arrive([*esp32("kitchen-1", now_ms, 360)])
    own.find(alert("meter-1", "User-mode memory is at 200 KiB.", "warning"))
    seed_incident(own, now_ms, ["kitchen-1"], began_ms)
    seed_update(own, now_ms)
    own.arrive([rows("gateway-1", "agent", (), [now_ms], {"outbox_depth": [3], "evicted": [0]})])
    peer.arrive([*esp32("kitchen-2", now_ms, 20)], agent="gateway-2")
    seed_incident(peer, now_ms, ["kitchen-2", "kitchen-3"], began_ms + 10 * MINUTE)
    own.settle()
    peer.settle()
    with page_process(peer.directory) as peer_address, chromium() as browser:
        settings = {"page": {"port": 0, "peers": [{"url": peer_address}]}}
        with page_process(own.directory, settings) as address:
            page = new_page(browser, locale="en-GB", timezone_id="UTC")
            page.on("pageerror", lambda error: pytest.fail(f"the page's script failed: {error}"))
            yield Shared(own, peer, address, peer_address, page, began_ms)
    own.close()
    peer.close()


def desk_of(collector: Collector) -> list[tuple[str, str]]:
    """What people asked for, as it stands in the desk journal: action and key."""
    frames, _ = JournalReader(collector.directory / "desk.journal").read(START)
    return [(entry.action, entry.key) for entry in (decode_desk(frame.data) for frame in frames)]


def test_every_view_is_reached_by_clicks(shared: Shared) -> None:
    page = shared.page
    page.goto(shared.address)
    expect(page.get_by_role("row", name="kitchen-1")).to_be_visible()
    for name in ("Alerts", "Incidents", "Firmware", "Logs", "Agents", "Fleet"):
        page.get_by_role("navigation").get_by_role("link", name=name).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
    expect(page.get_by_role("row", name="kitchen-2")).to_have_count(0)  # a peer's devices are on the peer's page


def test_the_fleet_is_sorted_by_a_column(shared: Shared) -> None:
    page = shared.page
    page.goto(shared.address)
    first = page.locator("table.fleet tbody tr td:nth-child(2)").first
    expect(first).to_have_text("kitchen-1")  # the worst
    page.get_by_role("button", name="Device", exact=True).click()
    expect(page.get_by_role("columnheader", name="Device")).to_have_attribute("aria-sort", "ascending")
    page.get_by_role("button", name="Device", exact=True).click()
    expect(first).to_have_text("pump-5")


def test_an_incident_of_two_collectors_is_one(shared: Shared) -> None:
    page = shared.page
    page.goto(f"{shared.address}/incidents")
    cards = page.get_by_role("region", name="Incidents")
    expect(cards.get_by_role("link", name="heap-leak")).to_have_count(1)
    expect(cards).to_contain_text("on 3 devices")
    expect(cards).to_contain_text("on 2 collectors")
    expect(cards).to_contain_text("3.0 KiB/hour, 2 d 12 h left when told")
    cards.get_by_role("link", name="heap-leak").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("heap-leak on 3 devices")
    devices = page.get_by_role("region", name="Devices")
    expect(devices.get_by_role("row")).to_have_count(4)
    link = devices.get_by_role("link", name="kitchen-2")
    expect(link).to_have_attribute(
        "href", f"{shared.peer_address}/device/kitchen-2?start={shared.began_ms - 50 * MINUTE}"
    )
    lines = page.get_by_role("log")
    expect(lines.locator("div")).to_have_count(6)
    expect(lines.locator("div").first).to_contain_text("kitchen-1 warning heap: free heap is low")
    expect(lines).to_contain_text("kitchen-3 error mqtt: publish failed")


def test_of_an_incident_that_nobody_knows_no_empty_boxes_are_shown(shared: Shared) -> None:
    page = shared.page
    page.goto(f"{shared.address}/incident?key=nope")
    expect(page.get_by_text("There is no incident of that key")).to_be_visible()
    expect(page.get_by_role("region", name="Devices")).to_be_hidden()
    expect(page.get_by_role("region", name="Log lines")).to_be_hidden()


def test_an_incident_is_acknowledged_and_silenced_at_every_collector(shared: Shared) -> None:
    page = shared.page
    page.goto(f"{shared.address}/incidents")
    page.get_by_label("Silence: Used memory").select_option("8")
    expect(page.get_by_text("Silenced for 8 hours")).to_be_visible()
    page.get_by_role("button", name="Acknowledge: Used memory").click()
    expect(page.get_by_text("Noted …")).to_be_visible()
    for collector in (shared.own, shared.peer):
        actions = desk_of(collector)
        assert [action for action, _ in actions] == ["silence", "acknowledge"]
        assert all(key.startswith("heap-leak|esp32|") for _, key in actions)
    shared.settle()
    silences = page.get_by_role("region", name="Silences")
    expect(silences).to_contain_text("heap-leak|esp32|2.4.1|heap|DRAM@")
    cards = page.get_by_role("region", name="Incidents")
    expect(cards).to_contain_text("known to 127.0.0.1")
    expect(cards).to_contain_text("silenced until")
    silences.get_by_role("button", name="End silence").click()
    expect(silences.get_by_role("button", name="End silence")).to_be_disabled()
    assert desk_of(shared.own)[-1][0] == "unsilence"
    shared.settle()
    expect(silences).to_be_hidden()


def test_a_peer_that_does_not_answer_is_named(shared: Shared, tmp_path: Path) -> None:
    Collector(tmp_path).close()
    settings = {"page": {"port": 0, "peers": [{"url": "http://127.0.0.1:9"}]}}
    with page_process(tmp_path, settings) as address:
        shared.page.goto(f"{address}/incidents")
        expect(shared.page.get_by_text("peer http://127.0.0.1:9 does not answer")).to_be_visible()
        expect(shared.page.get_by_text("No open incident.")).to_be_visible()


def test_firmware_versions_are_compared(shared: Shared) -> None:
    page = shared.page
    page.goto(f"{shared.address}/firmware")
    expect(page.get_by_label("Before")).to_have_value("1.4.1")  # the update that most devices had
    expect(page.get_by_text("1.5.0 needs more than 1.4.1")).to_be_visible()
    expect(page.get_by_role("row", name="worse heap / dram level")).to_contain_text("+29.")
    page.get_by_label("After").select_option("1.4.1")
    expect(page.get_by_text("Choose two versions")).to_be_visible()
    page.get_by_label("Before").select_option("1.5.0")
    expect(page.get_by_text("1.4.1 needs less than 1.5.0")).to_be_visible()
    expect(page).to_have_url(re.compile(r"\?before=1\.5\.0&after=1\.4\.1$"))


def test_lines_are_found_and_shown_with_those_around(shared: Shared) -> None:
    page = shared.page
    page.goto(f"{shared.address}/logs")
    lines = page.get_by_role("log").locator("div")
    expect(lines).to_have_count(6)
    page.get_by_label("Level").select_option("error")
    expect(lines).to_have_count(2)  # the error, and the event, which has no level
    page.get_by_label("Level").select_option("")
    page.get_by_label("Find lines").fill("publish")
    expect(lines).to_have_count(1)
    lines.first.locator("a.time").click()
    expect(lines).to_have_count(2)
    expect(page.locator(".marked")).to_contain_text("publish failed")
    expect(lines.first).to_contain_text("free heap is low")
    expect(page.get_by_label("Device")).to_have_value("kitchen-1")
    page.get_by_label("Device").fill("nobody")
    expect(page.get_by_text("Nothing. Agents forward")).to_be_visible()


def axis(page: Page) -> tuple[int, int]:
    """From when to when the first chart shows, wall ms."""
    start, end = page.locator(".chart").first.evaluate(
        """async element => {
            const chart = () => getElement(Number(element.id.slice(1)))?.chart;
            while (!chart()?.getOption()?.xAxis) await new Promise(done => setTimeout(done, 20));
            const { min, max } = chart().getOption().xAxis[0];
            return [min, max];
        }"""
    )
    return int(start), int(end)


def wait_for_length(page: Page, length_ms: float, give_ms: float) -> None:
    """Until the first chart shows a stretch of about that length: its readings come after the address has changed."""
    page.wait_for_function(
        f"""() => {{
            const id = Number(document.querySelector('.chart').id.slice(1));
            const {{ min, max }} = getElement(id)?.chart?.getOption()?.xAxis?.[0] ?? {{}};
            return Math.abs(max - min - {length_ms}) < {give_ms};
        }}"""
    )


def test_the_profiler_has_its_heap_graph_and_time_line(shared: Shared) -> None:
    page = shared.page
    page.goto(f"{shared.address}/device/meter-1")
    heap = page.locator("section", has=page.get_by_role("heading", name="Heap memory", exact=True))
    expect(heap.locator(".legend")).to_have_text("total heap64.3 KiBshared library heap32.0 KiB")
    expect(page.get_by_role("columnheader", name="Shared library heap, KiB")).to_be_visible()
    expect(page.get_by_role("row").nth(1)).to_contain_text("64.3")
    bars = page.get_by_role("group", name="Boots").get_by_role("button")
    expect(bars).to_have_text(["boot 1", "boot 2 · 24.09-3"])
    bars.first.click()
    expect(page).to_have_url(re.compile(r"\?start=\d+&end=\d+$"))
    wait_for_length(page, 590_000, 2_000)
    expect(bars).to_have_text(["boot 1"])


def test_any_range_is_shown_by_buttons_fields_and_drags(shared: Shared) -> None:
    page = shared.page
    page.goto(f"{shared.address}/device/kitchen-1?start={shared.began_ms}&end={shared.began_ms + 20 * MINUTE}")
    chart = page.locator(".chart").first
    expect(chart.locator("canvas")).to_be_visible()
    assert axis(page) == (shared.began_ms, shared.began_ms + 20 * MINUTE)

    def shown(minutes: float) -> None:
        wait_for_length(page, minutes * MINUTE, 0.1 * minutes * MINUTE)

    page.get_by_role("button", name="Zoom in").click()
    shown(10)
    page.get_by_role("button", name="Earlier").click()
    page.get_by_role("button", name="Zoom out").click()
    shown(20)
    box = chart.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.4, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.65, middle, steps=3)
    page.mouse.up()
    shown(20 * 0.25 * box["width"] / (box["width"] - 66))
    page.keyboard.down("Control")
    page.mouse.wheel(0, 100)
    page.keyboard.up("Control")
    shown(20 * 0.25 * box["width"] / (box["width"] - 66) / 0.7)
    page.get_by_role("button", name="1 h", exact=True).click()
    expect(page.get_by_role("button", name="1 h", exact=True)).to_have_attribute("aria-pressed", "true")
    shown(60)
    expect(page.get_by_label("From")).to_have_value("")


def test_no_view_scrolls_sideways_on_a_phone(shared: Shared) -> None:
    page = shared.page
    page.set_viewport_size({"width": 390, "height": 800})
    for path in ("/", "/alerts", "/incidents", "/firmware", "/logs", "/agents", "/device/meter-1"):
        page.goto(shared.address + path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
    incident = f"/incident?key={quote(f'heap-leak|esp32|2.4.1|heap|DRAM@{shared.began_ms}')}"
    for path, words in ((incident, "ends in about 61 hours"), ("/firmware", "heap / dram"), ("/agents", "gateway-1")):
        page.goto(shared.address + path)
        row = page.locator("table.list tr", has_text=words).first
        expect(row).to_be_visible()
        cut = "[...document.querySelectorAll('.table-wrap')].some(one => one.scrollWidth > one.clientWidth)"
        assert not page.evaluate(cut), path
    page.set_viewport_size({"width": 1280, "height": 800})


def test_the_longest_of_names_widens_no_view(shared: Shared) -> None:
    """The last: the others count what there is."""
    page, name, now_ms = shared.page, "w" * 64, wall_ms()
    shared.own.arrive([*esp32(name, now_ms, 60)])
    shared.own.find(alert(name, "User-mode memory is at 200 KiB.", "warning"))
    seed_incident(shared.own, now_ms, [name], now_ms - MINUTE)
    shared.settle()
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        for path in ("/", "/alerts", "/incidents", f"/device/{name}"):
            page.goto(shared.address + path)
            expect(page.get_by_text(name).first).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (width, path)
