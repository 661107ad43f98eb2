"""The plain text form of a trace: one operation a line, `#` begins a comment.

    m ID BYTES            malloc
    c ID COUNT BYTES      calloc
    a ID ALIGN BYTES      aligned_alloc, ALIGN a power of two
    r ID BYTES            realloc
    f ID                  free

An ID is any word; once freed it may be used again. Numbers are decimal, or hexadecimal after 0x, and below 2^32.
"""

from __future__ import annotations

from collections.abc import Sequence

from emulators.traces.trace import Row, Trace, columns_of
from telemetry.errors import ConfigError

_FORMS = {
    "m": ("ID", "BYTES"),
    "c": ("ID", "COUNT", "BYTES"),
    "a": ("ID", "ALIGN", "BYTES"),
    "r": ("ID", "BYTES"),
    "f": ("ID",),
}
_MOST_FAULTS = 20


def looks_like(lines: Sequence[str]) -> bool:
    """Whether the first line that says anything begins as an operation does."""
    for line in lines:
        words = line.partition("#")[0].split()
        if words:
            return words[0] in _FORMS and len(words) <= len(_FORMS[words[0]]) + 1
    return False


def read(source: str, lines: Sequence[str]) -> Trace:
    """The operations; raises ConfigError with every wrong line and what was expected there."""
    rows: list[Row] = []
    numbers: list[int] = []
    ids: dict[str, int] = {}
    faults: list[str] = []
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            kind, name, a, b = _operation(words)
        except ValueError as error:
            faults.append(f"line {number}: {error}")
            continue
        rows.append((kind, ids.setdefault(name, len(ids)), a, b))
        numbers.append(number)
    if faults:
        more = [f"and {len(faults) - _MOST_FAULTS} more lines"] if len(faults) > _MOST_FAULTS else []
        raise ConfigError(source, faults[:_MOST_FAULTS] + more)
    return Trace(source, columns_of(rows, len(ids)), tuple(ids), tuple(numbers))


def write(trace: Trace) -> str:
    """The trace in this form."""
    return "".join(f"{trace.describe(index)}\n" for index in range(len(trace.operations)))


def _operation(words: Sequence[str]) -> tuple[str, str, int, int]:
    form = _FORMS.get(words[0])
    if form is None:
        raise ValueError(f"expected an operation (m, c, a, r or f), found {words[0]!r}")
    if len(words) != len(form) + 1:
        raise ValueError(f"expected '{words[0]} {' '.join(form)}', found '{' '.join(words)}'")
    numbers = [_number(name, word) for name, word in zip(form[1:], words[2:], strict=True)]
    a, b = (*numbers, 0, 0)[:2]
    if words[0] == "a" and (a == 0 or a & (a - 1)):
        raise ValueError(f"expected a power of two for ALIGN, found {a}")
    return words[0], words[1], a, b


def _number(name: str, word: str) -> int:
    try:
        value = int(word, 16) if word.lower().startswith("0x") else int(word, 10)
    except ValueError:
        value = -1
    if not 0 <= value < 1 << 32:
        raise ValueError(f"expected a number of 0..4294967295 for {name}, found {word!r}")
    return value
