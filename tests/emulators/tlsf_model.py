"""ESP-IDF's heap as plain lists: slow, written from the rules alone, for the C core to agree with.

A block is a list [offset of its payload, bytes of payload, used]; an answer is an offset or None.
"""

from __future__ import annotations

HEADER = 4
LEAST = 12


class TlsfModel:
    """One heap of `size` bytes at address `base`; `keeps_rounding` as from ESP-IDF 5.4 on."""

    def __init__(self, size: int, base: int, keeps_rounding: bool) -> None:
        pool = size - 20
        self.base, self.keeps_rounding = base, keeps_rounding
        self.parts = 8 if pool <= 16384 else 16 if pool <= 262144 else 32
        self.small = 4 * self.parts
        self.limit = 1 << pool.bit_length()
        levels = pool.bit_length() - self.small.bit_length() + 2
        control = 36 + 4 * levels + 4 * levels * self.parts
        self.capacity = self.free_bytes = self.min_free = pool - control
        self.blocks = [[20 + control + HEADER, (self.capacity - 8) // 4 * 4, False]]
        self.lists: dict[tuple[int, int], list[int]] = {self.size_class(self.blocks[0][1]): [self.blocks[0][0]]}

    def size_class(self, size: int) -> tuple[int, int]:
        """First and second level: a power of two cut into `parts`; below `small` a class for each word."""
        if size < self.small:
            return 0, size // 4
        level = size.bit_length() - self.small.bit_length() + 1
        width = (1 << (size.bit_length() - 1)) // self.parts
        return level, size // width - self.parts

    def rounded(self, size: int) -> int:
        """Up to the least size of a class."""
        if size < self.small:
            return size
        width = (1 << (size.bit_length() - 1)) // self.parts
        return -(-size // width) * width

    def payload(self, size: int) -> int | None:
        """What a request needs, or None when it can never be met."""
        needed = max((size + 3) // 4 * 4, LEAST)
        return None if size == 0 or size > 4 << 20 or needed >= self.limit else needed

    def malloc(self, size: int) -> int | None:
        needed = self.payload(size)
        if needed is None:
            return None
        block = self.find(self.rounded(needed))
        if block is None:
            return None
        self.cut(block, self.rounded(needed) if self.keeps_rounding else needed)
        return self.hand_out(block)

    def aligned_alloc(self, align: int, size: int) -> int | None:
        if align <= 4:
            return self.malloc(size)
        needed = self.payload(size)
        if needed is None:
            return None
        search = -(-(needed + align + 16) // align) * align
        block = self.find(self.rounded(search)) if search < self.limit else None
        if block is None:
            return None
        address = self.base + block[0]
        aligned = -(-address // align) * align
        if 0 < aligned - address < 16:
            aligned = -(-(aligned + max(16 - (aligned - address), align)) // align) * align
        gap = aligned - address
        if gap:
            rest = [block[0] + gap, block[1] - gap, False]
            block[1] = gap - HEADER
            self.blocks.insert(self.blocks.index(block) + 1, rest)
            self.insert(block)
            block = rest
        self.cut(block, needed)
        return self.hand_out(block)

    def realloc(self, offset: int | None, size: int) -> int | None:
        if offset is None:
            return self.malloc(size)
        if size == 0:
            self.free(offset)
            return None
        needed = self.payload(size)
        if needed is None:
            return None
        block = self.at(offset)
        index, before = self.blocks.index(block), block[1]
        if needed > before:
            after = self.blocks[index + 1] if index + 1 < len(self.blocks) else None
            if after is None or after[2] or before + after[1] + HEADER < needed:
                return self.move(block, size)
            self.absorb_next(block)
        self.cut(block, needed, merge=True)
        self.account(before - block[1])
        return offset

    def move(self, block: list[int], size: int) -> int | None:
        lowest = self.min_free
        moved = self.malloc(size)
        self.min_free = lowest
        if moved is not None:
            self.free(block[0])
            self.account(0)
        return moved

    def free(self, offset: int | None) -> None:
        if offset is None:
            return
        block = self.at(offset)
        block[2] = False
        self.account(block[1] + HEADER)
        index = self.blocks.index(block)
        if index > 0 and not self.blocks[index - 1][2]:
            block = self.blocks[index - 1]
            self.unlist(block)
            block[1] += self.blocks.pop(index)[1] + HEADER
        self.absorb_next(block)
        self.insert(block)

    def layout(self) -> list[tuple[int, int, bool]]:
        return [(offset, size, bool(used)) for offset, size, used in self.blocks]

    def largest(self) -> int:
        """Bytes of the largest free block."""
        return max((size for _, size, used in self.blocks if not used), default=0)

    def at(self, offset: int) -> list[int]:
        return next(block for block in self.blocks if block[0] == offset)

    def find(self, size: int) -> list[int] | None:
        fitting = [key for key, offsets in self.lists.items() if offsets and key >= self.size_class(size)]
        if not fitting:
            return None
        block = self.at(self.lists[min(fitting)][0])
        self.unlist(block)
        return block

    def cut(self, block: list[int], size: int, merge: bool = False) -> None:
        if block[1] < size + LEAST + HEADER:
            return
        tail = [block[0] + size + HEADER, block[1] - size - HEADER, False]
        block[1] = size
        self.blocks.insert(self.blocks.index(block) + 1, tail)
        if merge:
            self.absorb_next(tail)
        self.insert(tail)

    def absorb_next(self, block: list[int]) -> None:
        index = self.blocks.index(block) + 1
        if index < len(self.blocks) and not self.blocks[index][2]:
            self.unlist(self.blocks[index])
            block[1] += self.blocks.pop(index)[1] + HEADER

    def hand_out(self, block: list[int]) -> int:
        block[2] = True
        self.account(-block[1] - HEADER)
        return block[0]

    def insert(self, block: list[int]) -> None:
        self.lists.setdefault(self.size_class(block[1]), []).insert(0, block[0])

    def unlist(self, block: list[int]) -> None:
        self.lists[self.size_class(block[1])].remove(block[0])

    def account(self, freed: int) -> None:
        self.free_bytes += freed
        self.min_free = min(self.min_free, self.free_bytes)
