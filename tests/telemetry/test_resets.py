"""What systems call their resets, in one word."""

from __future__ import annotations

import pytest

from telemetry.resets import is_deliberate, is_for_want_of_memory, reset_class


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("", ""),
        ("POWERON_RESET", "power_on"),
        ("SW_CPU_RESET", "software"),
        ("SW_RESET", "software"),
        ("RTC_SW_SYS_RST", "software"),
        ("RTCWDT_BROWN_OUT_RESET", "brownout"),
        ("TG1WDT_SYS_RESET", "watchdog"),
        ("DEEPSLEEP_RESET", "deep_sleep"),
        ("USB_UART_CHIP_RESET", "usb"),
        ("EXT_CPU_RESET", "external"),
        ("stack overflow in task net", "panic"),
        ("swift", "unknown"),
        ("4", "panic"),
        ("99", "unknown"),
    ],
)
def test_the_class_of_a_reason(reason: str, expected: str) -> None:
    assert reset_class(reason) == expected


def test_what_somebody_wanted_is_told_from_what_happened() -> None:
    wanted = ("POWERON_RESET", "OTA update", "to 1.5 (update)", "Reset button", "user request", "DEEPSLEEP_RESET")
    assert all(map(is_deliberate, wanted))
    happened = ("SW_CPU_RESET", "Software/System restart", "Task watchdog", "boot loader", "banner", "quota", "")
    assert not any(map(is_deliberate, happened))


def test_a_device_may_say_itself_that_memory_ran_out() -> None:
    said = ("out of memory", "low memory, restarting", "memory overuse detected", "alloc failed", "Heap is low", "OOM")
    assert all(map(is_for_want_of_memory, said))
    assert not any(map(is_for_want_of_memory, ("SW_CPU_RESET", "room too warm", "allocated", "memory card removed")))
