"""How the recorded formats name what the heaps tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from emulators.heap import Allocator, Extent

_TLSF = {
    "total_free_bytes": "free",
    "total_allocated_bytes": "used",
    "largest_free_block": "largest_free",
    "minimum_free_bytes": "min_free",
    "allocated_blocks": "used_blocks",
    "free_blocks": "free_blocks",
    "total_blocks": "",
    "largest_free_raw": "largest_free_block",
}

_ZEPHYR = {
    "free_bytes": "free",
    "allocated_bytes": "used",
    "max_allocated_bytes": "max_used",
    "used_chunks": "used_blocks",
    "free_chunks": "free_blocks",
    "solo_headers": "solo_headers",
    "largest_free_usable": "largest_free_block",
    "free_bytes_incl": "free_with_headers",
    "allocated_bytes_incl": "used_with_headers",
    "max_allocated_bytes_incl": "max_used_with_headers",
}

_MUSL = {
    "brk_pages": "brk_pages",
    "mmap_pages": "mmap_pages",
    "nmmaps": "mappings",
    "res_brk": "resident_brk",
    "res_mmap": "resident_mmap",
    "n_brk": "brk_calls",
    "n_mmap": "mmap_calls",
    "n_munmap": "munmap_calls",
    "n_mremap": "mremap_calls",
    "n_madvise": "madvise_calls",
    "n_brk_fail": "brk_failures",
    "n_mmap_fail": "mmap_failures",
}

_UNIT = 8
"""Bytes in which a Zephyr layout counts."""


def stats_columns(allocator: Allocator, stats: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of HeapStats (numbers or arrays) under the names of the recorded format."""
    family = allocator.split("_")[0]
    names = {"tlsf": _TLSF, "zephyr": _ZEPHYR, "musl": _MUSL}[family]
    named = {column: stats[field] for column, field in names.items() if field}
    if family == "tlsf":
        named["total_blocks"] = stats["used_blocks"] + stats["free_blocks"]
    return {column: named[column] for column in names}


def layout_rows(allocator: Allocator, layout: Sequence[Extent]) -> list[list[int]]:
    """TLSF: pointer, usable bytes, used. Zephyr: chunk, units of 8 bytes, used. All offsets in bytes."""
    if allocator.startswith("tlsf"):
        return [[extent.pointer, extent.usable, int(extent.used)] for extent in layout]
    return [[extent.chunk, extent.chunk_bytes // _UNIT, int(extent.used)] for extent in layout]
