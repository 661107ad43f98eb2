"""ESP-IDF: ROM and boot log, heap summary, FreeRTOS task list, task tracking's overview and tree, aborts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from emulators.consoles.voice import over_uart
from emulators.devices.device import Device
from emulators.devices.esp32 import Esp32Memory
from emulators.devices.region import LiveRegion
from emulators.devices.task_tracking import HeapUse, TaskTracking
from emulators.firmware import Reset

T = TypeVar("T")

ROMS = {
    "ESP32": ("ets Jul 29 2019 12:21:46\n", "POWERON_RESET", "SW_CPU_RESET", "0x13"),
    "ESP32-C2": ("ESP-ROM:esp8684-api2-20220127\nBuild:Jan 27 2022", "POWERON", "RTC_SW_CPU_RST", "0xc"),
    "ESP32-C3": ("ESP-ROM:esp32c3-api1-20210207\nBuild:Feb  7 2021", "POWERON", "RTC_SW_CPU_RST", "0xc"),
    "ESP32-C5": ("ESP-ROM:esp32c5-eco2-20250121\nBuild:Jan 21 2025", "POWERON", "SW_CPU", "0x59"),
    "ESP32-C6": ("ESP-ROM:esp32c6-20220919\nBuild:Sep 19 2022", "POWERON", "SW_CPU", "0xc"),
    "ESP32-C61": ("ESP-ROM:esp32c61-eco3-20250228\nBuild:Feb 28 2025", "POWERON", "SW_CPU", "0xc"),
    "ESP32-H2": ("ESP-ROM:esp32h2-20221101\nBuild:Nov  1 2022", "POWERON", "SW_CPU", "0xc"),
    "ESP32-P4": ("ESP-ROM:esp32p4-eco2-20240710\nBuild:Jul 10 2024", "POWERON", "SW_CPU_RESET", "0x30f"),
    "ESP32-S2": ("ESP-ROM:esp32s2-rc4-20191025\nBuild:Oct 25 2019", "POWERON", "RTC_SW_CPU_RST", "0x8"),
    "ESP32-S3": ("ESP-ROM:esp32s3-20210327\nBuild:Mar 27 2021", "POWERON", "RTC_SW_CPU_RST", "0x8"),
}
"""Each chip's ROM: its first lines, its words for power-on (0x1) and for a restart by software (0xc), boot straps."""

INTERNAL_CAPS = 0x00000804
"""MALLOC_CAP_INTERNAL and MALLOC_CAP_8BIT."""


class EspIdfVoice:
    """Standard output, the log and the ROM, all on one UART."""

    carries_firmware = True

    def boot(self, device: Device) -> str:
        """From the ROM's first line to app_main."""
        rom, power_on, software, straps = ROMS[device.board.chip]
        cause = f"0x1 ({power_on})" if device.reset_event == "power_on" else f"0xc ({software})"
        version = device.board.os.removeprefix("ESP-IDF ")
        regions = sorted(device.board.regions, key=lambda region: region.start)
        heaps = [
            f"I (232) heap_init: At {region.start:08X} len {region.size:08X} ({region.size // 1024} KiB): {region.name}"
            for region in regions
            if region.internal
        ]
        pools = [
            f"I (240) esp_psram: Adding pool of {region.size // 1024}K of PSRAM memory to heap allocator"
            for region in regions
            if not region.internal
        ]
        lines = [
            rom,
            f"rst:{cause},boot:{straps} (SPI_FAST_FLASH_BOOT)",
            f"I (24) boot: ESP-IDF {version} 2nd stage bootloader",
            "I (186) app_init: Application information:",
            f"I (189) app_init: Project name:     {device.firmware.project}",
            f"I (195) app_init: App version:      {device.firmware.version}",
            f"I (212) app_init: ESP-IDF:          {version}",
            "I (226) heap_init: Initializing. RAM available for dynamic allocation:",
            *heaps,
            *pools,
            "I (272) main_task: Started on CPU0",
            "I (282) main_task: Calling app_main()",
        ]
        return "\n".join(lines) + "\n"

    def report(self, device: Device) -> str:
        """heap_caps_print_heap_info, vTaskList, and what task tracking knows where it is compiled in."""
        memory = device.memory
        if not isinstance(memory, Esp32Memory):
            return ""
        text = heap_summary(memory) + task_list(memory)
        return text + task_overview(memory.tracking) + task_tree(memory.tracking) if memory.tracking else text

    def last_words(self, device: Device, reset: Reset) -> str:
        """A panic, or the application's own last line."""
        if reset.event == "restart":
            return f"W ({device.uptime_ms}) app: {reset.reason}\n"
        if reset.event == "stack_overflow":
            cause = f"\n***ERROR*** A stack overflow in task {reset.task} has been detected.\n"
        else:
            cause = "\nabort() was called at PC 0x42008f3b on core 0\n"
        return f"{cause}\n\nBacktrace: 0x40375b2e:0x3fc9a1d0 0x4037a0c9:0x3fc9a1f0\n\n\nRebooting...\n"

    def bytes_of(self, text: str) -> bytes:
        """A carriage return before each line feed."""
        return over_uart(text)


