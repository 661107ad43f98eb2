"""The page in a real browser, on a page process and a series process that really run."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, WebSocketRoute, expect

from collector.records import decode_desk
from collector.web.page.live_chart import MOST_ADDED
from telemetry.clock import wall_ms
from telemetry.journal import START, JournalReader
from telemetry.readings import About
from telemetry.wire import Rows
from tests.browser.chromium import LIMIT_MS, chromium, new_page
from tests.collector.web.seeding import Collector, alert, azure_sphere, esp32, rows, zephyr
from tests.collector.web.server import page_process
from tests.waiting import wait_until

KIB = 1024


@dataclass(frozen=True)
class Desk:
    """A collector at work, its page's address, and a browser."""

    collector: Collector
    address: str
    browser: Browser

    def fill(self) -> None:
        """Let three devices of unlike platforms report, once."""
        if self.collector.readings.last_id() == 0:
            now_ms = wall_ms()
            self.send(*azure_sphere("meter-1", now_ms, leak=300, count=300))
            self.send(*esp32("kitchen-1", now_ms, 60))
            self.send(*zephyr("lock-1", now_ms, 60))

    def send(self, *blocks: About | Rows) -> None:
        """Let readings arrive, all the way into the series."""
        self.collector.arrive(list(blocks))
        self.collector.settle()

    def open(self, path: str, **options: object) -> Page:
        """The view at that path; anything the browser loads from elsewhere, or complains about, fails the test."""
        page = new_page(self.browser, **options)
        page.on("pageerror", lambda error: pytest.fail(f"the page's script failed: {error}"))
        page.on("request", lambda request: _own_only(request.url, self.address))
        page.goto(self.address + path)
        return page


def _own_only(url: str, address: str) -> None:
    own = (address, address.replace("http", "ws", 1), "data:", "blob:")
    assert url.startswith(own), f"the page loads {url}"


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    directory: Path = tmp_path_factory.mktemp("page")
    with page_process(directory) as address, chromium() as browser:
        collector = Collector(directory)
        yield Desk(collector, address, browser)
        collector.close()


@pytest.fixture
def desk(empty: Desk) -> Desk:
    empty.fill()
    return empty


def _drawn(page: Page, heading: str) -> list[dict[str, object]]:
    """Name, type and number of points of everything that the chart under a heading draws."""
    chart = page.locator("section", has=page.get_by_role("heading", name=heading, exact=True)).locator(".chart")
    found: list[dict[str, object]] = chart.evaluate(
        """async element => {
            const chart = () => getElement(Number(element.id.slice(1)))?.chart;
            while (!chart()?.getOption()?.series) await new Promise(done => setTimeout(done, 20));
            return chart().getOption().series.map(series => ({
                name: series.name, type: series.type, points: series.data.filter(point => point[1] !== null).length,
            }));
        }"""
    )
    return found


def _drawn_once(page: Page, heading: str, line: str, least: int) -> dict[str, dict[str, object]]:
    """The same by name, once a line has so many points: they come after the words that tell of them."""

    def drawn() -> dict[str, dict[str, object]]:
        found = {str(one["name"]): one for one in _drawn(page, heading)}
        return found if int(str(found[line]["points"])) >= least else {}

    return wait_until(drawn, f"{line} is drawn")


def test_an_empty_fleet_says_what_to_do_and_fills_by_itself(empty: Desk) -> None:
    page = empty.open("/")
    expect(page.get_by_role("heading", name="No device has reported yet")).to_be_visible()
    expect(page.get_by_text("memfleet demo")).to_be_visible()
    empty.fill()
    expect(page.get_by_role("row", name="meter-1")).to_be_visible()
    expect(page.get_by_role("columnheader")).to_have_text(
        ["State", "Device", "Platform", "Firmware", "Memory, KiB", "Outlook", "Last seen"]
    )
    page.close()


def test_the_fleet_is_found_filtered_and_kept_by_state(desk: Desk) -> None:
    page = desk.open("/")
    find = page.get_by_label("Find devices")
    find.fill("esp32-s3")
    expect(page.get_by_role("row", name="kitchen-1")).to_be_visible()
    expect(page.get_by_role("row", name="meter-1")).to_be_hidden()
    expect(find).to_have_value("esp32-s3")
    find.fill("")
    expect(page.get_by_role("row", name="meter-1")).to_be_visible()
    chip = page.get_by_role("button", name="silent")
    chip.click()
    expect(chip).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_text("No device matches")).to_be_visible()
    page.goto(f"{desk.address}/?find=kitchen")
    expect(find).to_have_value("kitchen")
    expect(page.get_by_role("row", name="meter-1")).to_be_hidden()
    page.close()


