"""Azure Sphere: an application's output as the debugger shows it. Line feeds alone."""

from __future__ import annotations

from emulators.devices.device import Device
from emulators.devices.mt3620 import KIB, KILLED, Mt3620Memory
from emulators.firmware import Reset


class AzureSphereVoice:
    """The debugger's lines around the application's."""

    carries_firmware = True

    def boot(self, device: Device) -> str:
        """The debugger attaches, at another port each time; without it the application's lines are all there is."""
        if not device.firmware.plan.debugger:
            return "" if device.firmware.plan.prints else f"{device.firmware.project} application starting.\n"
        return f"Remote debugging from host 192.168.35.1, port {60827 + device.boot}\n"

    def report(self, device: Device) -> str:
        """The three numbers, as the MemoryUsage sample prints them."""
        memory = device.memory
        if not isinstance(memory, Mt3620Memory):
            return ""
        return (
            f"User memory: {memory.user_mode() // KIB} KB.\n"
            f"Peak user memory: {memory.peak // KIB} KB.\n"
            f"Total memory: {memory.total() // KIB} KB.\n"
        )

    def last_words(self, device: Device, reset: Reset) -> str:
        """The debugger tells how the application ended."""
        if not device.firmware.plan.debugger:
            return ""
        if reset.reason == KILLED:
            return f"\n{reset.reason}\n"
        return "\nChild exited with status 0\n"

    def bytes_of(self, text: str) -> bytes:
        """As they are."""
        return text.encode()


RULE = " -------------------------- -------------\n"


class MemoryStatsVoice:
    """`azsphere device app show-memory-stats` in a loop: tables follow each other without a break."""

    carries_firmware = False

    def boot(self, device: Device) -> str:
        """Nothing is shown of a start."""
        return ""

    def report(self, device: Device) -> str:
        """The classic command line's table, in bytes."""
        memory = device.memory
        if not isinstance(memory, Mt3620Memory):
            return ""
        rows = (
            ("Total (Kernel + User Mode)", memory.total()),
            ("User Mode", memory.user_mode()),
            ("Peak User Mode", memory.peak),
            *((f"Heap: {name}", used) for name, used in memory.tracked_heaps()),
        )
        heading = RULE + f" {'Name':<26} Usage (bytes)\n" + f" {'=' * 40}\n"
        return heading + "".join(f" {name:<26} {size}\n" + RULE for name, size in rows)

    def last_words(self, device: Device, reset: Reset) -> str:
        """Nothing is shown of an end; a restart shows as a lower peak."""
        return ""

    def bytes_of(self, text: str) -> bytes:
        """As they are."""
        return text.encode()
