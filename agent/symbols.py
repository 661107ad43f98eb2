"""Addresses to functions and lines, by the ELF file of the firmware that runs.

The ELF is chosen by the SHA-256 that ESP-IDF prints at boot; a folder that holds one ELF only needs no choice.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telemetry.errors import EnvironmentFault, UsageError

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile

_ADDRESS = re.compile(r"0x([0-9a-fA-F]{8,16})(?::0x[0-9a-fA-F]{8,16})?")
_FRAMES = 16
_UNKNOWN = frozenset((0, 0xA5A5A5A5, 0xFFFFFFFF))


class Symbols:
    """The ELF files of a folder. Needs pyelftools (the `elf` part)."""

    def __init__(self, directory: Path) -> None:
        try:
            import elftools.elf.elffile  # noqa: F401 - only asked whether it is there
        except ModuleNotFoundError:
            raise EnvironmentFault("ELF files need the 'elf' part: pip install 'memfleet[elf]'", retry=False) from None
        if not directory.is_dir():
            raise UsageError(f"{directory}: no such folder of ELF files")
        self._directory = directory
        self._digests: dict[tuple[Path, int], str] = {}
        self._images: dict[Path, Image] = {}

    def named(self, values: Mapping[str, int | str], digest: str) -> Mapping[str, int | str]:
        """An event's values, and `where` it happened when they hold addresses of the firmware with that SHA-256."""
        addresses = [int(match[1], 16) for match in _ADDRESS.finditer(str(values.get("text", "")))]
        address = values.get("address")
        if isinstance(address, int):
            addresses.insert(0, address)
        where = self.where(addresses, digest) if addresses else ""
        return {**values, "where": where} if where else values

    def records(self, raw: Mapping[str, object], digest: str) -> Mapping[str, object]:
        """What a heap trace keeps of its blocks, with the place of each one's callers as a further item."""
        blocks = raw.get("records")
        if not isinstance(blocks, list):
            return raw
        named = []
        for block in blocks:
            callers = [int(word, 16) for word in str(block[2]).split(":") if word.startswith("0x")]
            where = self.where(callers, digest) if callers else ""
            named.append([*block, where] if where else block)
        return {**raw, "records": named}

    def where(self, addresses: list[int], digest: str) -> str:
        """Functions of a call chain, the innermost first: `malloc_it main.c:12 < app_main main.c:40`."""
        image = self._image(digest)
        if image is None:
            return ""
        # A return address stands behind its call, which may be the last instruction of a line.
        places = [
            image.place(address - (1 if depth else 0))
            for depth, address in enumerate(addresses[:_FRAMES])
            if address not in _UNKNOWN
        ]
        return " < ".join(place for place in places if place)

    def _image(self, digest: str) -> Image | None:
        paths = self._paths()
        wanted = digest.rstrip(".").lower()
        found = [path for path, own in paths.items() if wanted and own.startswith(wanted)]
        path = found[0] if found else next(iter(paths)) if len(paths) == 1 and not wanted else None
        if path is None:
            return None
        if path not in self._images:
            self._images = {path: Image(path)}  # one at a time: they are large
        return self._images[path]

    def _paths(self) -> dict[Path, str]:
        """Every ELF file with its SHA-256; a file is read again when it has changed."""
        found = {}
        for path in sorted(self._directory.rglob("*.elf")):
            key = path, path.stat().st_mtime_ns
            if key not in self._digests:
                self._digests[key] = hashlib.sha256(path.read_bytes()).hexdigest()
            found[path] = self._digests[key]
        return found


class Image:
    """One ELF file: functions from its symbol table, lines from its debug information."""

    def __init__(self, path: Path) -> None:
        from elftools.elf.elffile import ELFFile

        self._file = path.open("rb")
        self._elf: ELFFile = ELFFile(self._file)
        self._functions = sorted(_functions(self._elf))
        self._starts = [start for start, _, _ in self._functions]
        self._dwarf = self._elf.get_dwarf_info() if self._elf.has_dwarf_info() else None
        self._ranges = self._dwarf.get_aranges() if self._dwarf else None

    def place(self, address: int) -> str:
        """`function file:line` of an address; empty when it lies in no function."""
        index = bisect_right(self._starts, address) - 1
        if index < 0:
            return ""
        start, size, name = self._functions[index]
        if address >= start + max(size, 1):
            return ""
        line = self._line(address)
        return f"{name} {line}" if line else name

    def _line(self, address: int) -> str:
        if self._dwarf is None or self._ranges is None:
            return ""
        offset = self._ranges.cu_offset_at_addr(address)
        if offset is None:
            return ""
        program = self._dwarf.line_program_for_CU(self._dwarf.get_CU_at(offset))
        previous = None
        for entry in program.get_entries() if program else ():
            state = entry.state
            if state is None:
                continue
            if previous is not None and not previous.end_sequence and previous.address <= address < state.address:
                return f"{_file_name(program, previous.file)}:{previous.line}"
            previous = state
        return ""


def _functions(elf: Any) -> list[tuple[int, int, str]]:
    table = elf.get_section_by_name(".symtab")
    if table is None:
        return []
    arm = elf["e_machine"] == "EM_ARM"
    return [
        # Thumb functions carry a mark in the lowest bit of their address.
        (symbol["st_value"] & ~1 if arm else symbol["st_value"], symbol["st_size"], symbol.name)
        for symbol in table.iter_symbols()
        if symbol["st_info"]["type"] == "STT_FUNC" and symbol["st_value"]
    ]


def _file_name(program: Any, index: int) -> str:
    files = program["file_entry"]
    place = index if program["version"] >= 5 else index - 1
    name = files[place].name if 0 <= place < len(files) else b"?"
    return Path(name.decode(errors="replace") if isinstance(name, bytes) else str(name)).name
