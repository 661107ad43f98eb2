"""What one check found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "doubtful", "wrong"]


@dataclass(frozen=True, slots=True)
class Found:
    """`what` was looked at, in which `state` it is, a sentence that says so, and `advice`: what to do about it."""

    what: str
    state: State
    sentence: str
    advice: str = ""
