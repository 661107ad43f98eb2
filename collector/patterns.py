"""Patterns of what devices say of themselves: `*`, `?`, `[abc]`, as `fnmatch` has them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated

from msgspec import Meta

from telemetry.readings import PLATFORMS
from telemetry.settings import did_you_mean

_PATTERN = r"([^\[]|\[!?.[^\]]*\])*"
_WORDS = "a [ needs its ], as in [abc]"
Pattern = Annotated[str, Meta(pattern=f"^{_PATTERN}$", description=f"a pattern ({_WORDS})")]
"""`fnmatch` takes a bracket that nothing closes for itself, which nobody means who writes one."""
LabelPattern = Annotated[
    str, Meta(pattern=f"^[^=]+={_PATTERN}$", description=f"a label; write name=pattern ({_WORDS})")
]


def carries(labels: Mapping[str, str], label: str) -> bool:
    """Whether labels hold the one that `name=pattern` asks for."""
    name, pattern = label.split("=", 1)
    return name in labels and fnmatchcase(labels[name], pattern)


def platform_fault(pattern: str) -> str:
    """Why no device can be of a platform of that pattern; "" where one can."""
    if any(fnmatchcase(platform, pattern) for platform in PLATFORMS):
        return ""
    return f"{pattern!r} is none of {', '.join(PLATFORMS)}{did_you_mean(pattern, PLATFORMS)}"
