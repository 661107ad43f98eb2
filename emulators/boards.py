"""Boards: the facts of each, and where they come from. Adding a board is adding a line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from emulators.heap import Allocator

DEFAULT_CAPS = 1071118
"""MALLOC_CAP_* bits of ordinary internal RAM, as ESP-IDF's heap task tracking prints them."""

RTC_CAPS = 0x9806
"""MALLOC_CAP_* bits of RTC RAM: the DMA unit cannot reach it."""

PSRAM_CAPS = 0x580406
"""MALLOC_CAP_* bits of external RAM."""


@dataclass(frozen=True, slots=True)
class Region:
    """One heap of a board: `start` is its address, `size` its bytes; `late` ones join when the scheduler starts, which
    gives them the stacks of start-up code. `internal` tells RAM of the chip from external RAM, `dma` what the DMA unit
    reaches, `rtc` what keeps power in deep sleep."""

    name: str
    start: int
    size: int
    internal: bool = True
    late: bool = False
    caps: int = DEFAULT_CAPS
    dma: bool = True
    rtc: bool = False


@dataclass(frozen=True, slots=True)
class Board:
    """What firmware finds on a board.

    `regions` stand in the order in which malloc tries them. `user_base` and `kernel_base` are what an application of
    the MT3620 holds before its first own allocation, bytes. `reboot_ms` is how long it is silent when it restarts.
    """

    name: str
    platform: str
    chip: str
    os: str
    allocator: Allocator
    regions: tuple[Region, ...] = ()
    user_base: int = 0
    kernel_base: int = 0
    reboot_ms: int = 1500
    source: str = ""

    @property
    def room(self) -> int:
        """Bytes that firmware can count on for its heap, roughly."""
        return sum(region.size for region in self.regions if region.internal) or 256 * 1024 - self.user_base


def _esp32(name: str, chip: str, regions: tuple[Region, ...], source: str, os: str = "ESP-IDF v5.5") -> Board:
    """Before 5.4 malloc cut blocks to the request; since then they keep the size of their class."""
    older = os < "ESP-IDF v5.4"
    return Board(name, "esp32", chip, os, "tlsf_idf53" if older else "tlsf", regions, reboot_ms=600, source=source)


LIBC = Region("libc", 0x2001C000, 4096)
"""The heap behind the C library's malloc, CONFIG_COMMON_LIBC_MALLOC_ARENA_SIZE bytes: a choice."""

NET_BUF = Region("net_buf", 0x2001E000, 6144)
"""A k_heap for the data of network buffers (CONFIG_NET_BUF_VARIABLE_DATA_SIZE): its size is a choice."""


def _zephyr(name: str, chip: str, heap: Region, source: str, os: str = "Zephyr v4.1.0") -> Board:
    return Board(name, "zephyr", chip, os, "zephyr_k", (heap,), reboot_ms=300, source=source)