def heap_summary(memory: Esp32Memory) -> str:
    """heap_caps_print_heap_info of internal RAM."""
    internal = [region for region in memory.regions if region.spec.internal]
    info = memory.info(internal=True)
    return (
        f"Heap summary for capabilities 0x{INTERNAL_CAPS:08X}:\n"
        + "".join(_region_lines(region) for region in internal)
        + "  Totals:\n"
        + f"    free {info['free']} allocated {info['used']} min_free {info['min_free']} "
        + f"largest_free_block {info['largest_free']}\n"
    )


def _region_lines(region: LiveRegion) -> str:
    stats = region.heap.stats()
    blocks = stats.used_blocks + stats.free_blocks
    return (
        f"  At 0x{region.spec.start:08x} len {region.spec.size} free {stats.free} allocated {stats.used} "
        f"min_free {stats.min_free}\n"
        f"    largest_free_block {stats.largest_free} alloc_blocks {stats.used_blocks} "
        f"free_blocks {stats.free_blocks} total_blocks {blocks}\n"
    )


def task_list(memory: Esp32Memory) -> str:
    """vTaskList with the heading of ESP-IDF's console example; the high-water mark is in bytes."""
    lines = ["Task Name\tStatus\tPrio\tHWM\tTask#\tAffinity\n"]
    for number, measure in enumerate(memory.stacks.measures(), start=8):
        lines.append(f"{measure.names[0]:<15}\tB\t5\t{measure.values['min_free']}\t{number}\t-1\r\n")
    return "".join(lines)


def task_overview(tracking: TaskTracking) -> str:
    """heap_caps_print_all_task_stat_overview."""
    heading = f"│ {'TASK':<18} │ {'STATUS':<7} │ CURRENT MEMORY USAGE │ PEAK MEMORY USAGE │ TOTAL HEAP USED │\n"
    widths = (20, 9, 22, 19, 17)

    def rule(left: str, middle: str, right: str) -> str:
        return left + middle.join("─" * width for width in widths) + right + "\n"

    rows = [
        f"│ {use.name:>18} │ {'ALIVE  ' if use.alive else 'DELETED'} │ {use.current:>20} │ {use.peak:>17} │ "
        f"{len(use.heaps):>15} │\n"
        for use in tracking.newest_first()
    ]
    return rule("┌", "┬", "┐") + heading + rule("├", "┼", "┤") + "".join(rows) + rule("└", "┴", "┘")


def task_tree(tracking: TaskTracking) -> str:
    """heap_caps_print_all_task_stat: tasks, their heaps, their blocks. Only the branches of tasks and heaps end in a
    corner; every block's is a fork."""
    uses = tracking.newest_first()
    lines = []
    for use, corner, indent in _branches(uses):
        lines.append(
            f"{corner} {use.name}: {'ALIVE' if use.alive else 'DELETED'}, CURRENT MEMORY USAGE {use.current}, "
            f"PEAK MEMORY USAGE {use.peak}, TOTAL HEAP USED {len(use.heaps)}:\n"
        )
        for heap, heap_corner, heap_indent in _branches(list(use.heaps.values())):
            lines.append(f"{indent}    {heap_corner} {_heap_use(heap)}\n")
            lines += [
                f"{indent}    {heap_indent}    ├ ALLOC 0x{address:x}, SIZE {size}\n"
                for address, size in heap.blocks.items()
            ]
    return "".join(lines)


def _branches(items: list[T]) -> Iterator[tuple[T, str, str]]:
    """Each with its branch, and what stands in front of the branches below it."""
    for number, item in enumerate(items, start=1):
        yield (item, "└", " ") if number == len(items) else (item, "├", "│")


def _heap_use(heap: HeapUse) -> str:
    spec = heap.region.spec
    return (
        f"HEAP: {spec.name}, CAPS: 0x{spec.caps:08x}, SIZE: {spec.size}, "
        f"USAGE: CURRENT {heap.current} ({heap.current * 100 // spec.size}%), "
        f"PEAK {heap.peak} ({heap.peak * 100 // spec.size}%), ALLOC COUNT: {heap.count}"
    )
