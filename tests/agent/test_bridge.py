"""From console text to readings of a device: who, which boot, when."""

from __future__ import annotations

from agent.bridge import SAME_BOOT_MS, Bridge
from telemetry.readings import About, Reading
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