def test_what_is_shown_of_the_fleet_stands_in_the_address_and_back_returns_to_it(desk: Desk) -> None:
    page = desk.open("/?sort=nonsense&state=&page=x")
    page.get_by_label("Find devices").fill("1")
    page.get_by_role("button", name="Device", exact=True).click()
    expect(page).to_have_url(f"{desk.address}/?find=1&sort=device")
    page.get_by_role("link", name="kitchen-1").click()
    expect(page).to_have_url(f"{desk.address}/device/kitchen-1")
    page.go_back()
    expect(page.get_by_label("Find devices")).to_have_value("1")
    expect(page.get_by_role("columnheader", name="Device")).to_have_attribute("aria-sort", "ascending")
    page.get_by_role("button", name="silent").click()
    expect(page).to_have_url(f"{desk.address}/?find=1&state=silent&sort=device")
    page.close()


@pytest.mark.parametrize("path", ["/logs?at=x&within=y", "/device/kitchen-1?start=abc&end=-1"])
def test_an_address_that_says_nothing_of_use_shows_the_usual(desk: Desk, path: str) -> None:
    page = desk.open(path)
    expect(page.get_by_role("heading").first).to_be_visible()
    page.close()


def test_a_link_is_followed_though_its_row_is_told_anew_while_it_is_pressed(desk: Desk) -> None:
    desk.send(*zephyr("pressed-1", wall_ms(), 5))
    page = desk.open("/")
    link = page.get_by_role("link", name="pressed-1")
    link.hover()
    pressed = link.element_handle()
    assert pressed is not None
    page.mouse.down()
    page.wait_for_function("link => !link.isConnected", arg=pressed)
    page.mouse.up()
    expect(page).to_have_url(re.compile("/device/pressed-1$"))
    page.close()


def test_an_azure_sphere_device_is_drawn_and_goes_on_by_itself(desk: Desk) -> None:
    page = desk.open("/")
    page.get_by_role("link", name="meter-1").click()
    expect(page.get_by_role("heading", name="Application memory")).to_be_visible()
    before = {one["name"]: one for one in _drawn(page, "Application memory")}
    assert [one["type"] for one in before.values()] == ["line", "line", "line", "scatter"]
    assert before["total"]["points"] == before["user"]["points"] == before["peak"]["points"] == 300
    highest = 200 * KIB
    columns = {"total": [highest + 40 * KIB], "user_mode": [highest], "peak_user_mode": [highest]}
    desk.send(rows("meter-1", "process", (), [wall_ms()], columns, boot=2))
    expect(page.locator(".legend")).to_contain_text("peak200 KiB")
    after = _drawn_once(page, "Application memory", "user", 301)
    assert after["user"]["points"] == 301
    assert after["new peak"]["points"] == int(str(before["new peak"]["points"])) + 1
    page.close()


def test_samples_are_copied_as_a_table_and_a_new_peak_is_announced(desk: Desk) -> None:
    end_ms = wall_ms()
    desk.send(*azure_sphere("copied-1", end_ms, leak=300, count=20))
    context = desk.browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    context.set_default_timeout(LIMIT_MS)
    page = context.new_page()
    page.goto(f"{desk.address}/device/copied-1")
    table = page.get_by_role("region", name="Samples, newest first")
    expect(table.get_by_role("row")).to_have_count(21)
    table.click()
    page.keyboard.press("Control+a")
    page.keyboard.press("Control+c")
    copied = wait_until(lambda: str(page.evaluate("navigator.clipboard.readText()")), "the rows are copied")
    lines = copied.splitlines()
    assert [line.split("\t") for line in lines[:1]] == [
        ["Time", "Boot", "Total, KiB", "User, KiB", "Peak, KiB", "What happened"]
    ]
    assert len(lines) == 21
    newest = lines[1].split("\t")
    assert newest[0].endswith("+00:00")
    assert [float(number) for number in newest[2:5]][1] <= float(newest[4])
    columns = {"total": [250 * KIB], "user_mode": [220 * KIB], "peak_user_mode": [220 * KIB]}
    desk.send(rows("copied-1", "process", (), [wall_ms()], columns, boot=2))
    expect(page.get_by_text("New peak: 220 KiB")).to_be_attached()
    assert table.get_by_role("row").count() == 21, "what is selected stands still"
    page.evaluate("getSelection().removeAllRanges()")
    expect(table.get_by_role("row")).to_have_count(22)
    expect(table.get_by_role("row").nth(1)).to_contain_text("new peak")
    context.close()


