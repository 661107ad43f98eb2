"""ESP-IDF `heap_caps_print_heap_info` (v3.0 and later).

    Heap summary for capabilities 0x00001800:
      At 0x3ffb9310 len 158960 free 21904 allocated 134380 min_free 4012
        largest_free_block 9216 alloc_blocks 401 free_blocks 17 total_blocks 418
      Totals:
        free 22076 allocated 139972 min_free 4184 largest_free_block 9216

The totals are a heap named by the capabilities asked for; each region, named by its address, is a part of it: an
allocator fills one before the next. Where the regions are of both internal and external memory, the totals say nothing
of the internal one, which ends first: it is told as the summary of the same capabilities with MALLOC_CAP_INTERNAL would
tell it, that is as the sum of its regions (`heap_caps_get_info`), where none of them was lost. Other than so nothing is
added up: totals of different capabilities overlap.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from agent.consoles.fact import Fact
from agent.consoles.form import Form, Numbers, Session
from agent.consoles.line import Line

_HEADER = re.compile(r"\s*Heap summary for capabilities 0x([0-9A-Fa-f]{1,8}):$")
_REGION = re.compile(r"\s*At (?:0x)?([0-9a-fA-F]{8}) len (\d+) free (\d+) allocated (\d+) min_free (\d+)$")
_BLOCKS = re.compile(r"\s*largest_free_block (\d+) alloc_blocks (\d+) free_blocks (\d+) total_blocks (\d+)$")
_TOTALS = re.compile(r"\s*free (\d+) allocated (\d+) min_free (\d+) largest_free_block (\d+)$")

_TORN = re.compile(
    r"At (?:0x)?[0-9a-f]{8} len |^\s*largest_free_block |^\s*free \d+ .*_free|\bfree \d+ allocated ", re.IGNORECASE
)
_INTERNAL_CAPS = 1 << 11
_EXTERNAL = (
    range(0x3C000000, 0x3E000000),  # ESP32-S3
    range(0x3F500000, 0x3FC00000),  # ESP32, ESP32-S2
    range(0x42000000, 0x44000000),  # ESP32-C5, C61
    range(0x48000000, 0x4C000000),  # ESP32-P4
)
"""Where external memory stands in each chip's addresses (SOC_EXTRAM_DATA_LOW and _HIGH, soc/soc.h)."""
_REGION_FIELDS = 7
_OWNER_BYTES = 4
"""What the totals take off for each block, and each heap, where blocks know their task."""
_HEADERS = 512
"""So much what is held may change by the headers of blocks that come and go meanwhile."""

_TORN_TOTALS = re.compile(r"\s*(?:Totals: *)?free \d+(?: a.*)?$")


class HeapSummaryForm(Form):
    """Regions with their block counts, and the totals."""

    needles = ("Heap summary for", "min_free ", "largest_free_block ", "At 0x", " allocated ", "free ")

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._caps: str | None = None
        self._region: tuple[Line, str, Numbers] | None = None
        self._regions: dict[int, Numbers] = {}
        """Those of the open summary, by address."""

    def take(self, line: Line) -> list[Fact] | None:
        text = line.body
        if match := _REGION.match(text):
            facts = self._end_region(line)
            address, *sizes = match.groups()
            values: Numbers = dict(zip(("size", "free", "used", "min_free"), map(int, sizes), strict=True))
            if self.session.cuts.is_cut((address, sizes[0]), int(sizes[-1])):
                del values["min_free"]
            self._region = line, f"0x{address.lower()}", values
            self.wait(line)
            return facts
        if match := _BLOCKS.match(text):
            return self._blocks(*map(int, match.groups()), line=line)
        if match := _TOTALS.match(text):
            return self._totals(match, line)
        if match := _HEADER.match(text):
            facts = self.flush()
            self._caps = match[1].zfill(8)
            self._regions.clear()
            self.wait(line)
            return facts
        return self._torn(text)

    def _torn(self, text: str) -> list[Fact] | None:
        if torn := _TORN.search(text):
            return self._end_region(None) if " len " in torn[0] else []
        return [] if self.open_until and _TORN_TOTALS.match(text) else None

    def flush(self) -> list[Fact]:
        facts = self._end_region(None)
        self._caps, self.open_until = None, 0
        return facts

    def _blocks(self, largest: int, used: int, free: int, total: int, *, line: Line) -> list[Fact]:
        if self._region is None or used + free != total or largest > int(self._region[2]["free"]):
            return self._end_region(None)  # the region's line was lost, or this one is torn
        self._region[2].update(largest_free=largest, alloc_blocks=used, free_blocks=free)
        return self._end_region(line)

    def _end_region(self, line: Line | None) -> list[Fact]:
        region, self._region = self._region, None
        if region is None:
            return []
        first, address, values = region
        end_line = line.number if line and "alloc_blocks" in values else first.number
        blocks = values.get("alloc_blocks", 0), values.get("free_blocks", 0)
        raw = {"total_blocks": sum(map(int, blocks))} if "alloc_blocks" in values else {}
        self._regions[int(address, 16)] = values
        return [self.fact("heap", (address,), values, first, end_line=end_line, flags=("part",), raw=raw)]

    def _totals(self, match: re.Match[str], line: Line) -> list[Fact]:
        facts = self._end_region(None)
        free, used, min_free, largest = map(int, match.groups())
        caps, self._caps, self.open_until = self._caps, None, 0
        values: Numbers = {"free": free, "used": used, "min_free": min_free, "largest_free": largest}
        if self.session.cuts.is_cut(("totals", caps), largest):
            del values["largest_free"]
        if free == used == 0:  # no heap has these capabilities: that is not an exhausted heap
            return [*facts, self.event("no_such_heap", values, line, raw={"caps": f"0x{caps}"} if caps else {})]
        if caps is None:  # the header was lost: totals of unlike capabilities must not meet in one series
            return [*facts, self.event("heap_totals", values, line)]
        facts.append(self.fact("heap", (f"caps 0x{caps}",), values, line))
        internal = self._internal(free + used)
        if internal:
            name = f"caps 0x{int(caps, 16) | _INTERNAL_CAPS:08X}"
            facts.append(self.fact("heap", (name,), internal, line))
        return facts

    def _internal(self, held: int) -> Numbers | None:
        """The totals of the internal regions, where there are others, too. None where a region or a number of one was
        lost: all together, they hold what the totals hold, whatever was taken or freed in between."""
        inside = [values for address, values in self._regions.items() if not any(address in one for one in _EXTERNAL)]
        if not 0 < len(inside) < len(self._regions):
            return None
        told = list(self._regions.values())
        if any(len(values) < _REGION_FIELDS for values in told):
            return None
        blocks = len(told) + _sum(told, "alloc_blocks")
        more = _sum(told, "free") + _sum(told, "used") - held
        if not -_HEADERS <= more <= _OWNER_BYTES * blocks + _HEADERS:
            return None
        return {
            **{name: _sum(inside, name) for name in ("free", "used", "min_free")},
            "largest_free": max(int(values["largest_free"]) for values in inside),
        }


def _sum(told: Iterable[Numbers], name: str) -> int:
    return sum(int(values[name]) for values in told)
