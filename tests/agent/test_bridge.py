"""From console text to readings of a device: who, which boot, when."""

from __future__ import annotations

from agent.bridge import SAME_BOOT_MS, Bridge
from telemetry.readings import SILENT_AFTER, About, Reading
from tests.agent.boards import Remembered

NOW = 1_795_000_000_000
BOOT = b"*** Booting Zephyr OS build v4.1.0 ***\r\n"
HEAP = b"Heap  | Free: 896 bytes, Allocated: 104 bytes\r\n"


def heaps(items: list[About | Reading]) -> list[Reading]:
    return [item for item in items if isinstance(item, Reading) and item.kind == "heap"]


def test_a_reading_is_described_first() -> None:
    items = Bridge("d1", Remembered()).feed(HEAP, NOW)
    assert items[0] == About("d1", 1, {"platform": "zephyr"}, {})
    assert heaps(items) == [Reading("d1", "heap", ("system",), NOW, {"free": 896, "used": 104}, boot=1)]


def test_a_banner_after_readings_begins_a_boot() -> None:
    boots = Remembered()
    bridge = Bridge("d1", boots)
    bridge.feed(HEAP, NOW)
    assert heaps(bridge.feed(BOOT + HEAP, NOW + 60_000))[0].boot == 2
    assert boots == {"d1": 2}


def test_several_banners_of_one_start_are_one_boot() -> None:
    bridge = Bridge("d1", Remembered())
    bridge.feed(HEAP, NOW)
    bridge.feed(BOOT, NOW + 1_000)
    assert heaps(bridge.feed(BOOT + HEAP, NOW + 3_000))[0].boot == 2
    bridge.feed(BOOT, NOW + 9_000)
    assert heaps(bridge.feed(BOOT + HEAP, NOW + 9_001 + SAME_BOOT_MS))[0].boot == 4


def test_boots_go_on_after_our_own_restart() -> None:
    boots = Remembered(d1=5)
    assert heaps(Bridge("d1", boots).feed(HEAP, NOW))[0].boot == 5
    assert heaps(Bridge("d1", boots).feed(BOOT + HEAP, NOW))[0].boot == 6


def test_the_first_boot_of_a_new_device_is_one() -> None:
    assert heaps(Bridge("d1", Remembered()).feed(BOOT + HEAP, NOW))[0].boot == 1


def test_a_board_that_reports_seldom_says_for_how_long_it_may_be_silent() -> None:
    boots = Remembered()
    often, seldom = Bridge("often", boots), Bridge("d1", boots)
    told = [
        abouts(seldom.feed(HEAP, NOW + at_ms))
        for minute in (0, 10, 20)
        for at_ms in (60_000 * minute, 60_000 * minute + 900)
    ]
    assert [len(some) for some in told] == [1, 0, 0, 0, 1, 0]
    assert told[4][0].limits == {SILENT_AFTER: 1800}
    assert abouts(Bridge("d1", boots).feed(HEAP, NOW + 1_800_000))[0].limits == {SILENT_AFTER: 1800}, "still known"
    assert [len(abouts(often.feed(HEAP, NOW + 5_000 * number))) for number in range(9)] == [1] + [0] * 8


def test_azure_sphere_carries_its_limit() -> None:
    text = (
        b"User memory: 40 KB.\nPeak user memory: 44 KB.\nTotal memory: 60 KB.\n\nAppending a node in the linked list.\n"
    )
    bridge = Bridge("d1", Remembered())
    items = bridge.feed(text, NOW) + bridge.close(NOW)
    about = next(item for item in items if isinstance(item, About))
    assert about.limits == {"user_mode": 262_144}
    reading = next(item for item in items if isinstance(item, Reading) and item.kind == "process")
    assert reading.values == {"user_mode": 40_960, "peak_user_mode": 45_056, "total": 61_440}
    assert reading.resolution == 1024