def test_a_chart_that_is_not_built_yet_gets_what_came_meanwhile(desk: Desk) -> None:
    """A chart is built a timer's tick after it is there; a busy browser may hear of a new reading before."""
    page = new_page(desk.browser)
    page.add_init_script(
        """{
            const [later, held] = [window.setTimeout, []];
            window.setTimeout = (act, ms, ...given) =>
                ms === 0 && String(act).includes("native code") ? held.push(act) : later(act, ms, ...given);
            window.build = () => { while (held.length) held.pop()(); };
        }"""
    )
    desk.send(*azure_sphere("early-1", wall_ms(), leak=0, count=10))
    page.goto(f"{desk.address}/device/early-1")
    expect(page.get_by_role("heading", name="Application memory")).to_be_visible()
    columns = {"total": [99 * KIB], "user_mode": [77 * KIB], "peak_user_mode": [77 * KIB]}
    desk.send(rows("early-1", "process", (), [wall_ms()], columns, boot=2))
    expect(page.locator(".legend")).to_contain_text("user77.0 KiB")
    expect(page.locator(".chart canvas")).to_have_count(0)
    page.evaluate("build()")
    assert _drawn_once(page, "Application memory", "user", 11)["user"]["points"] == 11
    page.close()


def test_libraries_of_an_application_stand_in_one_chart(desk: Desk) -> None:
    now_ms = wall_ms()
    desk.send(*azure_sphere("tracked-1", now_ms, leak=0, count=10))
    times = [now_ms - 20_000, now_ms - 10_000]
    for name in ("App + Static Libraries", "libtlsutils.so.0.2"):
        desk.send(rows("tracked-1", "heap", (name,), times, {"used": [9 * KIB, 10 * KIB]}, boot=2))
    page = desk.open("/device/tracked-1")
    title = "Heap taken by the application and its libraries"
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    assert {one["name"] for one in _drawn(page, title)} == {"App + Static Libraries", "libtlsutils.so.0.2"}
    page.close()


def test_a_chart_that_gathered_many_points_is_thinned(desk: Desk) -> None:
    desk.send(*esp32("fast-1", wall_ms(), 60))
    page = desk.open("/device/fast-1")
    expect(page.get_by_role("heading", name="Memory held by tasks")).to_be_visible()
    now_ms = wall_ms()
    times = [now_ms - 1400 + i for i in range(MOST_ADDED * 2)]
    held = {"current": [7 * KIB] * len(times), "peak": [9 * KIB] * len(times)}
    parts = (slice(0, 400), slice(400, 800), slice(800, None))  # a block holds at most 500 rows
    columns = [{name: values[part] for name, values in held.items()} for part in parts]
    blocks = [
        rows("fast-1", "task", ("sensor", "DRAM"), times[part], of) for part, of in zip(parts, columns, strict=True)
    ]
    desk.send(*blocks)  # together, that the page may see all or nothing
    expect(page.locator(".legend").last).to_contain_text("sensor · DRAM7.0 KiB")
    drawn = _drawn_once(page, "Memory held by tasks", "sensor · DRAM", 61)
    assert int(str(drawn["sensor · DRAM"]["points"])) <= 60 + MOST_ADDED
    page.close()


def test_a_reboot_draws_the_chart_anew_with_its_mark(desk: Desk) -> None:
    page = desk.open("/device/meter-1")
    expect(page.get_by_role("heading", name="Application memory")).to_be_visible()
    columns = {"total": [90 * KIB], "user_mode": [50 * KIB], "peak_user_mode": [50 * KIB]}
    desk.send(rows("meter-1", "process", (), [wall_ms()], columns, boot=3))
    expect(page.locator(".facts")).to_contain_text("Boot3")
    expect(page.locator(".legend")).to_contain_text("user50.0 KiB")
    page.wait_for_function(
        """() => {
            const id = Number(document.querySelector(".chart").id.slice(1));
            const marks = getElement(id)?.chart?.getOption()?.series?.[0].markLine.data ?? [];
            return marks.slice(-2).map(mark => mark.label.formatter).join() === "boot 3,limit 256 KiB";
        }"""
    )
    page.close()


