"""Records that lost their line feeds: a whole output pasted, or saved from a document, as one line.

    ... Peak Usage 7232, Current Usage 6656 RAM: Caps: 1071118. Size 22308, ... alloc count 1 0x3fceb878: Size: 6656 ...
                                           ^                                                 ^                      ^

The line is cut again after what ends a printed line and nothing else.
"""

from __future__ import annotations

import re

FOLDED_FROM = 160
"""No printed line of a record is so long, characters."""

_ENDS = re.compile(
    r"(?:"
    r"(?<!-)-{20,}|(?<!=)={20,}"
    r"|Peak Usage \d+, Current Usage \d+|alloc count \d+|0x[0-9a-f]{8}: Size: \d+"  # task tracking, the examples
    r"|TOTAL HEAP USED \d+:|ALLOC COUNT: \d+|ALLOC 0x[0-9a-f]{8}, SIZE \d+"  # task tracking
    r"|capabilities 0x[0-9A-F]{8}:|min_free \d+(?= +largest_free_block \d+ +alloc)"
    r"|total_blocks \d+|Totals:|largest_free_block \d+(?! +alloc)"
    r"|panic'ed \([^)]*\)\.(?: Exception was unhandled\.)?|Backtrace: ?(?:0x[0-9a-f]{8}:0x[0-9a-f]{8} ?)+\b"
    r"|Rebooting\.\.\.|has been detected\.|rst:0x[0-9a-f]+ \(\w+\),boot:0x[0-9a-f]+ \(\w+\)"
    r"|memory: \d+ KB\.|Usage \(bytes\)|\(Kernel \+ User Mode\) +\d+|User Mode +\d+"  # Azure Sphere
    r"|delta with heap_threshold ?\(\d+ bytes\)|is above heap_threshold \(\d+ bytes\)"
    r"|Stack +\| Free: \d+ bytes|Heap +\| Free: \d+ bytes, Allocated: \d+ bytes"  # Zephyr
    r"|usage +\d+ / +\d+ \( *\d+ %\)(?:; CPU: \d+ %)?"
    r") "
)


def unfold(text: str) -> list[str]:
    """The lines that a long text was made of; the text alone when it is one line."""
    if len(text) < FOLDED_FROM:
        return [text]
    cuts = [found.end() for found in _ENDS.finditer(text)]
    if len(cuts) < 2:
        return [text]
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
