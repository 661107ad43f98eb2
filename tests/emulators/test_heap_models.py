"""The C cores of TLSF and sys_heap against models of their rules, under the calls that Hypothesis draws."""

from __future__ import annotations

from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, consumes, initialize, invariant, rule
from hypothesis.stateful import multiple as several

from emulators.heap import Allocator, Block, Heap
from telemetry.errors import UsageError
from tests.emulators.sys_heap_model import SysHeapModel
from tests.emulators.tlsf_model import TlsfModel

EDGES = st.sampled_from([4 << 20, (4 << 20) + 1, 1 << 31, *range((1 << 32) - 8, 1 << 32)])
SIZES = st.one_of(
    st.integers(0, 200), st.integers(0, 200), st.integers(200, 3000), st.integers(0, (1 << 32) - 1), EDGES
)
ALIGNS = st.sampled_from([1, 2, 4, 8, 16, 32, 64, 256, 4096, 1 << 20, 1 << 31])
WORDS = st.sampled_from([0x30000000, 0x30000004, 0x30000064, 0x3000000C])
ANYWHERE = st.integers(0x30000000, 0x30001000)
"""sys_heap takes a region that begins and ends between words; TLSF wants a word's address."""
REGIONS = st.one_of(
    st.sampled_from([700, 2048, 8192, 16404, 16405, 65536, 262144, 262151, 262152, 262165, 1 << 20]),
    st.integers(700, 300_000),
)


class AgainstModel(RuleBasedStateMachine):
    """Each call is made to both; answers must agree at once, layout and statistics after each step."""

    blocks = Bundle("blocks")
    heap: Heap
    model: TlsfModel | SysHeapModel

    @rule(target=blocks, size=SIZES)
    def malloc(self, size: int) -> MultipleResults[Block]:
        return self.agree(self.heap.malloc(size), self.model.malloc(size))

    @rule(target=blocks, sizes=st.lists(st.integers(1, 300), min_size=2, max_size=12))
    def malloc_several(self, sizes: list[int]) -> MultipleResults[Block]:
        return several(*(block for size in sizes for block in self.malloc(size).values))

    @rule(target=blocks, count=st.one_of(st.integers(0, 40), EDGES), size=SIZES)
    def calloc(self, count: int, size: int) -> MultipleResults[Block]:
        offset = self.model.malloc(count * size) if count * size < 1 << 32 else None
        return self.agree(self.heap.calloc(count, size), offset)

    @rule(target=blocks, size=SIZES)
    def realloc_null(self, size: int) -> MultipleResults[Block]:
        return self.agree(self.heap.realloc(None, size), self.model.realloc(None, size))

    @rule(target=blocks, align=ALIGNS, size=SIZES)
    def aligned_alloc(self, align: int, size: int) -> MultipleResults[Block]:
        return self.agree(self.heap.aligned_alloc(align, size), self.model.aligned_alloc(align, size))

    @rule(target=blocks, block=consumes(blocks), size=SIZES)
    def realloc(self, block: Block, size: int) -> MultipleResults[Block]:
        moved = self.heap.realloc(block, size)
        kept = self.agree(moved, self.model.realloc(block.offset, size))
        return several(block) if moved is None and size else kept

    @rule(block=consumes(blocks))
    def free(self, block: Block) -> None:
        self.heap.free(block)
        self.model.free(block.offset)

    @invariant()
    def sound(self) -> None:
        self.heap.check()

    def agree(self, block: Block | None, offset: int | None) -> MultipleResults[Block]:
        assert (block.offset if block else None) == offset
        return several(block) if block else several()


class TlsfAgainstModel(AgainstModel):
    @initialize(size=REGIONS, base=WORDS, allocator=st.sampled_from(["tlsf", "tlsf_idf53"]))
    def start(self, size: int, base: int, allocator: Allocator) -> None:
        self.heap = Heap(allocator, size=size, base=base)
        self.model = TlsfModel(size, base, allocator == "tlsf")

    @invariant()
    def same(self) -> None:
        model, stats = self.model, self.heap.stats()
        assert isinstance(model, TlsfModel)
        assert [(e.pointer, e.usable, e.used) for e in self.heap.layout()] == model.layout()
        assert (stats.free, stats.min_free) == (model.free_bytes, model.min_free)
        assert stats.largest_free_block == model.largest()


class SysHeapAgainstModel(AgainstModel):
    forms: ClassVar[dict[str, str]] = {"zephyr_sys": "sys", "zephyr_k": "k", "zephyr_libc": "libc"}

    @initialize(size=REGIONS, base=ANYWHERE, allocator=st.sampled_from(sorted(forms)))
    def start(self, size: int, base: int, allocator: Allocator) -> None:
        self.heap = Heap(allocator, size=size, base=base)
        self.model = SysHeapModel(size, base, self.forms[allocator])

    @invariant()
    def same(self) -> None:
        model, stats = self.model, self.heap.stats()
        assert isinstance(model, SysHeapModel)
        assert [(e.chunk, e.chunk_bytes // 8, e.used) for e in self.heap.layout()] == model.layout()
        free = model.free_units()
        assert (stats.free_blocks, stats.free_with_headers) == (len(free), 8 * sum(free))
        assert stats.free == 8 * sum(free) - model.header * len(free)
        assert stats.used_with_headers == 8 * model.used
        assert stats.used == 8 * model.used - model.header * model.used_chunks()
        assert (stats.max_used, stats.max_used_with_headers) == (model.max_used, model.max_used_with_headers)


TestTlsf = TlsfAgainstModel.TestCase
TestSysHeap = SysHeapAgainstModel.TestCase


@pytest.mark.parametrize("size", range(0, 400, 4))
def test_a_heap_exists_where_its_control_structure_fits(size: int) -> None:
    """The least TLSF heap: control structure, first header, sentinel and 4 bytes; anything less is refused."""
    levels = max((size - 20).bit_length() - 5 + 1, 0) if size > 20 else 0
    fits = size - 20 >= 36 + 4 * levels + 32 * levels + 12
    if fits:
        Heap("tlsf", size=size).check()
    else:
        with pytest.raises(UsageError, match="too small"):
            Heap("tlsf", size=size)
