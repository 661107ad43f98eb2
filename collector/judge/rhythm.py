"""How often each device of a recording speaks, learnt as its lines pass: so that one that reports every hour is not
called silent between two reports, whatever stands beside it in the file."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

_GAPS = 4
_GAPS_KEPT = 32
_LONGEST_SILENCE_S = 6 * 3600
_SAME_MOMENT_MS = 1_000


@dataclass(slots=True)
class _Speaker:
    newest_ms: int
    gaps_ms: list[int] = field(default_factory=list)
    allowed_s: int = _LONGEST_SILENCE_S


class Rhythms:
    """After how many seconds each device is silent: four of its usual gaps; six hours until there was one."""

    def __init__(self) -> None:
        self._speakers: dict[str, _Speaker] = {}

    def allowed_s(self, device: str, time_ms: int) -> int:
        """The limit of the device, once it has spoken at that time; times rise. It changes seldom: when the number of
        gaps that are known doubles, up to 32 of them."""
        speaker = self._speakers.get(device)
        if speaker is None:
            speaker = self._speakers[device] = _Speaker(time_ms)
        gap_ms = time_ms - speaker.newest_ms
        if gap_ms < _SAME_MOMENT_MS:
            return speaker.allowed_s
        speaker.newest_ms = time_ms
        known = len(speaker.gaps_ms)
        if known < _GAPS_KEPT:
            speaker.gaps_ms.append(gap_ms)
            if known & (known + 1) == 0:  # one, two, four, ... gaps with this one
                speaker.allowed_s = -(-_GAPS * round(median(speaker.gaps_ms)) // 1000)
        return speaker.allowed_s