def test_other_platforms_get_heap_task_and_stack_charts(desk: Desk) -> None:
    page = desk.open("/device/kitchen-1")
    expect(page.get_by_role("heading", name="Heap DRAM, 320 KiB")).to_be_visible()
    assert [one["name"] for one in _drawn(page, "Heap DRAM, 320 KiB")] == [
        "free",
        "largest free block",
        "least free ever",
    ]
    assert all(one["points"] == 60 for one in _drawn(page, "Memory held by tasks"))
    expect(page.get_by_role("log")).to_contain_text("warning mqtt: reconnecting to broker")
    expect(page.get_by_role("log")).to_contain_text("event alloc_failed: size 65536, caller camera_grab")
    page.get_by_role("button", name="15 min").click()
    expect(page.get_by_role("button", name="15 min")).to_have_attribute("aria-pressed", "true")
    page.goto(f"{desk.address}/device/lock-1")
    expect(page.get_by_role("heading", name="Stack never used yet")).to_be_visible()
    assert {one["name"] for one in _drawn(page, "Stack never used yet")} == {"sysworkq", "main", "ble_rx"}
    page.close()


def test_an_alert_appears_while_the_page_is_open_and_can_be_acknowledged(desk: Desk) -> None:
    fleet, alerts, device = desk.open("/"), desk.open("/alerts"), desk.open("/device/kitchen-1")
    expect(alerts.get_by_text("No open alert.")).to_be_visible()
    finding = alert("kitchen-1", "The largest free block fell to 12 KiB.", "critical", kind="heap", names=("DRAM",))
    desk.collector.find(finding)
    desk.collector.settle()
    for page in (fleet, alerts, device):
        expect(page.get_by_text("The largest free block fell to 12 KiB.")).to_be_visible()
    expect(fleet.get_by_role("row", name="kitchen-1")).to_contain_text("critical")
    expect(fleet.get_by_role("link", name="Alerts")).to_contain_text("1")
    alerts.get_by_role("button", name="Acknowledge").click()
    expect(alerts.get_by_text("Noted …")).to_be_visible()
    frames, _ = JournalReader(desk.collector.directory / "desk.journal").read(START)
    assert [decode_desk(frame.data).key for frame in frames] == [finding.key]
    desk.collector.settle()
    expect(alerts.get_by_text("acknowledged", exact=True)).to_be_visible()
    for page in (fleet, alerts, device):
        page.close()


def test_old_numbers_are_said_to_be_old(desk: Desk) -> None:
    """Nothing ticks here but what the tests send: the page has to notice."""
    page = desk.open("/")
    expect(page.get_by_role("status").filter(has_text="What you see may be old")).to_be_visible()
    page.close()


def test_a_device_that_has_not_reported_appears_when_it_does(desk: Desk) -> None:
    page = desk.open("/device/late-1")
    expect(page.get_by_text("No device of that name has reported yet.")).to_be_visible()
    desk.send(*zephyr("late-1", wall_ms(), 5))
    expect(page.get_by_role("heading", name="Heap kernel, 32 KiB")).to_be_visible()
    page.close()


@pytest.mark.parametrize("lost", ["_nicegui_ws", r"nicegui\.js"], ids=["the connection", "the scripts"])
def test_a_collector_that_ends_while_its_page_is_opened_is_told_and_tried_again(desk: Desk, lost: str) -> None:
    page = new_page(desk.browser)
    answers: list[bool] = []

    def on_request(route: Route) -> None:
        route.continue_() if answers else route.abort()

    def on_connection(connection: WebSocketRoute) -> None:
        if answers:
            connection.connect_to_server()
        else:
            connection.close()

    page.route(re.compile(lost), on_request)
    page.route_web_socket(re.compile(lost), on_connection)
    page.goto(f"{desk.address}/agents")
    expect(page.get_by_role("alert").filter(has_text="The collector does not answer")).to_be_visible()
    answers.append(True)
    expect(page.get_by_text("The collector does not answer")).to_have_count(0)
    expect(page.get_by_role("heading", level=1)).to_have_text("Agents")
    page.close()


