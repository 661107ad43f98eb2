"""What a reading is: one instant of one thing on one device. No I/O, no clock.

All sizes are whole bytes, all spans whole milliseconds; what is unknown is absent, never 0. A reading carries the
`resolution` of its source when that is coarser than a byte, and flags where they apply. Field names follow ESP-IDF's
`multi_heap_info_t` and Zephyr's runtime statistics; none is an InfluxQL keyword.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Value = int | str

FLAGS = ("debugger", "unreliable", "modulus", "guess", "part")
"""debugger: inflated by a debugger; unreliable: the counter lost its footing; modulus: printed modulo 65536;
guess: time not certain; part: of a heap that is told as a whole, and full while others of its parts have room."""

NOT_JUDGED = ("debugger", "unreliable", "part")
"""Readings with one of these flags are shown, and otherwise left alone."""

PLATFORMS = ("mt3620", "esp32", "zephyr", "freertos", "other")

MT3620_LIMIT = 256 * 1024
"""User-mode memory at which Azure Sphere kills an application on the MT3620, bytes."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of thing that can be read: its own tags (their values are a reading's `names`) and its fields.

    `open_fields` kinds also take fields that are not listed here (an event's are specific to its type).
    """

    name: str
    tags: tuple[str, ...]
    numbers: tuple[str, ...]
    texts: tuple[str, ...] = ()
    open_fields: bool = False


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("process", (), ("total", "user_mode", "peak_user_mode", "quota")),
        Kind(
            "heap",
            ("heap",),
            (
                "size", "free", "used", "min_free", "max_used", "largest_free",
                "alloc_blocks", "free_blocks", "threshold",
            ),
        ),
        Kind("task", ("task", "heap"), ("current", "peak", "blocks", "alive", "heap_size", "caps")),
        Kind("stack", ("thread",), ("size", "min_free", "max_used")),
        Kind("pool", ("pool",), ("size", "used", "max_used", "block_size", "blocks_free")),
        Kind("device", (), ("uptime", "boots"), ("reset_reason", "firmware", "board", "os")),
        Kind("event", ("type",), ("size", "address", "code"), ("reason", "caller", "text"), open_fields=True),
        Kind(
            "agent",
            (),
            (
                "outbox_depth", "oldest_age_ms", "evicted", "disk_free",
                "ports", "cut_numbers", "cut_names", "long_lines", "clock_behind_ms",
                "refused_rows",
            ),
            ("clock", "version", "reset_reason", "refused_why"),
        ),
        Kind("log", (), (), ("level", "module", "text")),
    )
}  # fmt: skip

RESERVED = frozenset(("time", "boot", "uptime", "fleet", "device", "platform", "firmware", "board"))
"""Names that every stored row has beside its own fields; the fields of open kinds keep away from them."""

MEMORY_KINDS = ("process", "heap", "task", "stack", "pool")
"""Kinds whose numbers are sizes and counts of a device's memory: never negative, never near 2**32."""

HEAP_PARTS = (
    ("largest_free", "free", "largest_above_free"),
    ("free", "size", "above_size"),
    ("used", "size", "above_size"),
)
"""What is a part of what in a heap, and what it is called where it is said to be more. Others may truly differ: some
counters are read one after another while memory is allocated, and keep their peaks by their own measure."""

_MAY_BE_ANYTHING = frozenset(("unreliable", "modulus"))
"""Flags with which no number says how large another may be."""

UNDERFLOW_FROM = 2**32 - 2**24
"""A 32-bit counter at or above this (and below 2**32) went below zero: no such device has the memory."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One instant of one thing on one device.

    `names` are the values of the kind's own tags, in the kind's order; `time_ms` is milliseconds since 1970 (or the
    sender's monotonic milliseconds where its clock is not trusted); `uptime_ms` is since the device's boot, None when
    unknown; `boot` counts the boots of this device that its agent has seen; `values` maps fields to bytes, counts
    or text.
    """

    device: str
    kind: str
    names: tuple[str, ...]
    time_ms: int
    values: Mapping[str, Value]
    boot: int = 0
    uptime_ms: int | None = None
    flags: tuple[str, ...] = ()
    resolution: int = 1


SILENT_AFTER = "silent_after_s"
"""The name of a limit that is no size: seconds."""
NEVER_SILENT_S = 100 * 365 * 86_400
"""What stands there of a device that nobody waits for: all that it had to say has been said."""


PORT_EVENTS = frozenset(("port_lost", "port_released", "console_silent"))
"""Events by which an agent tells what became of a device's port, of which just nothing comes: no word of the device."""


FAILURES = frozenset(
    (
        "alloc_failed", "oom_kill", "killed", "panic", "abort", "assert", "stack_overflow", "stack_fault",
        "corrupt_heap",
    )
)  # fmt: skip
"""Events by which a device's firmware has failed."""


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a device during one boot: it stands in the stream before the boot's first reading.

    `texts`: platform, board, firmware, os and any label; `limits`: numbers that judge and page measure against, bytes
    (for example `user_mode` on an MT3620), and in `SILENT_AFTER` the seconds for which a device may be silent that
    speaks seldom.
    """

    device: str
    boot: int
    texts: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)


def labels_of(texts: Mapping[str, str]) -> dict[str, str]:
    """What people say of a device beyond what it is: its site, its ring, its owner."""
    return {key: text for key, text in texts.items() if key not in ("platform", "board", "firmware", "os")}


def fault_of(kind: str, values: Mapping[str, Value], flags: Sequence[str] = (), resolution: int = 1) -> str | None:
    """Why no source can have printed these values, as a short fixed word, or None. Unusual values are no fault."""
    numbers = KINDS[kind].numbers
    for name, value in values.items():
        if isinstance(value, int):
            fault = _number_fault(value, free="unreliable" in flags or kind not in MEMORY_KINDS)
            if fault and (name in numbers or fault == "not_64_bit"):
                return fault
    if kind == "heap" and not _MAY_BE_ANYTHING.intersection(flags):
        return _heap_fault(values, resolution)
    return None


def _number_fault(value: int, *, free: bool) -> str | None:
    if not -(2**63) <= value < 2**63:
        return "not_64_bit"
    if free:
        return None
    if value < 0:
        return "negative"
    if UNDERFLOW_FROM <= value < 2**32:
        return "underflow"
    return None


def _heap_fault(values: Mapping[str, Value], resolution: int) -> str | None:
    for part, whole, fault in HEAP_PARTS:
        own, of = values.get(part), values.get(whole)
        if isinstance(own, int) and isinstance(of, int) and own > of + resolution - 1:
            return fault
    return None