BOARDS: Mapping[str, Board] = {
    board.name: board
    for board in (
        Board(
            "mt3620", "mt3620", "MT3620", "Azure Sphere 21.04", "musl_1_1_24",
            user_base=36864, kernel_base=65536 - 36864, reboot_ms=2000,
            source="show-memory-stats of an idle application in Azure Sphere's 'Memory use in high-level applications'",
        ),
        _esp32(
            "esp32s3", "ESP32-S3",
            (Region("RAM", 0x3FCE9710, 0x5724, late=True), Region("RAM", 0x3FC95D20, 0x539F0)),
            "output in the README of ESP-IDF's heap_task_tracking example: sizes 22308 and 342512, addresses of blocks",
        ),
        _esp32(
            "esp32s3-psram", "ESP32-S3",
            (
                Region("RAM", 0x3FCE9710, 0x5724, late=True), Region("RAM", 0x3FCA6A98, 0x42C78),
                Region("SPIRAM", 0x3C0E0000, 8185 * 1024, internal=False, caps=PSRAM_CAPS),
            ),
            "heap_init and esp_psram lines of a module with 8 MB, ESP-IDF v6.0-beta1",
        ),
        _esp32(
            "esp32", "ESP32",
            (
                Region("DRAM", 0x3FFAE6E0, 0x1920), Region("D/IRAM", 0x3FFE0440, 0x3AE0, late=True),
                Region("D/IRAM", 0x3FFE4350, 0x1BCB0), Region("DRAM", 0x3FFB8100, 0x27F00),
            ),
            "heap_init lines of a Wi-Fi station, ESP-IDF v5.3.1", "ESP-IDF v5.3.1",
        ),
        _esp32(
            "esp32c3", "ESP32-C3",
            (
                Region("Retention RAM", 0x3FCDC710, 0x2950, late=True), Region("Retention RAM", 0x3FCC0000, 0x1C710),
                Region("RAM", 0x3FC8F560, 0x30AA0),
            ),
            "heap_init lines of an I2C application, ESP-IDF v5.4.1", "ESP-IDF v5.4.1",
        ),
        _esp32(
            "esp32c3-rtc", "ESP32-C3",
            (
                Region("Retention RAM", 0x3FCDC710, 0x2950, late=True), Region("Retention RAM", 0x3FCC0000, 0x1C710),
                Region("RAM", 0x3FC8E4B0, 0x31B50),
                Region("RTCRAM", 0x50000200, 0x1DE8, caps=RTC_CAPS, dma=False, rtc=True),
            ),
            "heap_init lines of an application that leaves RTC RAM to the heap, ESP-IDF v5.4.1", "ESP-IDF v5.4.1",
        ),
        _esp32(
            "esp32c6", "ESP32-C6",
            (Region("RAM", 0x4087C610, 0x2F54, late=True), Region("RAM", 0x40817220, 0x653F0)),
            "heap_init lines of a Zigbee switch, ESP-IDF v5.5.2", "ESP-IDF v5.5.2",
        ),
        _esp32(
            "esp32c2", "ESP32-C2",
            (Region("RAM", 0x3FCDCB70, 0x294C, late=True), Region("RAM", 0x3FCAC270, 0x30900)),
            "heap_init lines of the real_time_stats example, ESP-IDF v5.4", "ESP-IDF v5.4",
        ),
        _esp32(
            "esp32c5", "ESP32-C5",
            (Region("RAM", 0x4085C5A0, 0x2F58, late=True), Region("RAM", 0x40820280, 0x3C320)),
            "heap_init lines of a 5 GHz access point, ESP-IDF v5.5.2", "ESP-IDF v5.5.2",
        ),
        _esp32(
            "esp32c61", "ESP32-C61",
            (Region("RAM", 0x4084C670, 0x2F58, late=True), Region("RAM", 0x4080E640, 0x3E030)),
            "heap_init lines of a display driver, ESP-IDF v6.0.1", "ESP-IDF v6.0.1",
        ),
        _esp32(
            "esp32h2", "ESP32-H2",
            (Region("RAM", 0x4084D380, 0x2B60, late=True), Region("RAM", 0x4080CB60, 0x40820)),
            "heap_init lines of the real_time_stats example, ESP-IDF v5.4", "ESP-IDF v5.4",
        ),
        _esp32(
            "esp32p4", "ESP32-P4",
            (
                Region("RAM", 0x4FF3AFC0, 0x4BF0, late=True), Region("RAM", 0x4FF11920, 0x296A0),
                Region("RAM", 0x4FF40000, 0x60000),
            ),
            "heap_init lines of the real_time_stats example, ESP-IDF v5.4", "ESP-IDF v5.4",
        ),
        _esp32(
            "esp32s2", "ESP32-S2",
            (Region("DRAM", 0x3FFFC000, 0x3A10, late=True), Region("DRAM", 0x3FFC19E0, 0x3A620)),
            "heap_init lines of an application, ESP-IDF v4.4.8", "ESP-IDF v4.4.8",
        ),
        _zephyr(
            "zephyr-esp32s3", "ESP32-S3", Region("system", 0x3FC98000, 22308),
            "board of the memory tutorial (esp32s3_devkitc); it does not print the size of its heap: a choice",
        ),
        _zephyr(
            "zephyr-nrf52840", "nRF52840", Region("system", 0x20008000, 16384),
            "256 KiB RAM from 0x20000000 (nRF52840 product specification); heap size is a choice",
        ),
    )
}  # fmt: skip
