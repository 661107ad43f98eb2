"""Which columns a rule may read for each kind, and how those that no device prints follow from those it does. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from collector.judge.expression import Columns, Numbers
from telemetry.readings import KINDS, MT3620_LIMIT, About

FORECAST_COLUMNS = ("leak_hours_left", "leak_hours_low", "leak_hours_high")
LEAK_COLUMNS = (
    "leak_rate", "leak_rate_low", "leak_rate_high", *FORECAST_COLUMNS, "leak_minutes", "leak_grown",
)  # fmt: skip
"""Of a told leak: bytes/hour and the ends of its interval, hours until memory ends with theirs, minutes and bytes
behind it."""

LEAK_BOOTS = "leak_boots"
"""How many boots tell it, where it takes several."""

LEAK_ENDED = "leak_ended"
"""Bytes taken where the last boot that is over ended, where such boots tell it; else unknown."""

LEAK_LEVEL = "leak_level"
"""Which view of the history (`detectors.views`) told the leak, or what stands for one (`detectors.tell`)."""

BLOCK_HOURS = "leak_block_hours"
"""`leak_hours_left` where the largest free block ends memory; else unknown."""

EXHAUSTED_AT = "exhausted_at"
"""The most bytes that were used of a heap until its device restarted for want of it; unknown for another firmware."""

KERNEL_COLUMNS = (
    "kernel_leak_rate", "kernel_leak_rate_low", "kernel_leak_rate_high", "kernel_leak_minutes", "kernel_leak_grown",
)  # fmt: skip
"""The same of what the kernel holds for an application, where nobody knows a limit."""

KERNEL_LEVEL = "kernel_leak_level"

FRAGMENT_COLUMNS = ("fragment_before", "fragment_now", "fragment_hours", "fragment_free_before", "fragment_free_now")
"""Of told fragmentation: the largest free block then and now, bytes, and hours between; what was free at best then, and
is of late."""

FRAGMENT_LEVEL = "fragment_level"

STEP_COLUMNS = ("step_size", "step_hours")
"""Of a told step: bytes, and hours since."""

STEP_LEVEL = "step_level"

SILENCE_COLUMNS = ("silent_s", "silent_after_s")
"""Seconds since the device was heard (unknown while it may not be judged), and the configured limit."""

CLOCK_BEHIND, CLOCK_AHEAD = "clock_behind_s", "clock_ahead_s"
"""Of an agent: seconds by which its clock is behind the collector's, or ahead of it; the other is negative."""

BEFORE_RESET = tuple(f"before_reset_{number}" for number in range(1, 9))
LEFT_BEFORE_RESET = tuple(f"left_{name}" for name in BEFORE_RESET)

REBOOT_COLUMNS = (
    "resets_1h", "resets_24h", "reset_minutes", "reset_hours", "crashes_24h", "steady_hours",
    "memory_resets_24h", "memory_reset_used", "memory_reset_limit", "memory_reset_left", "memory_reset_first",
    "reset_limit", *BEFORE_RESET, "reset_first", *LEFT_BEFORE_RESET,
)  # fmt: skip
"""Restarts that nobody wanted, within an hour and a day (eight at most); minutes since the first of the hour, hours
since the first of the day; of how many of the day the device named a reason; how long the longest boot was that one of
the day ended; how many memory was the reason of; before the newest of these what was used and its limit, or what was
left and what was free when first heard; the limit, and used bytes just before each restart of the day, the newest
first; the same of what was free when first heard, and bytes left. Left is told of heaps that tell only what is free."""

SHORT_TEXTS = ("memory_reset_why", "memory_reset_of", "memory_reset_reason", "memory_reset_sign")
"""Of the newest of those that memory was the reason of: that it was, or that little was left where only that tells it;
what ran short, the reason that the device gave, and that an allocation had failed just before, where one had."""

SILENCE_TEXTS = ("never_heard",)
"""That a silent device has not spoken since it was listed."""

EVENT_TEXTS = ("task", "thread", "fault")
"""Whose it was, and what the processor said, where an event tells that beside what every event may."""

MEMORY_COLUMNS = ("memory_used", "memory_limit", "memory_fill", "tracked_used")
"""What the device last said of its memory before an event: used bytes of its limit, and what HeapTracker counted."""

PEER_KINDS = ("process", "heap")
"""Kinds that are compared with those of other devices."""

