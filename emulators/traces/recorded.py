"""The recorded format, `alloc-oracle/1`: one JSON object with operations and, where recorded, the answers.

ops      columns of equal length: k (one letter an operation), id, a, b
res      the offset that each operation returned, or null
stats    columns by name; `at` holds the operation after which each row was taken
layout   the final layout of a heap that lives in a region, when it has at most 3000 blocks
pages    musl: [operation, brk pages, mmap pages], one entry for each change
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import numpy as np

from emulators.heap import NULL, Allocator, Operations
from emulators.traces.columns import layout_rows, stats_columns
from emulators.traces.trace import Replay, Settings, Trace, replay
from telemetry.errors import ConfigError

FORMAT = "alloc-oracle/1"
HEAP_START = 0x30000000
"""Address that `base_off` is counted from."""
_LONGEST_LAYOUT = 3000

Unsigned = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]


class Config(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The heap: bytes of the region and of its offset from an aligned address, or the limits of musl in bytes."""

    heap_size: Unsigned | None = None
    base_off: Unsigned | None = None
    mode: str | None = None
    total_limit: Unsigned | None = None
    brk_limit: Unsigned | None = None
    touch: str | None = None


class Columns(msgspec.Struct):
    """The operations."""

    k: str
    id: list[Unsigned]
    a: list[Unsigned]
    b: list[Unsigned]


class Recorded(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A recorded trace, as in its file."""

    format: str
    collection: str | None = msgspec.field(name="set", default=None)
    allocator: Allocator
    name: str | None = None
    family: str | None = None
    seed: Any = None
    config: Config
    stats_every: Annotated[int, msgspec.Meta(ge=0, le=2**31)] = 0
    ops: Columns
    res: list[int | None] | None = None
    stats: dict[str, list[int]] | None = None
    layout: list[list[int]] | None = None
    pages: list[list[int]] | None = None

    def settings(self) -> Settings:
        """The heap that it was recorded on."""
        config = self.config
        return Settings(
            allocator=self.allocator,
            size=config.heap_size or 0,
            base=HEAP_START + (config.base_off or 0),
            total_limit=config.total_limit or 0,
            brk_limit=config.brk_limit or 0,
            touch=config.touch != "notouch",
        )


def trace_of(source: str, recorded: Recorded) -> Trace:
    """Its operations. The format makes a second free of an id a free(NULL)."""
    ops = recorded.ops
    lengths = {"k": len(ops.k), "id": len(ops.id), "a": len(ops.a), "b": len(ops.b)}
    if len(set(lengths.values())) != 1:
        told = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ConfigError(source, [f"ops: expected columns of equal length, found {told}"])
    for index, letter in enumerate(ops.k):
        if letter not in "mcraf":
            raise ConfigError(source, [f"ops.k[{index}]: expected one of m c r a f, found {letter!r}"])
    names, dense = np.unique(np.array(ops.id, dtype=np.uint32), return_inverse=True)
    operations = Operations(
        kind=np.frombuffer(ops.k.encode("ascii"), dtype=np.uint8),
        id=dense.astype(np.uint32),
        a=np.array(ops.a, dtype=np.uint32),
        b=np.array(ops.b, dtype=np.uint32),
        ids=len(names),
    )
    return Trace(source, operations, names.tolist(), strict=False)


def replay_recorded(trace: Trace, recorded: Recorded) -> Recorded:
    """The same trace with the answers of the emulated heap in place of the recorded ones."""
    return answer(recorded, replay(trace, recorded.settings(), recorded.stats_every))


def answer(recorded: Recorded, replayed: Replay) -> Recorded:
    """What the heap answered, in the recorded format."""
    settings, run = replayed.settings, replayed.run
    stats = None
    if recorded.stats_every:
        stats = {"at": run.stats_at.tolist()}
        stats |= {name: column.tolist() for name, column in stats_columns(settings.allocator, run.stats).items()}
    layout = None
    if not settings.paged and len(replayed.layout) <= _LONGEST_LAYOUT:
        layout = layout_rows(settings.allocator, replayed.layout)
    return msgspec.structs.replace(
        recorded,
        res=offsets_or_null(run.offsets.tolist()),
        stats=stats,
        layout=layout,
        pages=run.pages.tolist() if settings.paged else None,
    )


def offsets_or_null(offsets: Sequence[int]) -> list[int | None]:
    """Offsets with None where the device got NULL."""
    return [None if offset == NULL else offset for offset in offsets]


def record(trace: Trace, settings: Settings, stats_every: int) -> Recorded:
    """A trace that came in another form, as an empty record of a run on the given heap."""
    operations = trace.operations
    if settings.paged:
        touch = "touch" if settings.touch else "notouch"
        config = Config(total_limit=settings.total_limit, brk_limit=settings.brk_limit, touch=touch)
    else:
        config = Config(heap_size=settings.size, base_off=settings.base % HEAP_START, mode="")
    return Recorded(
        format=FORMAT,
        allocator=settings.allocator,
        name=trace.source,
        config=config,
        stats_every=stats_every,
        ops=Columns(
            k=operations.kind.tobytes().decode("ascii"),
            id=operations.id.tolist(),
            a=operations.a.tolist(),
            b=operations.b.tolist(),
        ),
    )
