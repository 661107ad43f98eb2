"""Lines of arrays as bytes, some neighbours to a page: the disk is written by the page in any case. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from collector.judge.series import Rows

ROWS = 16
"""To a page: things of one device stand side by side, and are heard together."""

Array = npt.NDArray[Any]


def pages_of(rows: Rows) -> list[int]:
    """The pages that these rows are on, in order."""
    pages: list[int] = np.unique(rows // ROWS).tolist()
    return pages


def rows_of(page: int) -> Rows:
    """The rows of a page."""
    return np.arange(page * ROWS, (page + 1) * ROWS)


def packed(arrays: Sequence[Array], page: int) -> bytes:
    """The lines of a page of each array."""
    return b"".join(array[page * ROWS : (page + 1) * ROWS].tobytes() for array in arrays)


def unpack(saved: bytes, arrays: Sequence[Array], page: int) -> bool:
    """Put back what `packed` gave; False, and nothing is changed, where it was given by another version."""
    parts = [array[page * ROWS : (page + 1) * ROWS] for array in arrays]
    if len(saved) != sum(part.nbytes for part in parts):
        return False
    at = 0
    for part in parts:
        part[:] = np.frombuffer(saved, dtype=part.dtype, count=part.size, offset=at).reshape(part.shape)
        at += part.nbytes
    return True
