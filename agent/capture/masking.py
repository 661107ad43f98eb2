"""Secrets out of console text, before it is kept, read or sent."""

from __future__ import annotations

import re
from collections.abc import Sequence

STARS = b"***"

SECRETS = (
    r"(?i)\b(?:password|passwd|passphrase|pwd|psk|secret|api[_-]?key|access[_-]?key|token)\b\"?\s*[:=]\s*\"?([^\s\",;]+)",
    r"(?i)\bbearer\s+([\w.~+/=-]{8,})",
    r"(?i)\bssid\b\"?\s*[:=]\s*\"?([^\s\",;]+)",
    r"(?i)(SharedAccessKey=[^;\s]+|SharedAccessSignature \S+)",
    r"://[^/\s:@]+:([^@\s/]+)@",
    r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]+",
    r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{2,})+\b",
)
"""What most often stands in a log and should not leave the house: pass words, keys, tokens, networks, addresses."""


def compiled(patterns: Sequence[str]) -> tuple[re.Pattern[bytes], ...]:
    """The patterns, for bytes. ValueError names the one that is no regular expression."""
    made = []
    for pattern in patterns:
        try:
            made.append(re.compile(pattern.encode()))
        except re.error as error:
            raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
    return tuple(made)


def mask(patterns: Sequence[re.Pattern[bytes]], lines: bytes) -> bytes:
    """The lines with every match replaced, or only its groups where a pattern has some. Line feeds all stay."""
    masked = lines
    for pattern in patterns:
        masked = pattern.sub(_stars, masked)
    if masked.count(b"\n") == lines.count(b"\n"):
        return masked
    return b"\n".join(mask(patterns, line) for line in lines.split(b"\n"))  # a match reached over the end of a line


def _stars(match: re.Match[bytes]) -> bytes:
    text, start = match[0], match.start()
    spans = [match.span(number) for number in range(1, len(match.groups()) + 1) if match.start(number) >= 0]
    if not spans:
        return STARS
    for begin, end in sorted(spans, reverse=True):
        text = text[: begin - start] + STARS + text[end - start :]
    return text
