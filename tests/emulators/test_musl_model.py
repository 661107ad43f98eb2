"""The C core of musl's malloc against a model of its rules, under the sequences of calls that Hypothesis draws."""

from __future__ import annotations

from dataclasses import asdict

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from emulators.heap import Allocator, Block, Heap
from tests.emulators.musl_model import LARGEST_CHUNK, RECLAIM, Kernel, MuslModel

Held = tuple[Block, int]
"""A block of the core, and the bytes that were asked for."""

SMALL = st.integers(0, 600)
MIDDLE = st.integers(600, 20_000)
LARGE = st.one_of(
    st.integers(LARGEST_CHUNK - 40, LARGEST_CHUNK + 40),
    st.integers(RECLAIM - 40_000, RECLAIM + 40_000),
    st.integers(20_000, 500_000),
)
HUGE = st.sampled_from([1 << 31, (1 << 31) - 4112, (1 << 31) - 4111, (1 << 32) - 1])
SIZES = st.one_of(SMALL, SMALL, MIDDLE, LARGE, HUGE)
LIMITS = st.sampled_from([32768, 100_001, 163840, 524288, 4 << 20])


class MuslAgainstModel(RuleBasedStateMachine):
    """Each call is made to both; answers, layout and pages must agree after each."""

    blocks = Bundle("blocks")

    # Limits are always set: what an unlimited kernel makes of 2 GiB is not the allocator's affair.
    @initialize(
        allocator=st.sampled_from(["musl_oldmalloc", "musl_1_1_24"]),
        total_limit=LIMITS,
        brk_limit=st.one_of(st.just(0), LIMITS),
    )
    def start(self, allocator: Allocator, total_limit: int, brk_limit: int) -> None:
        self.heap = Heap(allocator, size=0, total_limit=total_limit, brk_limit=brk_limit)
        self.model = MuslModel(allocator == "musl_1_1_24", Kernel(total_limit, brk_limit))

    @rule(target=blocks, size=SIZES)
    def malloc(self, size: int) -> MultipleResults[Held]:
        return self._agree(self.heap.malloc(size), self.model.malloc(size), size)

    @rule(target=blocks, sizes=st.lists(st.one_of(SMALL, MIDDLE), min_size=2, max_size=12))
    def malloc_several(self, sizes: list[int]) -> MultipleResults[Held]:
        return multiple(*(block for size in sizes for block in self.malloc(size).values))

    @rule(target=blocks, count=st.one_of(st.integers(0, 300), HUGE), size=SIZES)
    def calloc(self, count: int, size: int) -> MultipleResults[Held]:
        return self._agree(self.heap.calloc(count, size), self.model.calloc(count, size), count * size)

    @rule(target=blocks, align=st.one_of(st.integers(0, 14), st.integers(15, 31)).map(lambda bit: 1 << bit), size=SIZES)
    def aligned_alloc(self, align: int, size: int) -> MultipleResults[Held]:
        return self._agree(self.heap.aligned_alloc(align, size), self.model.aligned_alloc(align, size), size)

    @rule(target=blocks, held=consumes(blocks), size=SIZES)
    def realloc(self, held: Held, size: int) -> MultipleResults[Held]:
        block, _ = held
        resized = self.heap.realloc(block, size)
        expected = self.model.realloc(block.offset, size)
        if resized is None:
            assert expected is None
            return multiple(held)
        return self._agree(resized, expected, size)

    @rule(held=consumes(blocks))
    def free(self, held: Held) -> None:
        self.heap.free(held[0])
        self.model.free(held[0].offset)

    @rule(held=blocks, part=st.floats(0, 1))
    def write(self, held: Held, part: float) -> None:
        block, size = held
        self.heap.touch(block, 0, int(size * part))
        self.model.write(block.offset, int(size * part))

    @invariant()
    def same_layout(self) -> None:
        if hasattr(self, "heap"):
            extents = self.heap.layout()
            assert [(each.pointer, each.chunk_bytes, each.used) for each in extents] == list(self.model.layout())

    @invariant()
    def same_pages(self) -> None:
        if hasattr(self, "heap"):
            stats = self.heap.stats()._asdict()
            expected = asdict(self.model.kernel.counts())
            assert {name: stats[name] for name in expected} == expected

    @invariant()
    def sound(self) -> None:
        if hasattr(self, "heap"):
            self.heap.check()

    def _agree(self, block: Block | None, expected: int | None, size: int) -> MultipleResults[Held]:
        assert (block.offset if block else None) == expected
        return multiple((block, size)) if block else multiple()


MuslAgainstModel.TestCase.settings = settings(stateful_step_count=40)
TestMuslAgainstModel = MuslAgainstModel.TestCase


def test_the_top_of_the_mappings_is_not_the_first_break() -> None:
    """Both are offset 0. The first area is mapped for want of a break and ends there; the next one is at the break."""
    state = MuslAgainstModel()
    state.start("musl_oldmalloc", total_limit=163840, brk_limit=32768)
    for size in (114_648, 0):
        state.malloc(size)
        state.same_layout()
    assert {extent.pointer for extent in state.heap.layout() if extent.used} == {-114_672, 16}