def test_the_theme_is_chosen_and_kept(desk: Desk) -> None:
    page = desk.open("/")
    page.get_by_role("button", name="Theme: auto").click()
    page.get_by_role("button", name="Theme: light").click()
    expect(page.locator("body.body--dark")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    expect(page.locator("body.body--dark")).to_be_visible()
    kept = page.get_by_role("button", name="Theme: dark").evaluate("it => {it.click(); return document.cookie}")
    assert "memfleet_theme=auto" in kept, "the choice waits for an answer that a reload can forestall"
    page.close()


def test_the_filter_is_reached_by_keyboard(desk: Desk) -> None:
    page = desk.open("/")
    expect(page.get_by_role("row", name="meter-1")).to_be_visible()
    reached = []
    for _ in range(16):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.ariaLabel || document.activeElement.innerText"))
    assert reached[0] == "Skip to content"
    assert "Find devices" in reached
    assert any(text.startswith("silent") for text in reached)
    page.close()


def test_a_reader_with_a_token_sees_everything_live_and_cannot_act(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("for-readers")
    settings = {"page": {"port": 0, "read_token_file": str(tmp_path / "token")}}
    desk.collector.find(
        alert("lock-1", "Stack of ble_rx has 9 bytes left.", "warning", kind="stack", names=("ble_rx",))
    )
    desk.collector.settle()
    directory = desk.collector.directory
    for name in ("series.db", "readings.journal", "findings.journal"):
        source, copy = sqlite3.connect(directory / name), sqlite3.connect(tmp_path / name)
        with contextlib.closing(source), contextlib.closing(copy):
            source.backup(copy)
    with page_process(tmp_path, settings) as address:
        page = new_page(desk.browser)
        page.goto(f"{address}/alerts")
        page.get_by_label("Token").fill("for-readers")
        page.get_by_role("button", name="Open").click()
        expect(page.get_by_text("Stack of ble_rx has 9 bytes left.")).to_be_visible()
        expect(page.get_by_role("button", name="Acknowledge: Stack")).to_be_disabled()
        page.get_by_role("button", name="Show resolved ones too").click()
        expect(page.get_by_role("button", name="Show resolved ones too")).to_have_attribute("aria-pressed", "true")
        assert "token" not in page.url
        page.close()


def test_texts_from_devices_are_never_markup(desk: Desk) -> None:
    text = "<img src=x onerror=document.title='taken'>"
    desk.send(rows("lock-1", "log", (), [wall_ms()], {"level": ["error"], "module": ["m"], "text": [text]}))
    page = desk.open("/device/lock-1")
    expect(page.get_by_role("log")).to_contain_text("<img src=x")
    assert page.title() == "lock-1 · memfleet"
    page.close()


def test_agents_and_holes_are_shown(desk: Desk) -> None:
    desk.fill()
    now_ms = wall_ms()
    told: dict[str, int | str] = {
        "outbox_depth": 1234,
        "oldest_age_ms": 90_000,
        "evicted": 7,
        "cut_numbers": 21,
        "long_lines": 2,
        "disk_free": 5 * 2**30,
        "clock": "untrusted",
    }
    desk.send(rows("gateway-1", "agent", (), [now_ms], {name: [value] for name, value in told.items()}))
    told |= {"clock": "unsynchronised", "clock_behind_ms": -5_400_000}
    desk.send(rows("gateway-2", "agent", (), [now_ms], {name: [value] for name, value in told.items()}))
    desk.send(rows("pump-1", "heap", ("main",), [now_ms - 3_600_000, now_ms], {"free": [5, 5]}))
    page = desk.open("/agents")
    expect(page.locator("tr", has_text="gateway-2")).to_contain_text("90 min ahead")
    row = page.locator("tr", has_text="gateway-1")
    for words in ("1,234 frames, 1 min", "5.0 GiB", "untrusted", "7", "21 numbers cut short, 2 lines too long"):
        expect(row).to_contain_text(words)
    expect(page.locator("tr", has_text="pump-1")).to_contain_text("silence")
    expect(page.locator("tr", has_text="pump-1")).to_contain_text("1 h")
    page.get_by_role("link", name="pump-1").click()
    expect(page.get_by_role("region", name="Holes")).to_contain_text("silence")
    page.goto(desk.address + "/")
    expect(page.locator("table.fleet")).not_to_contain_text("gateway-1")
    page.close()
