"""Zephyr: boot banner, the tutorial's heap line, the thread analyzer, fatal errors."""

from __future__ import annotations

from emulators.consoles.voice import over_uart
from emulators.devices.device import Device
from emulators.devices.zephyr import ZephyrMemory
from emulators.firmware import Reset

FATAL = {"stack_overflow": (2, "Stack overflow"), "panic": (4, "Kernel panic")}


class ZephyrVoice:
    """printk and the log backend on a UART."""

    carries_firmware = True

    def boot(self, device: Device) -> str:
        """The kernel's banner."""
        return f"*** Booting Zephyr OS build {device.board.os.removeprefix('Zephyr ')} ***\n"

    def report(self, device: Device) -> str:
        """Heap and threads."""
        memory = device.memory
        if not isinstance(memory, ZephyrMemory):
            return ""
        stats = memory.region.heap.stats()
        lines = [f"Heap  | Free: {stats.free} bytes, Allocated: {stats.used} bytes\r", "Thread analyze:"]
        for measure in memory.stacks.measures():
            size, unused, used = (int(measure.values[name]) for name in ("size", "min_free", "max_used"))
            share = used * 100 // size
            lines.append(f" {measure.names[0]:<20}: STACK: unused {unused} usage {used} / {size} ({share} %)")
        return "\n".join(lines) + "\n"

    def last_words(self, device: Device, reset: Reset) -> str:
        """A fatal error halts the system; the watchdog restarts it."""
        stamp = log_stamp(device.uptime_ms)
        if reset.event not in FATAL:
            return f"[{stamp}] <wrn> app: {reset.reason}\n"
        code, words = FATAL[reset.event]
        return (
            f"[{stamp}] <err> os: >>> ZEPHYR FATAL ERROR {code}: {words} on CPU 0\n"
            f"[{stamp}] <err> os: Current thread: 0x{device.board.regions[0].start:x} ({reset.task or 'unknown'})\n"
            f"[{stamp}] <err> os: Halting system\n"
        )

    def bytes_of(self, text: str) -> bytes:
        """A carriage return before each line feed, so that the tutorial's lines end in two."""
        return over_uart(text)


def log_stamp(uptime_ms: int) -> str:
    """Zephyr's log time: hours, minutes, seconds, milliseconds and microseconds since boot."""
    seconds, thousandths = divmod(uptime_ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{thousandths:03},000"