PEER_COLUMNS = (
    "peers", "own_used", "peer_used", "peer_distance", "own_growth", "peer_growth", "peer_growth_distance",
)  # fmt: skip
"""How many peers there are; least bytes used of late, here and usually, and how unusual that is (in standard
deviations); bytes/hour grown, likewise."""

GROWING_KINDS = ("process", "heap", "task", "stack", "pool")
"""Kinds whose used memory is watched for growth."""

SETTLED = frozenset(("size", "quota", "threshold", "heap_size", "block_size", "caps"))
"""What stays as it is while a boot lasts: it need not be said again."""

RATCHETS = ("process", "stack")
"""Kinds whose counters never fall, whatever is given back."""

_GROWTH = ("limit", *LEAK_COLUMNS, LEAK_BOOTS, LEAK_ENDED, LEAK_LEVEL)
_STEPS = (*STEP_COLUMNS, STEP_LEVEL)
_STORED_EXTRAS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("task", "pool"), (*_GROWTH, *_STEPS)),
    "process": (*_GROWTH, *_STEPS, *KERNEL_COLUMNS, KERNEL_LEVEL, *PEER_COLUMNS),
    "heap": (*_GROWTH, BLOCK_HOURS, EXHAUSTED_AT, *_STEPS, *FRAGMENT_COLUMNS, FRAGMENT_LEVEL, *PEER_COLUMNS),
    "stack": _GROWTH,
    "event": MEMORY_COLUMNS,
    "device": (*SILENCE_COLUMNS, *REBOOT_COLUMNS),
    "agent": (CLOCK_BEHIND, CLOCK_AHEAD),
}
_DERIVED: Mapping[str, tuple[str, ...]] = {
    "process": ("used", "free", "kernel", "fill"),
    "heap": ("fill",),
    "task": ("used", "free", "fill"),
    "stack": ("used", "free", "fill"),
    "pool": ("free", "fill"),
}
_LIMIT_NAMES: Mapping[str, str] = {"process": "user_mode", "heap": "heap", "task": "heap", "stack": "stack"}


def is_said(kind: str, name: str) -> bool:
    """Whether a column is what the device said, or follows from it, rather than what a detector found."""
    found = (*SILENCE_COLUMNS, *MEMORY_COLUMNS, CLOCK_BEHIND, CLOCK_AHEAD)
    others = (*found, "used", "kernel", "free", "size", "limit", "fill")
    return name in KINDS[kind].numbers or name in others


def form_of(name: str) -> str:
    """How numbers of that column are written (`collector.judge.reasons`): sizes, unless the name says otherwise."""
    if name == "address":
        return "hex"
    if name == "uptime" or name.endswith("_ms"):
        return "milliseconds"
    if name in _COUNTS:
        return "number"
    return next((form for part, form in _FORM_OF_PART.items() if part in name), "size")


def verdict_of(kind: str, name: str) -> str:
    """Which detector writes that column, in a word; "" for what is said."""
    if name in (*LEAK_COLUMNS, LEAK_BOOTS, LEAK_ENDED, BLOCK_HOURS, *KERNEL_COLUMNS):
        return "stack" if kind == "stack" else "leak"
    written = {"fragmentation": FRAGMENT_COLUMNS, "step": STEP_COLUMNS, "reboot": REBOOT_COLUMNS}
    return next((word for word, columns in written.items() if name in columns), "")


def reported(name: str) -> str:
    """What an alert calls a column: growth is growth whatever grew, so that who lists leaks finds them all."""
    return name.removeprefix("kernel_") if name in KERNEL_COLUMNS else name


def stored_columns(kind: str) -> tuple[str, ...]:
    """Columns that are kept for each series of the kind: its fields and what judging adds."""
    return KINDS[kind].numbers + _STORED_EXTRAS.get(kind, ())


def rule_columns(kind: str) -> tuple[str, ...]:
    """Columns that a rule on the kind may read."""
    return stored_columns(kind) + _DERIVED.get(kind, ())


def limit_of(kind: str, about: About) -> float:
    """What the description of a device limits things of this kind to, bytes; NaN when it says nothing."""
    limit = about.limits.get(_LIMIT_NAMES.get(kind, ""))
    if limit is None and kind == "process" and about.texts.get("platform") == "mt3620":
        limit = MT3620_LIMIT
    return float("nan") if limit is None else float(limit)