ESP = b"""rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)
I (189) app_init: Project name:     pump
I (195) app_init: App version:      %s
I (200) app_init: Compile time:     Nov 20 2026 10:00:00
I (205) app_init: ELF file SHA256:  %s...
I (212) app_init: ESP-IDF:          v5.3.1
I (600) main_task: Calling app_main()
I (700) wifi:mode : sta (24:0a:c4:12:34:%s)
"""
FREE = b"Free heap: 100000 bytes\n"


def abouts(items: list[About | Reading]) -> list[About]:
    return [item for item in items if isinstance(item, About)]


def events(items: list[About | Reading]) -> list[str]:
    return [item.names[0] for item in items if isinstance(item, Reading) and item.kind == "event"]


def test_the_firmware_of_a_boot_is_in_its_description() -> None:
    bridge = Bridge("d1", Remembered())
    about = abouts(bridge.feed(ESP % (b"1.2.0", b"5a1c0e77b", b"56") + FREE, NOW))[-1]
    assert about.texts == {
        "platform": "esp32", "firmware": "1.2.0", "os": "ESP-IDF v5.3.1", "project": "pump",
        "compile_time": "Nov 20 2026 10:00:00", "elf_sha256": "5a1c0e77b", "mac": "24:0a:c4:12:34:56",
    }  # fmt: skip


def test_the_description_outlives_our_own_restart() -> None:
    boots = Remembered()
    first = abouts(Bridge("d1", boots).feed(ESP % (b"1.2.0", b"5a1c0e77b", b"56") + FREE, NOW))[-1]
    assert abouts(Bridge("d1", boots).feed(FREE, NOW + 1000)) == [first]


def test_a_changed_version_begins_a_boot_when_nobody_heard_the_reset() -> None:
    bridge = Bridge("d1", Remembered())
    bridge.feed(ESP % (b"1.2.0", b"5a1c0e77b", b"56") + FREE, NOW)
    torn = ESP.split(b"\n", 3)[3]  # the first lines were lost
    items = bridge.feed(torn % (b"77aabbccd", b"56") + FREE, NOW + 3_600_000)
    assert heaps(items)[0].boot == 2
    assert abouts(items)[-1].texts["elf_sha256"] == "77aabbccd"


def test_another_board_at_the_port_is_told() -> None:
    bridge = Bridge("d1", Remembered())
    bridge.feed(ESP % (b"1.2.0", b"5a1c0e77b", b"56") + FREE, NOW)
    assert "board_changed" not in events(bridge.feed(ESP % (b"1.2.0", b"5a1c0e77b", b"56") + FREE, NOW + 60_000))
    assert "board_changed" in events(bridge.feed(ESP % (b"1.2.0", b"5a1c0e77b", b"57") + FREE, NOW + 120_000))


def test_a_reset_by_our_own_opening_is_recorded_as_such() -> None:
    bridge = Bridge("d1", Remembered())
    bridge.opened(NOW)
    items = bridge.feed(ESP % (b"1", b"5a1c0e77b", b"56"), NOW + 300) + bridge.feed(FREE, NOW + 1000)
    reset = next(item for item in items if isinstance(item, Reading) and item.names == ("reset",))
    assert reset.values["cause"] == "port opened"
    later = bridge.feed(ESP % (b"1", b"5a1c0e77b", b"56"), NOW + 60_000)
    reset = next(item for item in later if isinstance(item, Reading) and item.names == ("reset",))
    assert "cause" not in reset.values


def test_warnings_beyond_ten_a_second_are_counted() -> None:
    bridge = Bridge("d1", Remembered())
    items = bridge.feed(b"E (1) app: no\n" * 25, NOW)
    assert sum(isinstance(item, Reading) and item.kind == "log" for item in items) == 10
    assert bridge.muted_logs == 15
    later = [item for item in bridge.feed(b"E (2) app: no\n", NOW + 1000) if isinstance(item, Reading)]
    assert "15 more warnings" in str(later[0].values["text"])
    assert later[1].values["text"] == "no"
