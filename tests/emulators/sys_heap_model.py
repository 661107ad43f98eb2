"""Zephyr's sys_heap as plain lists: slow, written from the rules alone, for the C core to agree with.

A chunk is a list [offset, units of 8 bytes, used, gap]; the pointer is `header + gap + front` bytes behind the offset.
An answer is an offset or None.
"""

from __future__ import annotations


class SysHeapModel:
    """One heap of `size` bytes at address `base`; `form` is "sys", "k" or "libc"."""

    def __init__(self, size: int, base: int, form: str) -> None:
        self.base, self.form = base, form
        self.front = 4 if form == "k" else 0
        footer = 8 if size // 8 > 32767 else 4
        start, end = -(-base // 8), (base + size - footer) // 8
        self.units = end - start
        self.header, self.least = (8, 2) if self.units > 32767 else (4, 1)
        first = -(-(28 + 4 * (self.bucket(self.units) + 1)) // 8)
        self.chunks = [[start * 8 - base + 8 * first, self.units - first, False, 0]]
        self.lists: dict[int, list[int]] = {}
        self.used = self.max_used = self.max_used_with_headers = 0
        self.insert(self.chunks[0])

    def bucket(self, units: int) -> int:
        return (units - self.least + 1).bit_length() - 1

    def units_for(self, size: int) -> int:
        return min(-(-(size + self.header) // 8), self.units)

    def malloc(self, size: int) -> int | None:
        if self.form == "libc":
            return self.pointer(self.aligned(8, size))
        return self.pointer(self.plain(size + self.front) if size + self.front < 1 << 32 else None)

    def aligned_alloc(self, align: int, size: int) -> int | None:
        if size + self.front >= 1 << 32:
            return None
        # k_aligned_alloc asserts that it is asked for a pointer's alignment at least; without that it gets as much.
        return self.pointer(self.aligned(max(align, self.front) | self.front, size + self.front))

    def realloc(self, offset: int | None, size: int) -> int | None:
        if size == 0:
            self.free(offset)
            return None
        if offset is None:
            return self.malloc(size)
        if size + self.front >= 1 << 32:
            return None
        chunk = self.at(offset)
        need = self.units_for(size + self.front + chunk[3])
        aligned = self.form != "libc" or (self.base + offset) % 8 == 0
        if aligned and self.resize(chunk, need):
            return offset
        moved = self.malloc(size)
        if moved is not None:
            self.release(chunk)
        return moved

    def free(self, offset: int | None) -> None:
        if offset is not None:
            self.release(self.at(offset))

    def layout(self) -> list[tuple[int, int, bool]]:
        return [(offset, units, bool(used)) for offset, units, used, _ in self.chunks]

    def free_units(self) -> list[int]:
        """Of each free chunk that can be used."""
        return [units for _, units, used, _ in self.chunks if not used and units >= self.least]

    def used_chunks(self) -> int:
        return sum(1 for chunk in self.chunks if chunk[2])

    def at(self, offset: int) -> list[int]:
        return next(chunk for chunk in self.chunks if self.pointer(chunk) == offset)

    def pointer(self, chunk: list[int] | None) -> int | None:
        return None if chunk is None else chunk[0] + self.header + chunk[3] + self.front

    def plain(self, size: int) -> list[int] | None:
        if size == 0:
            return None
        units = self.units_for(size)
        chunk = self.find(units)
        if chunk is not None:
            self.cut(chunk, units)
            self.hand_out(chunk)
        return chunk

    def aligned(self, align: int, size: int) -> list[int] | None:
        rewind, gap = 0, self.header
        lowest = align & -align
        if align != lowest:
            align, rewind, gap = align - lowest, lowest, min(lowest, self.header)
        elif align <= self.header:
            return self.plain(size)
        chunk = self.find(self.units_for(size + align - gap)) if size else None
        if chunk is None:
            return None
        payload = self.base + chunk[0] + self.header
        pointer = -(-(payload + rewind) // align) * align - rewind
        start = (pointer - self.header) // 8 * 8
        before = (start - self.base - chunk[0]) // 8
        if before:
            rest = self.cut(chunk, before, listed=False)
            self.insert(chunk)
            chunk = rest
        self.cut(chunk, (-(-(pointer + size) // 8) * 8 - start) // 8)
        chunk[3] = pointer - self.header - start
        self.hand_out(chunk)
        return chunk

    def resize(self, chunk: list[int], need: int) -> bool:
        if need <= chunk[1]:
            self.used -= chunk[1] - need
            if need < chunk[1]:
                self.merge(self.cut(chunk, need, listed=False))
            return True
        index = self.chunks.index(chunk) + 1
        after = self.chunks[index] if index < len(self.chunks) else None
        if after is None or after[2] or chunk[1] + after[1] < need:
            return False
        self.unlist(after)
        taken = need - chunk[1]
        if after[1] > taken:
            self.cut(after, taken)
        chunk[1] += self.chunks.pop(index)[1]
        self.used += taken
        self.note_maximum()
        return True

    def release(self, chunk: list[int]) -> None:
        chunk[2], chunk[3] = False, 0
        self.used -= chunk[1]
        self.merge(chunk)

    def merge(self, chunk: list[int]) -> None:
        index = self.chunks.index(chunk)
        if index + 1 < len(self.chunks) and not self.chunks[index + 1][2]:
            self.unlist(self.chunks[index + 1])
            chunk[1] += self.chunks.pop(index + 1)[1]
        if index > 0 and not self.chunks[index - 1][2]:
            self.unlist(self.chunks[index - 1])
            self.chunks[index - 1][1] += self.chunks.pop(index)[1]
            chunk = self.chunks[index - 1]
        self.insert(chunk)

    def cut(self, chunk: list[int], units: int, listed: bool = True) -> list[int]:
        if chunk[1] == units:
            return chunk
        tail = [chunk[0] + 8 * units, chunk[1] - units, False, 0]
        chunk[1] = units
        self.chunks.insert(self.chunks.index(chunk) + 1, tail)
        if listed:
            self.insert(tail)
        return tail

    def find(self, units: int) -> list[int] | None:
        """Lists turn: the head is what is looked at; what does not fit goes to the end, at most three."""
        chunks = {chunk[0]: chunk for chunk in self.chunks}
        turning = self.lists.get(self.bucket(units), [])
        for _ in range(min(3, len(turning))):
            if chunks[turning[0]][1] >= units:
                return self.taken(chunks[turning[0]])
            turning.append(turning.pop(0))
        above = [bucket for bucket, offsets in self.lists.items() if offsets and bucket > self.bucket(units)]
        return self.taken(chunks[self.lists[min(above)][0]]) if above else None

    def taken(self, chunk: list[int]) -> list[int]:
        self.unlist(chunk)
        return chunk

    def insert(self, chunk: list[int]) -> None:
        if chunk[1] >= self.least:
            self.lists.setdefault(self.bucket(chunk[1]), []).append(chunk[0])

    def unlist(self, chunk: list[int]) -> None:
        """The list's head becomes the successor of what is removed."""
        if chunk[1] >= self.least:
            offsets = self.lists[self.bucket(chunk[1])]
            at = offsets.index(chunk[0])
            offsets[:] = offsets[at + 1 :] + offsets[:at]

    def hand_out(self, chunk: list[int]) -> None:
        chunk[2] = True
        self.used += chunk[1]
        self.note_maximum()

    def note_maximum(self) -> None:
        self.max_used = max(self.max_used, 8 * self.used - self.header * self.used_chunks())
        self.max_used_with_headers = max(self.max_used_with_headers, 8 * self.used)