class _Derived(Mapping[str, Numbers]):
    """The stored columns of a kind and those that follow from them, each computed when it is first asked for."""

    def __init__(self, kind: str, stored: Columns) -> None:
        self._stored = stored
        self._ways = _WAYS.get(kind, {})
        self._known: dict[str, Numbers] = {}

    def __getitem__(self, name: str) -> Numbers:
        known = self._known.get(name)
        if known is None:
            way = self._ways.get(name)
            known = self._known[name] = self._stored[name] if way is None else way(self._stored, self)
        return known

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self._stored, *self._ways)))

    def __len__(self) -> int:
        return len({*self._stored, *self._ways})


def derive(kind: str, stored: Columns) -> Columns:
    """All columns of `rule_columns(kind)`. Of a heap used, size and free follow from each other; elsewhere free is what
    the limit leaves. Fill is used / limit."""
    return _Derived(kind, stored)


def _first(preferred: Numbers, otherwise: Numbers) -> Numbers:
    return np.where(np.isnan(preferred), otherwise, preferred)


def kernel_of(total: Numbers, user_mode: Numbers) -> Numbers:
    """What the kernel holds for an application, as buffers of sockets, bytes. Unknown where it seems to be less than
    nothing: the two were not read at the same moment."""
    kernel = total - user_mode
    return np.where(kernel >= 0, kernel, np.nan)


def _free(stored: Columns, columns: Columns) -> Numbers:
    return columns["limit"] - columns["used"]


def _fill(stored: Columns, columns: Columns) -> Numbers:
    with np.errstate(all="ignore"):
        filled: Numbers = columns["used"] / np.where(columns["limit"] > 0, columns["limit"], np.nan)
    return filled


_COUNTS = frozenset(
    (
        "alloc_blocks", "free_blocks", "blocks", "blocks_free", "alive", "caps", "boots", "code",
        "leak_boots", "resets_1h", "resets_24h", "crashes_24h",
        "memory_resets_24h", "peers", "peer_distance", "peer_growth_distance",
        "outbox_depth", "evicted", "ports", "cut_numbers", "cut_names", "long_lines", "refused_rows",
    )
)  # fmt: skip
_FORM_OF_PART: Mapping[str, str] = {
    "fill": "percent",
    "rate": "rate",
    "growth": "rate",
    "hours": "hours",
    "minutes": "minutes",
    "silent": "seconds",
    "behind": "seconds",
    "ahead": "seconds",
}

_WAYS: Mapping[str, Mapping[str, Callable[[Columns, Columns], Numbers]]] = {
    "process": {
        "used": lambda stored, _: _first(stored["user_mode"], stored["peak_user_mode"]),
        "kernel": lambda stored, _: kernel_of(stored["total"], stored["user_mode"]),
        "limit": lambda stored, _: _first(stored["quota"], stored["limit"]),
        "free": _free,
        "fill": _fill,
    },
    "heap": {
        "size": lambda stored, _: _first(stored["size"], stored["used"] + stored["free"]),
        "used": lambda stored, _: _first(stored["used"], stored["size"] - stored["free"]),
        "free": lambda stored, _: _first(stored["free"], stored["size"] - stored["used"]),
        "limit": lambda stored, columns: _first(columns["size"], stored["limit"]),
        "min_free": lambda stored, columns: _first(stored["min_free"], columns["limit"] - stored["max_used"]),
        "fill": _fill,
    },
    "task": {
        "used": lambda stored, _: stored["current"],
        "limit": lambda stored, _: _first(stored["heap_size"], stored["limit"]),
        "free": _free,
        "fill": _fill,
    },
    "stack": {
        "used": lambda stored, _: _first(stored["max_used"], stored["size"] - stored["min_free"]),
        "limit": lambda stored, _: _first(stored["size"], stored["limit"]),
        "free": _free,
        "min_free": lambda stored, columns: _first(stored["min_free"], columns["limit"] - columns["used"]),
        "fill": _fill,
    },
    "pool": {
        "used": lambda stored, _: _first(stored["used"], stored["size"] - stored["blocks_free"] * stored["block_size"]),
        "limit": lambda stored, _: _first(stored["size"], stored["limit"]),
        "free": _free,
        "fill": _fill,
    },
}
"""How a column follows from those that are stored, and from the others."""
