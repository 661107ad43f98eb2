"""ESP-IDF boot: the ROM's reset line, what firmware runs, and the memory it finds.

ESP-ROM:esp32c3-api1-20210207
rst:0x1 (POWERON),boot:0xc (SPI_FAST_FLASH_BOOT)                 a boot begins
I (24) boot: ESP-IDF v5.4.1 2nd stage bootloader
I (190) app_init: Project name:     hello                        `cpu_start:` before v5.1
I (195) app_init: App version:      1.2.0
I (200) app_init: Compile time:     Nov 20 2026 10:00:00
I (205) app_init: ELF file SHA256:  5a1c0e77b...
I (210) app_init: ESP-IDF:          v5.4.1
I (220) heap_init: At 3FC8E4B0 len 00031B50 (198 KiB): RAM       hexadecimal, without 0x
I (280) main_task: Calling app_main()
"""

from __future__ import annotations

import re

from agent.consoles.fact import Fact
from agent.consoles.form import Form, Numbers, Session
from agent.consoles.line import Line

KIB = 1024
_PATIENCE = 64
_SAME_BOOT = 400
"""Lines after a reset within which a boot loader's and an application's first lines are of the same boot."""

_ROM = re.compile(r"ESP-ROM:(esp32\w*)")
_RESET = re.compile(r"rst:0x([0-9a-fA-F]{1,2}) \(([\w ]*)\),boot:0x([0-9a-fA-F]+) ?\(([^)]*)\)")
_LOADER = re.compile(r"ESP-IDF (v\d\S*) 2nd stage bootloader")
_IDENTITY = re.compile(r"(Project name|App version|Compile time|ELF file SHA256|ESP-IDF): +(\S.*)$")
_BOARD = re.compile(r"chip revision: |Chip rev:|Multicore (?:app|bootloader)")
_REGION = re.compile(r"At ([0-9A-F]{8}) len ([0-9A-F]{8}) \((\d+) KiB\): (\S.*)$")
_PSRAM = re.compile(
    r"Adding pool of (\d+)K of .*(?:PSRAM|external SPI|SPIRAM|SPI RAM).*to heap allocator", re.IGNORECASE
)
_RESERVE = re.compile(r"Reserving pool of (\d+)K of internal memory for DMA/internal allocations")
_WIFI_STACK = re.compile(r"wifi driver task: [0-9a-f]+, prio:\d+, stack:(\d{4,5})(?:, core=\d+)?$")
_APPLICATION = re.compile(r"Calling app_main\(\)|Starting scheduler|Returned from app_main")
_MODULES = ("app_init", "cpu_start", "boot", "heap_init", "main_task", "app_start")


class BootForm(Form):
    """A reset at once; the identity of what booted when its lines are through."""

    needles = (
        "rst:0x",
        "ESP-ROM:",
        "2nd stage bootloader",
        "boot.esp32",
        "Project name: ",
        "App version: ",
        "Compile time: ",
        "ELF file SHA256: ",
        "ESP-IDF: ",
        " len 0",
        "Adding pool of ",
        "Reserving pool of ",
        "wifi driver task: ",
        "app_main()",
        "Starting scheduler",
    )

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._first: Line | None = None
        self._last = 0
        self._identity: dict[str, str] = {}

    def take(self, line: Line) -> list[Fact] | None:
        if match := _RESET.search(line.text):
            return self._reset(match, line)
        if match := _ROM.search(line.text):
            facts = self.flush()  # the boot before may have been over too soon to end its record
            self._identity = {"board": match[1]}
            self.wait(line, _PATIENCE)
            return facts
        if match := _REGION.match(line.body):
            return self._end(line) + self._region(match, line)
        if match := _LOADER.search(line.body):
            return self._note(line, "Loader", match[1])
        if line.module.startswith("boot.esp32"):
            self._identity.setdefault("board", line.module.removeprefix("boot."))
            return []
        if line.module in _MODULES:
            if match := _IDENTITY.match(line.body):
                return self._note(line, match[1], match[2])
            if _APPLICATION.search(line.body):
                return self._end(line)
        return self._memory(line)

    def flush(self) -> list[Fact]:
        first, identity, unannounced = self._first, self._identity, self.begins_boot
        self._first, self._identity, self.begins_boot, self.open_until = None, {}, False, 0
        if first is None:
            return []
        facts = [self.event("boot", {"reason": "boot loader"}, first, end_line=self._last)] if unannounced else []
        values, raw = _device(identity)
        if values or raw:
            facts.append(self.fact("device", (), values, first, end_line=self._last, raw=raw))
        return facts

    def _reset(self, match: re.Match[str], line: Line) -> list[Fact]:
        board = self._identity if self._first is None else {}
        facts = self.flush()
        self._identity = {**board, "reset_reason": match[2]}
        self._first, self._last = line, line.end_number
        self.session.reset_line = line.number
        self.wait(line, _PATIENCE)
        values: Numbers = {"code": int(match[1], 16), "reason": match[2]}
        return [*facts, self.event("reset", values, line, raw={"boot": match[3], "boot_mode": match[4]})]

    def _note(self, line: Line, what: str, text: str) -> list[Fact]:
        if not line.complete:
            return []
        facts = self.flush() if self._last and what in self._identity else []
        reset = self.session.reset_line
        if self._first is None and (reset is None or line.number - reset > _SAME_BOOT):
            self.begins_boot = True
            self.session.reset_line = line.number
        self._first = self._first or line
        self._last = line.end_number
        self._identity[what] = text.strip()
        self.wait(line, _PATIENCE)
        return facts

    def _end(self, line: Line) -> list[Fact]:
        """The boot is through: its identity stands from its first line to here."""
        if self._first is None:
            return []
        self._last = line.end_number
        return self.flush()

    def _region(self, match: re.Match[str], line: Line) -> list[Fact]:
        size, kib = int(match[2], 16), int(match[3])
        if size // KIB != kib:
            return []
        raw = {"type": match[4], "size_rounded": kib * KIB}
        return [self.fact("heap", (f"0x{match[1].lower()}",), {"size": size}, line, flags=("part",), raw=raw)]

    def _memory(self, line: Line) -> list[Fact] | None:
        if match := _PSRAM.search(line.body):
            return [self.fact("heap", ("spiram",), {"size": int(match[1]) * KIB}, line, resolution=KIB)]
        if match := _RESERVE.search(line.body):
            return [self.fact("pool", ("dma_internal",), {"size": int(match[1]) * KIB}, line, resolution=KIB)]
        if match := _WIFI_STACK.search(line.body):
            return [self.fact("stack", ("wifi",), {"size": int(match[1])}, line)]
        return None


def _device(identity: dict[str, str]) -> tuple[Numbers, dict[str, object]]:
    """The fields of a `device` reading, and what is kept beside them."""
    values: Numbers = {field: identity[field] for field in ("reset_reason", "board") if field in identity}
    if "App version" in identity:
        values["firmware"] = identity["App version"]
    if version := identity.get("ESP-IDF") or identity.get("Loader"):
        values["os"] = f"ESP-IDF {version}"
    kept = {"Project name": "project", "Compile time": "compile_time", "ELF file SHA256": "elf_sha256"}
    raw: dict[str, object] = {name: identity[what].rstrip(".") for what, name in kept.items() if what in identity}
    return values, raw
